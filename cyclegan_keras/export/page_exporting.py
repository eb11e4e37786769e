"""Exports the generators of a run as a page that translates by itself, and checks each before."""

import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from cyclegan_keras._files import PathLike
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data.fitting import Fit
from cyclegan_keras.export import checking, exporting
from cyclegan_keras.export.page import PageSettings, Placing, check_page, write_page
from cyclegan_keras.inference.whole import AnySize


def export_page(
    models: Mapping[str, keras.Model],
    path: PathLike,
    *,
    title: str = "CycleGAN",
    names: tuple[str, str] = ("A", "B"),
    size: tuple[int, int] | None = None,
    pictures: Mapping[str, Sequence[PathLike] | None] | None = None,
    fit: Fit = "stretch",
    ranges: Mapping[str, tuple[ValueRange | None, ValueRange | None]] | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> dict[str, list[checking.Comparison]]:
    """Writes one HTML file that translates pictures in the browser, without a server.

    Each generator is written as ONNX, and compared with the Keras model as by `export_generator`.
    The file appears only if all differences are within bounds.

    Args:
        models: Generators by way: `"AB"`, `"BA"` or both; all for as many channels.
        path: Of the file, ending with `.html`.
        title: Of the page, such as the name of the run.
        names: What the page calls the domains A and B.
        size: `(height, width)` of the training images, for models that take any size.
        pictures: Files of pictures to check each on, by way.
        fit: What is done to pictures of other proportions, as in training; see `Manner`.
        ranges: By way, the values of black and white in pictures and in translations; `None` means
            the whole range of a file's type. Browsers show a page 8 bits of them.
        overwrite: Whether an existing file may be replaced.
        **settings: `float16`, `int8`, `bound` and `about` of `export_generator`.

    Returns:
        The comparisons with the Keras models, by way.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
        OSError: If the file cannot be written.
        SetupError: If a package is missing that the export needs.
        ValueError: If the arguments do not fit together, a model has a layer that cannot be
            written, or its ONNX file does not compute what the model does.
    """
    target = pathlib.Path(path)
    check_page(target, overwrite)
    channels = {model.input_shape[-1] for model in models.values()}
    if len(channels) > 1:
        raise ValueError(
            "The generators of a page must be for as many channels. "
            f"Received: {' and '.join(map(str, sorted(channels)))} channels"
        )
    trained = {checking.sizes_for(model, size)[0] for model in models.values()}
    if len(trained) > 1:
        raise ValueError(
            f"The generators of a page must have one training size. Received: {sorted(trained)}"
        )
    files, comparisons = {}, {}
    shape: dict[str, Any] = {"size": trained.pop() if trained else (1, 1)}
    shape["placing"] = placing = _placing(models, fit, ranges or {})
    if channels:
        shape["channels"] = channels.pop()
    PageSettings(title, tuple(models), names=names, **shape)  # Before anything takes time.
    sources = {way: both[0] for way, both in placing.ranges.items()}
    with tempfile.TemporaryDirectory(prefix="cyclegan-page-") as folder:
        for way, model in models.items():
            file = pathlib.Path(folder) / f"{way}.onnx"
            source = sources.get(way)
            comparisons[way] = exporting.export_generator(
                model,
                file,
                "onnx",
                pictures=(pictures or {}).get(way),
                size=size,
                value_range=None if source is None else (source.low, source.high),
                **settings,
            )
            files[way] = file.read_bytes()
    write_page(files, target, title=title, names=names, overwrite=overwrite, **shape)
    return comparisons


def _placing(
    models: Mapping[str, keras.Model],
    fit: Fit,
    ranges: Mapping[str, tuple[ValueRange | None, ValueRange | None]],
) -> Placing:
    if fit != "crop":
        return Placing(fit, ranges=ranges)
    # Only there, pictures come in sizes of their own.
    sizes = [AnySize(model) for model in models.values()]
    return Placing(
        fit,
        max((size.multiple for size in sizes), default=1),
        max((size.least for size in sizes), default=1),
        ranges,
    )
