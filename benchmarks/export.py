"""Compares exported generators with Keras: differences, file sizes, and time per picture.

    python benchmarks/export.py --pictures DIR --model NAME=FILE [NAME=FILE ...]

Each model is exported in every format and run in that format's runtime on 20 pictures, at its
training size and at 512×384 (height × width). The runtime and `predict_on_batch` take turns,
picture by picture; the time is the median of their ratios. The table is printed as Markdown.
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cyclegan_keras import load_generator
from cyclegan_keras.data import listing
from cyclegan_keras.export import onnx_graph, onnx_int8, runtimes, tensorflow_formats
from cyclegan_keras.export.checking import LEVEL, Pictures
from cyclegan_keras.export.walking import with_any_size

LARGE = (512, 384)
FORMATS = ("onnx", "onnx float16", "onnx int8", "litert", "litert float16", "litert int8")
COLUMNS = "model", "format", "MB", "size", "largest", "mean", "99 %", "time"


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table.

    Args:
        argv: The words of the command line; `None` means the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", required=True, metavar="DIR")
    parser.add_argument("--model", required=True, nargs="+", metavar="NAME=FILE")
    parser.add_argument("--count", type=int, default=20, help="pictures (default: 20)")
    parser.add_argument("--formats", nargs="+", choices=(*FORMATS, "saved_model"))
    arguments = parser.parse_args(argv)
    paths = listing.some(listing.listed(arguments.pictures), arguments.pictures).paths
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|---:|---|---:|---:|---:|---:|", flush=True)
    for words in arguments.model:
        name, _, file = words.partition("=")
        model = load_generator(file)
        for file_format in arguments.formats or (*FORMATS, "saved_model"):
            for row in rows(model, file_format, paths, arguments.count):
                print(f"| {name} | {file_format} | {' | '.join(row)} |", flush=True)


def rows(
    model: Any, file_format: str, paths: list[pathlib.Path], count: int
) -> list[tuple[str, ...]]:
    """Exports a model and compares it.

    Args:
        model: The generator.
        file_format: One of `FORMATS`, or "saved_model".
        paths: Of pictures.
        count: How many of them are used.

    Returns:
        For each size what the columns from the third on say.
    """
    pictures = Pictures(paths, model.input_shape[3], count)
    trained = model.input_shape[1:3]
    any_size = with_any_size(model)
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "exported"
        kind, _, bits = file_format.partition(" ")
        if kind == "onnx":
            proto = onnx_graph.to_onnx(model, float16=bits == "float16")
            if bits == "int8":
                others = Pictures(paths, model.input_shape[3], 16, others=True)
                proto = onnx_int8.in_int8(proto, [*others.batches(trained)])
            path.write_bytes(proto.SerializeToString())
            run = runtimes.onnx_runtime(path)
        elif kind == "litert":
            settings = {bits: True} if bits else {}
            path.write_bytes(tensorflow_formats.to_litert(model, **settings))
            run = runtimes.litert(path)
        else:
            tensorflow_formats.write_saved_model(model, path)
            run = runtimes.saved_model(path)
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        megabytes = f"{sum(file.stat().st_size for file in files) / 1e6:.2f}"
        return [
            (megabytes, f"{size[0]}×{size[1]}", *compared(run, reference, pictures.batches(size)))
            for size, reference in (
                (trained, model.predict_on_batch),
                (LARGE, any_size.predict_on_batch),
            )
        ]


def compared(
    run: Callable[[np.ndarray], np.ndarray],
    reference: Callable[[np.ndarray], np.ndarray],
    batches: Any,
) -> tuple[str, str, str, str]:
    """Compares a runtime with Keras.

    Args:
        run: The runtime.
        reference: Keras.
        batches: Of one picture each.

    Returns:
        The largest difference in [-1, 1], mean and 99th percentile in levels, and the ratio of
        times.
    """
    differences, ratios = [], []
    for number, batch in enumerate(batches):
        if not number:
            run(batch), reference(batch)
        start = time.perf_counter()
        wanted = reference(batch)
        between = time.perf_counter()
        received = run(batch)
        end = time.perf_counter()
        ratios.append((end - between) / (between - start))
        differences.append(np.abs(wanted - received).ravel())
    levels = np.concatenate(differences) / LEVEL
    largest = f"{levels.max() * LEVEL:.0e}"
    mean, most = levels.mean(), np.percentile(levels, 99)
    return largest, f"{mean:.3f}", f"{most:.3f}", f"{statistics.median(ratios):.2f}"


if __name__ == "__main__":
    main()
