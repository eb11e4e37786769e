"""CycleGAN on Keras 3: unpaired image-to-image translation, as *GANs in Action* teaches it."""

import lazy_loader

from cyclegan_keras import _registration

__version__ = "0.1.0"

# The public names are listed in `__init__.pyi`, once, and imported when they are first used:
# importing the package, as `cyclegan --help` must, does not load TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_registration.register_with_keras()
