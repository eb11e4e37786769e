"""Checks untrusted HDF5 files: they must contain weights, and no links to anything else."""

import math
import pathlib
from collections.abc import Iterator
from typing import Any

import h5py

MAX_OBJECTS = 100_000

# As they stand in the file, without a way of reading them that the file may choose.
LAYOUTS = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)


def count_weights(path: pathlib.Path) -> int:
    """Checks that a file contains weights as Keras writes them, without reading any.

    Args:
        path: A `model.weights.h5`.

    Returns:
        The number of weights.

    Raises:
        ValueError: If it is no HDF5 file, or is damaged, or has anything in it that Keras does not
            write: links, parts in other files, compressed parts, types other than numbers, or more
            of them than fit into its bytes. The message says what.
    """
    try:
        with h5py.File(path, "r") as file:
            return _count(file, path.stat().st_size)
    except (KeyError, OSError, OverflowError, RuntimeError, TypeError) as error:
        raise ValueError(f"its weights are damaged: {error}") from error


def _count(file: Any, size: int) -> int:
    count = num_bytes = 0
    for dataset in _datasets(file):
        _check(dataset)
        count += math.prod(dataset.shape)
        num_bytes += math.prod(dataset.shape) * dataset.dtype.itemsize
        if num_bytes > size:
            raise ValueError(f"its weights would take more than the {size} bytes they are in")
    return count


def _datasets(file: Any) -> Iterator[Any]:
    """Visits each group once, since links may form circles."""
    seen: set[int] = set()
    groups = [file]
    while groups:
        group = groups.pop()
        for name in group:
            # Checked before the link is followed.
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"its weights are elsewhere: {name!r} is a {type(link).__name__}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) >= MAX_OBJECTS:
                raise ValueError(f"{name!r} in its weights is there twice, or one of too many")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                yield item
            else:
                raise ValueError(f"{name!r} in its weights is neither a group nor an array")


def _check(dataset: Any) -> None:
    name = dataset.name
    creation = dataset.id.get_create_plist()
    if creation.get_external_count() or dataset.is_virtual:
        raise ValueError(f"its weights are elsewhere: the values of {name!r} are in another file")
    if creation.get_nfilters() or creation.get_layout() not in LAYOUTS:
        raise ValueError(f"{name!r} in its weights is compressed or in pieces")
    if not _is_numeric(dataset) or dataset.shape is None:
        raise ValueError(f"{name!r} in its weights has no numbers. Received: {dataset.dtype}")
    stored = dataset.id.get_storage_size()
    if math.prod(dataset.shape) * dataset.dtype.itemsize != stored:
        raise ValueError(
            f"{name!r} in its weights must have as many bytes as its shape says. Received: shape "
            f"{dataset.shape} in {stored} bytes"
        )


def _is_numeric(dataset: Any) -> bool:
    # Keras writes bfloat16 as two bytes of no type, and that it does so, beside them.
    if "dtype" in dataset.attrs:
        mark = dataset.attrs.get_id("dtype")
        is_text = h5py.check_string_dtype(mark.dtype) is not None
        return is_text and mark.shape == () and dataset.dtype.itemsize == 2
    return dataset.dtype.kind in "fiub"
