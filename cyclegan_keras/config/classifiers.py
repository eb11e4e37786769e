"""The settings of the networks that label images."""

import dataclasses

from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.parts import Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Part):
    """What all classifiers have; `networks.classifiers` builds them.

    Args:
        cf: Filters of the first layer.
    """

    cf: int = setting("networks", 64, "filters of the classifiers' first layer", least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeNetConfig(ClassifierConfig):
    """LeNet, as CyCADA has it for digits of 28×28 pixels.

    Args:
        cf: Filters of the first layer; the second has 2.5 times as many, the dense layer 25 times.
    """

    kind = "lenet"
    cf: int = setting("networks", 20, "filters of the classifiers' first layer", least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StridedConfig(ClassifierConfig):
    """The network that CyCADA has for colour images of 32×32 pixels.

    Args:
        cf: Filters of the first layer; they double at each halving, and the dense layer has eight
            times as many.
    """

    kind = "strided"


CLASSIFIERS: dict[str, ClassifierConfig] = {
    each.kind: each for each in (LeNetConfig(), StridedConfig())
}
