"""What determines a run besides its settings: its images, and the software that trains it."""

import hashlib
import os
import platform
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.data import content_index
from cyclegan_keras.data.labels import LabelledDataLoader
from cyclegan_keras.data.loader import DataLoader

# What runs have that do not say.
_BEFORE = {"replicas": 1, "workers": 1}


def provenance(
    loader: DataLoader,
    model: Any = None,
    num_workers: int = 1,
    by_content: bool = False,
) -> dict[str, Any]:
    """Describes what determines a run besides its settings.

    Args:
        loader: Loads the images.
        model: The model that is trained.
        num_workers: How many processes train it.
        by_content: Whether the images are described by what is in their files, too.

    Returns:
        Under "images", what `images` returns.
        Under "software", what `software` returns.
    """
    return {"images": images(loader, by_content), "software": software(model, num_workers)}


def software(model: Any = None, num_workers: int = 1) -> dict[str, Any]:
    """Describes the software, and what it computes on.

    Args:
        model: The model that is trained.
        num_workers: How many processes train it.

    Returns:
        Versions, the processor, and threads; and replicas and workers, if there are several.
    """
    strategy = getattr(model, "strategy", None)
    replicas = 1 if strategy is None else int(strategy.num_replicas_in_sync)
    return {
        **versions(),
        "cores": os.cpu_count(),
        "GPUs": len(tf.config.list_physical_devices("GPU")),
        "threads": [
            tf.config.threading.get_inter_op_parallelism_threads(),
            tf.config.threading.get_intra_op_parallelism_threads(),
        ],
        "replicas": replicas,
        "workers": num_workers,
    }


def versions() -> dict[str, str]:
    """Describes what must be the same for all processes that train one model."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def images(loader: DataLoader, by_content: bool = False) -> dict[str, Any]:
    """Describes the images of a data set, wherever it is stored.

    Args:
        loader: Loads the images.
        by_content: Whether they are described by what is in their files, too.

    Returns:
        For each folder, the number of images and a digest of their names and sizes; and, if asked
        for, one of their contents.
    """
    domains = {f"train{domain}": loader.paths(domain) for domain in "AB"}
    if loader.has_test_images:
        domains |= {f"test{domain}": loader.paths(domain, is_testing=True) for domain in "AB"}
    described: dict[str, dict[str, Any]] = {}
    for name, paths in domains.items():
        digest = hashlib.sha256()
        for path in paths:
            digest.update(os.fsencode(path.name) + b"\0%d\0" % path.stat().st_size)
        if isinstance(loader, LabelledDataLoader):
            labels = loader.labels(name[-1], name.startswith("test"))
            digest.update(b"" if labels is None else labels.tobytes())
        described[name] = {"count": len(paths), "sha256": digest.hexdigest()}
        if by_content:
            described[name]["content"] = content_index.digest_of(paths, f"Hashing {name}")
    return described


def are_the_same(mine: dict[str, Any] | None, theirs: dict[str, Any] | None) -> bool:
    """Compares the images of two folders.

    Args:
        mine: Of one folder, from `images`; `None` if there is none.
        theirs: Of the other.

    Returns:
        Whether they are the same, as far as both were described.
    """
    if mine is None or theirs is None:
        return mine is theirs
    return all(mine[key] == theirs[key] for key in mine.keys() & theirs.keys())


def check(now: dict[str, Any], then: dict[str, Any], warn: Callable[[str], None]) -> None:
    """Compares what a run goes on with to what it was begun with.

    Args:
        now: From `provenance`.
        then: Likewise, from a checkpoint.
        warn: Called with a sentence if the software differs.

    Raises:
        ValueError: If the images differ.
    """
    for name in now["images"].keys() | then["images"].keys():
        mine, theirs = now["images"].get(name), then["images"].get(name)
        if not are_the_same(mine, theirs):
            count, before = (0 if found is None else found["count"] for found in (mine, theirs))
            how = " of other names or sizes" if count == before else ""
            if mine and theirs and mine["sha256"] == theirs["sha256"]:
                how = " of other contents"
            raise ValueError(
                f"The run was begun with other images in {name}. Received: {count} images{how}, "
                f"before: {before}. Restore the old ones, or train its networks further with the "
                "new ones in another run: --from this one and another --run-dir."
            )
    changed = [
        f"{name} {before} → {value}"
        for name, value in now["software"].items()
        if (before := then["software"].get(name, _BEFORE.get(name))) != value
    ]
    if changed:
        warn(
            f"The run was begun with other software or on another machine ({', '.join(changed)}), "
            "so the last bits may differ from those of an uninterrupted run."
        )
