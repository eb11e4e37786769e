"""Makes `keras.saving.load_model` know the package's classes, without importing Keras for it."""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cyclegan_keras import _backend, _quiet

# The name under which saved models know the classes.
PACKAGE = "cyclegan_keras"
# The modules whose classes a saved model may name.
REGISTERING = ("layers", "losses", "optimizers", "inference.inversion", "models.combined")
# What Keras imports if it is installed: wrappers and plots. That takes a quarter of its own import.
OPTIONAL = ("IPython", "matplotlib", "sklearn")


def register_with_keras() -> None:
    """Registers the package's classes now if Keras is loaded, else as soon as it is.

    Keras finds a custom class in a file only if that class was registered before. To do that
    with every `import cyclegan_keras` would import TensorFlow, which takes seconds; so this waits
    for Keras.

    Raises:
        SetupError: If Keras is loaded and cannot be used. Later, `import keras` raises it.
    """
    if "keras" in sys.modules:
        register()
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


def leave_out_optional_parts() -> None:
    """Lets Keras do without what it imports if it is installed, for a program that does not use it.

    The program itself can import the same libraries, but `keras.wrappers` and plots will not do.
    """
    for finder in sys.meta_path:
        if isinstance(finder, _AfterKeras):
            finder.left_out = OPTIONAL


def register() -> None:
    """Registers the package's classes, for which it loads Keras.

    Raises:
        SetupError: If Keras or TensorFlow cannot be used.
    """
    _backend.check()
    for name in REGISTERING:
        importlib.import_module(f"cyclegan_keras.{name}")
    _quiet.look_for_no_gpu()  # Before the first operation does.


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds Keras and TensorFlow as they would be found anyway, and registers the classes after it.

    Each of them imports the other one, in the middle of its own import. What is registered needs
    both, so it waits until the outer one is whole.

    Attributes:
        left_out: Packages that these two do not find.
    """

    def __init__(self) -> None:
        self.left_out: Sequence[str] = ()
        self._is_looking = False
        self._unfinished: list[str] = []
        self._thread: int | None = None

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        # Only these two: other threads may import what they like, and so may the program later.
        are_looking = self._unfinished and self._thread == threading.get_ident()
        if are_looking and fullname in self.left_out:
            raise ModuleNotFoundError(f"{fullname!r} is left out", name=fullname)
        if fullname not in ("keras", "tensorflow") or self._is_looking:
            return None
        self._is_looking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            # It may be found and not executed, by who only asks whether there is a Keras.
            spec.loader.exec_module = lambda module: self._load(  # type: ignore[method-assign]
                execute, module
            )
        return spec

    def _load(self, execute: Callable[[Any], None], module: Any) -> None:
        self._unfinished.append(module.__name__)
        self._thread = threading.get_ident()
        try:
            with _without_garbage_collection():
                execute(module)
        except Exception as error:
            if module.__name__ == "keras":
                raise _backend.in_words(error) from error
            raise
        finally:
            self._unfinished.remove(module.__name__)
        if not self._unfinished and "keras" in sys.modules:
            register()
            sys.meta_path.remove(self)


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Looks for no garbage meanwhile: modules are none, and to look takes a fifth of the import.

    Yields:
        Nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
