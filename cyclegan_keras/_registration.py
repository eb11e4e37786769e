"""Makes `keras.saving.load_model` know the package's layers, without importing Keras for it."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any


def register_with_keras() -> None:
    """Registers the package's layers now if Keras is loaded, else as soon as it is.

    Keras finds a custom class in a file only if that class was registered before. To import the
    layers for that would import TensorFlow, which takes seconds, with every `import
    cyclegan_keras`; so this waits for Keras.
    """
    if "keras" in sys.modules:
        importlib.import_module("cyclegan_keras.layers")
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds Keras as it would be found anyway, and lets the layers be imported right after it."""

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
                importlib.import_module("cyclegan_keras.layers")

            spec.loader.exec_module = execute_then_register  # type: ignore[method-assign]
        return spec
