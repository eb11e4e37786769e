"""Reading the weights that PyTorch has saved, without PyTorch and without trusting the file."""

import collections
import math
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from cyclegan_keras._files import PathLike

# What the format before PyTorch 1.6 begins with: two pickled numbers.
MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001

# Of dicts in dicts.
MAX_DEPTH = 8

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
    """Reads a state dict that PyTorch saved, in its zip format or that from before version 1.6.

    Both contain a pickle, which can name any function and have it called. Here it can name only
    what a state dict is made of; nothing else is imported, and no code from the file runs.

    Args:
        path: Of a file from `torch.save(state_dict, path)`.

    Returns:
        Arrays by name, with the shapes and dtypes that the tensors had.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is in another format, is damaged, or holds anything else than tensors.
    """
    return _in_words(path, _state_dict)


def read_checkpoint(path: PathLike) -> dict[str, dict[str, np.ndarray]]:
    """Reads all state dicts in a file that PyTorch saved, as `read_state_dict` does.

    Args:
        path: Of a file from `torch.save`: a state dict, or dicts with such in them, such as
            `{"state_dict": ..., "epoch": 3}`.

    Returns:
        State dicts by their names in the file, joined by dots; the name of a file that is a state
        dict itself is empty. What is no tensor is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is in another format, is damaged, or names what no state dict needs.
    """
    return _in_words(path, lambda content, cut: dict(_state_dicts(content, cut)))


def _in_words(path: PathLike, pick: Callable[[Any, Callable[[_View], np.ndarray]], Any]) -> Any:
    try:
        with open(path, "rb") as file:
            content, numbers = _read_zip(file) if zipfile.is_zipfile(file) else _read_old(file)
            room = 4 * os.fstat(file.fileno()).st_size + 2**20

            def cut(view: _View) -> np.ndarray:
                # Views may overlap, so that few bytes could become many.
                nonlocal room
                room -= math.prod(view.size) * np.dtype(view.storage.dtype).itemsize
                if room < 0:
                    raise ValueError("its tensors would take many times its own size")
                return _cut_out(view, numbers)

            return pick(content, cut)
    except FileNotFoundError:
        raise FileNotFoundError(f"No weights {str(path)!r}.") from None
    except Exception as error:  # A damaged pickle leads to errors of any kind.
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"Cannot read {str(path)!r}: {reason}. It must be a state dict of tensors, as "
            "`torch.save(model.state_dict(), path)` writes it."
        ) from error


def _state_dict(content: Any, cut: Callable[[_View], np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(content, dict) or not all(isinstance(v, _View) for v in dict.values(content)):
        raise ValueError("it holds other things than tensors")
    return {name: cut(view) for name, view in dict.items(content)}


def _state_dicts(
    content: Any, cut: Callable[[_View], np.ndarray], name: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    if not isinstance(content, dict) or depth > MAX_DEPTH:  # A dict may contain itself.
        return
    items = [(str(key), value) for key, value in dict.items(content)]
    if views := {key: value for key, value in items if isinstance(value, _View)}:
        yield name, {key: cut(view) for key, view in views.items()}
    for key, value in items:
        yield from _state_dicts(value, cut, f"{name}.{key}" if name else key, depth + 1)


def _read_old(file: IO[bytes]) -> tuple[Any, dict[str, np.ndarray]]:
    file.seek(0)
    header = [_Unpickler(file).load() for _ in range(3)]
    if header[:2] != [MAGIC, VERSION] or header[2].get("little_endian") is not True:
        raise ValueError("it does not begin as such a file does")
    unpickler = _Unpickler(file)
    content = unpickler.load()
    numbers = {}
    for key in _Unpickler(file).load():
        if key not in unpickler.storages:
            raise ValueError("it holds other things than tensors")
        numbers[key] = _read_numbers(file, unpickler.storages[key])
    return content, numbers


def _read_zip(file: IO[bytes]) -> tuple[Any, dict[str, np.ndarray]]:
    with zipfile.ZipFile(file) as archive:
        # PyTorch does not compress, so that nothing here can be larger than it is in the file.
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("it has compressed parts, which PyTorch does not write")
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        if "data.pkl" not in names:
            raise ValueError("it is a zip file without the part data.pkl")
        if "byteorder" in names and archive.read(names["byteorder"]) != b"little":
            raise ValueError("its numbers are not in little-endian order")
        with archive.open(names["data.pkl"]) as pickled:
            unpickler = _Unpickler(pickled)
            content = unpickler.load()
        numbers = {}
        for key, storage in unpickler.storages.items():
            data = archive.read(names[f"data/{key}"])
            if len(data) != storage.length * np.dtype(storage.dtype).itemsize:
                raise ValueError(f"storage {key} is cut off")
            numbers[key] = np.frombuffer(data, storage.dtype)
        return content, numbers


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

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _new_maker()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda view, *_: view
        if (module, name) == ("torch", "Size"):
            return lambda sizes: tuple(sizes)
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            # The zip format leaves out the last one.
            case ("storage", str(dtype), str(key), str(), int(length), *rest) if rest in (
                [],
                [None],
            ):
                return self.storages.setdefault(key, _Storage(dtype, key, length))
        raise pickle.UnpicklingError("it names a storage in an unknown way")


def _new_maker() -> Callable[..., _View]:
    # A pickle can set attributes of what it names. Those of this one are nobody else's.
    return lambda *arguments: _View(*arguments)
