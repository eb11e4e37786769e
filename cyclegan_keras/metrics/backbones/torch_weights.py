"""Reading the weights that PyTorch has saved, without PyTorch and without trusting the file."""

import collections
import pickle
import struct
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

from cyclegan_keras._files import PathLike

# What the format before PyTorch 1.6 begins with: two pickled numbers.
MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001

# The storages that are read, and how their numbers lie in the file.
DTYPES = {
    "HalfStorage": "<f2",
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "BoolStorage": "?",
}


class _Storage(NamedTuple):
    """A row of numbers, which the file has behind the pickles."""

    dtype: str
    key: str
    length: int


class _View(NamedTuple):
    """A tensor: which numbers of a storage it has, in which order."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: Any


def read_state_dict(path: PathLike) -> dict[str, np.ndarray]:
    """Reads a state dict that was saved in PyTorch's format from before version 1.6.

    That format is a pickle, which can name any function and have it called. Here it can name only
    what a state dict is made of; nothing else is imported, and no code from the file runs.

    Args:
        path: Of a file from `torch.save(state_dict, path)`, or, with PyTorch 1.6 and newer, from
            `torch.save(state_dict, path, _use_new_zipfile_serialization=False)`.

    Returns:
        Arrays by name, with the shapes and dtypes that the tensors had.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is in another format, is damaged, or holds anything else than tensors.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"No weights {str(path)!r}.") from None
    except Exception as error:  # A damaged pickle leads to errors of any kind.
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"Cannot read {str(path)!r}: {reason}. It must be a state dict of tensors in PyTorch's "
            "format from before version 1.6."
        ) from error


def _read(file: IO[bytes]) -> dict[str, np.ndarray]:
    header = [_Unpickler(file).load() for _ in range(3)]
    if header[:2] != [MAGIC, VERSION] or header[2].get("little_endian") is not True:
        raise ValueError("it does not begin as such a file does")
    views = _Unpickler(file).load()
    if not isinstance(views, dict) or not all(isinstance(v, _View) for v in dict.values(views)):
        raise ValueError("it holds other things than tensors")
    storages = {view.storage.key: view.storage for view in dict.values(views)}
    numbers = {}
    for key in _Unpickler(file).load():
        numbers[key] = _read_numbers(file, storages[key])
    return {name: _cut_out(view, numbers) for name, view in dict.items(views)}


def _read_numbers(file: IO[bytes], storage: _Storage) -> np.ndarray:
    (count,) = struct.unpack("<q", file.read(8))
    data = file.read(count * np.dtype(storage.dtype).itemsize)
    numbers = np.frombuffer(data, storage.dtype)
    if not len(numbers) == count == storage.length:
        raise ValueError(f"storage {storage.key} is cut off")
    return numbers


def _cut_out(view: _View, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Makes an array of its own, looking at no number outside of the storage."""
    storage = numbers[view.storage.key]
    steps = [view.offset, *view.size, *view.stride]
    # An empty tensor would need no number at all, but no weight is empty.
    last = view.offset + sum((n - 1) * step for n, step in zip(view.size, view.stride, strict=True))
    if min(steps) < 0 or 0 in view.size or last >= len(storage):
        raise ValueError(f"a tensor lies outside of its storage {view.storage.key}")
    strides = tuple(step * storage.itemsize for step in view.stride)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.size, strides).copy()


class _Unpickler(pickle.Unpickler):
    """Knows the names that a state dict is made of, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _new_maker()
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(length), None):
                return _Storage(dtype, key, length)
        raise pickle.UnpicklingError("it names a storage in an unknown way")


def _new_maker() -> Callable[..., _View]:
    # A pickle can set attributes of what it names. Those of this one are nobody else's.
    return lambda *arguments: _View(*arguments)
