"""Exports generators to files of other programs, and checks each file before it appears."""

import contextlib
import importlib.util
import json
import os
import pathlib
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from cyclegan_keras import _extras
from cyclegan_keras._backend import SetupError
from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.export import checking, runtimes

# The suffix of each format's files; a SavedModel is a folder.
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "saved_model": ""}

# What the export says of itself, where the format has no place of its own for that.
NOTES = "cyclegan.json"

# What each format needs: modules, and the extra that installs them.
_NEEDS = {
    "onnx": (("onnx", "onnxruntime"), "onnx"),
    "litert": (("ai_edge_litert",), "litert"),
    "saved_model": ((), ""),
}

# Of the difference from the Keras model, in 8-bit levels: in float32 of the largest one, else of
# the 99th percentile.
BOUNDS = {"float32": 0.1, "float16": 2.0, "int8": 10.0}


def export_generator(
    model: keras.Model,
    path: PathLike,
    file_format: str = "onnx",
    *,
    float16: bool = False,
    int8: bool = False,
    pictures: Sequence[PathLike] | None = None,
    bound: float | None = None,
    size: tuple[int, int] | None = None,
    value_range: tuple[float, float] | None = None,
    about: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> list[checking.Comparison]:
    """Writes a generator in the format of another program, for images of any size.

    The file is run in its own runtime on pictures, at training size and at a larger, not square
    one, and compared with the Keras model. It appears only if the differences are within bounds.

    Args:
        model: A generator, from `load_generator` for example: a functional or sequential model.
        path: Of the file, ending with `.onnx` or `.tflite`; for "saved_model", of a folder.
        file_format: "onnx", "litert" or "saved_model".
        float16: Whether weights are stored in half precision; for "onnx" and "litert".
        int8: Whether convolutions are computed in 8 bits; for "onnx" and "litert".
        pictures: Files of pictures like those that will be translated; 8 are used, evenly spaced.
            `None` means drawn ones.
        bound: The largest accepted difference in 8-bit levels (of which black and white are 255
            apart): of any value in float32, 0.1 by default; of the 99th percentile with `float16`,
            2 by default, and with `int8`, 10.
        size: `(height, width)` of the training images, for a model that takes any size.
        value_range: The values of black and white in `pictures`, if they are not the least and the
            largest of their type.
        about: What else the file shall say of itself, by name.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The comparisons with the Keras model, one for each size.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
        OSError: If the file cannot be written.
        SetupError: If the format needs a package that is not installed.
        ValueError: If the arguments do not fit together, the model has a layer that cannot be
            written, or the file does not compute what the model does.
    """
    target = pathlib.Path(path)
    check(target, file_format, float16=float16, int8=int8, bound=bound, overwrite=overwrite)
    # Before anything takes time: that it is a model from images to images.
    shape = tuple(model.input_shape)
    paths = None if pictures is None else [pathlib.Path(picture) for picture in pictures]
    settings: dict[str, Any] = {
        "channels": shape[-1],
        "value_range": None if value_range is None else ValueRange(*value_range),
    }
    images = checking.Pictures(paths, **settings)
    others = checking.Pictures(paths, count=16, others=True, **settings) if int8 else None
    notes = _notes(model, about, size)
    with _place(target, file_format) as partial:
        run = _written(model, partial, file_format, float16, int8, others, notes, size)
        comparisons = checking.compare(run, model, images, size)
        precision = "float16" if float16 else "int8" if int8 else "float32"
        _check_bound(comparisons, precision, bound)
    return comparisons


def check(
    target: pathlib.Path,
    file_format: str,
    *,
    float16: bool = False,
    int8: bool = False,
    bound: float | None = None,
    overwrite: bool = False,
) -> None:
    """Checks early, without writing anything, that a file can be exported.

    Args:
        target: As `path` of `export_generator`.
        file_format: As there.
        float16: As there.
        int8: As there.
        bound: As there.
        overwrite: As there.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
        FileNotFoundError: If its folder does not exist.
        SetupError: If the format needs a package that is not installed.
        ValueError: If the arguments do not fit together.
    """
    if file_format not in SUFFIXES:
        raise ValueError(
            f"The format must be one of {', '.join(SUFFIXES)}. Received: {file_format!r}"
        )
    if float16 and int8:
        raise ValueError("Choose float16 or int8. Received both.")
    if (float16 or int8) and file_format == "saved_model":
        raise ValueError("A SavedModel is float32; float16 and int8 are for onnx and litert.")
    if bound is not None and not bound >= 0:
        raise ValueError(f"The bound must be 0 or more 8-bit levels. Received: {bound}")
    suffix = SUFFIXES[file_format]
    if suffix and target.suffix.lower() != suffix:
        raise ValueError(
            f"The name of the {file_format} file must end with {suffix}. Received: {str(target)!r}"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(f"No folder {str(target.parent)!r} to write into. Make it first.")
    if os.path.lexists(target):
        if not overwrite:
            raise FileExistsError(
                f"{str(target)!r} exists. Give another name, or allow it to be replaced "
                "(--overwrite)."
            )
        is_alike = target.is_dir() == (file_format == "saved_model")
        if not is_alike or (target.is_dir() and not (target / "saved_model.pb").is_file()):
            raise FileExistsError(
                f"{str(target)!r} is something else than a {file_format} export, and is not "
                "replaced. Give another name."
            )
    modules, extra = _NEEDS[file_format]
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        raise SetupError(
            f"Exporting as {file_format} needs {' and '.join(missing)}, which is not installed. "
            f"Install it: {_extras.advice(extra)}"
        )


def _written(
    model: keras.Model,
    path: pathlib.Path,
    file_format: str,
    float16: bool,
    int8: bool,
    calibration: checking.Pictures | None,
    notes: dict[str, str],
    size: tuple[int, int] | None,
) -> runtimes.Run:
    """Writes the file, and opens it in its runtime."""
    if file_format == "onnx":
        from cyclegan_keras.export import onnx_graph, onnx_int8

        proto = onnx_graph.to_onnx(model, float16=float16)
        for name, value in notes.items():
            proto.metadata_props.add(key=name, value=value)
        if calibration is not None:
            trained, _ = checking.sizes_for(model, size)
            proto = onnx_int8.in_int8(proto, [*calibration.batches(trained)])
        path.write_bytes(proto.SerializeToString())
        return runtimes.onnx_runtime(path)
    from cyclegan_keras.export import tensorflow_formats

    if file_format == "litert":
        path.write_bytes(tensorflow_formats.to_litert(model, float16=float16, int8=int8))
        # As LiteRT's own metadata have further files: behind what its runtime reads.
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(zipfile.ZipInfo(NOTES), _in_json(notes))
        return runtimes.litert(path)
    tensorflow_formats.write_saved_model(model, path)
    extra = path / "assets.extra"  # For what TensorFlow does not read.
    extra.mkdir()
    (extra / NOTES).write_text(_in_json(notes), "utf-8")
    return runtimes.saved_model(path)


def _in_json(notes: Mapping[str, str]) -> str:
    return json.dumps(notes, indent=2) + "\n"


def _notes(
    model: keras.Model, about: Mapping[str, Any] | None, size: tuple[int, int] | None
) -> dict[str, str]:
    from cyclegan_keras import __version__

    (height, width), _ = checking.sizes_for(model, size)
    notes = {
        "cyclegan_keras": __version__,
        "training_height": height,
        "training_width": width,
        "value_range": "-1 1",
        **(about or {}),
    }
    return {name: str(value) for name, value in notes.items()}


@contextlib.contextmanager
def _place(target: pathlib.Path, file_format: str) -> Iterator[pathlib.Path]:
    """Gives a name to write to, which becomes the target at the end, unless there is an error."""
    if file_format != "saved_model":
        with written_whole(target) as partial:
            yield partial
        return
    draft = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        yield draft
        if target.exists():
            old = draft.with_suffix(".old")
            target.rename(old)
            draft.rename(target)
            shutil.rmtree(old)
        else:
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_bound(
    comparisons: Sequence[checking.Comparison], precision: str, bound: float | None
) -> None:
    limit = BOUNDS[precision] if bound is None else bound
    for each in comparisons:
        levels = each.max_levels if precision == "float32" else each.p99_levels
        # Infinite differences, of NaN or of other shapes, are beyond every bound.
        if levels <= limit and each.difference < float("inf"):
            continue
        of_what = "at most" if precision == "float32" else "in 99 % of the values at most"
        height, width = each.size
        raise ValueError(
            f"The exported file does not compute what the Keras model does: on pictures of "
            f"{height}×{width}, they may differ {of_what} {limit:g} of 255 levels, and differ by "
            f"{levels:.3g} (largest difference {each.difference:.3g}). Nothing was written. "
            + (
                "Please report this."
                if precision == "float32"
                else f"Export without {precision}, or allow more with --bound."
            )
        )
