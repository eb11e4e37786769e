"""Makes `keras.saving.load_model` know the package's classes, without importing Keras for it."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

from cyclegan_keras import quiet

# The name under which saved models know the classes.
PACKAGE = "cyclegan_keras"
# The modules whose classes a saved model may name.
REGISTERING = ("layers", "losses", "optimizers", "combined", "residual")


def register_with_keras() -> None:
    """Registers the package's classes now if Keras is loaded, else as soon as it is.

    Keras finds a custom class in a file only if that class was registered before. To do that
    with every `import cyclegan_keras` would import TensorFlow, which takes seconds; so this waits
    for Keras.
    """
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register() -> None:
    for name in REGISTERING:
        importlib.import_module(f"cyclegan_keras.{name}")
    quiet.look_for_no_gpu()  # Before the first operation does.


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds Keras as it would be found anyway, and registers the classes right after it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then_register(module: Any) -> None:
                execute(module)
                _register()

            spec.loader.exec_module = execute_then_register  # type: ignore[method-assign]
        return spec
