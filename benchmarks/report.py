"""Runs all benchmarks and writes their figures into docs and README, as `make bench` does.

    python benchmarks/report.py [--data-dir DIR]

Takes about a quarter of an hour on two cores. Let nothing else run meanwhile.
"""

import argparse
import datetime
import os
import pathlib
import platform

import pages
import train_step
import training_run

import data_loader
from cyclegan_keras._quiet import without_startup_notes


def machine() -> str:
    """Says what this was measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text("utf-8").splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
        if any(line.startswith("flags") and "avx512f" in line for line in lines):
            name += " with AVX-512"
    return f"{os.cpu_count()} cores of {name}, {platform.system()}"


def main() -> None:
    """Measures everything, and writes and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data-dir", metavar="DIR", help="real images for runs and loader (default: drawn ones)"
    )
    arguments = parser.parse_args()
    steps = train_step.table(train_step.measure_all())
    # Only now: the steps are timed with no TensorFlow beside them.
    with without_startup_notes():
        import translate

        from cyclegan_keras.training.devices import devices_in_words
    print("Loader …", flush=True)
    loader = data_loader.measure(arguments.data_dir)
    print("Translation …", flush=True)
    translation = translate.measure(1000, 64)
    print("Runs …", flush=True)
    start = training_run.measure(arguments.data_dir, 64, epochs=1)
    run = training_run.measure(arguments.data_dir, 128, epochs=2)
    rows = [
        ("loader, 128×128, once warm, times the lecture's", f"{loader['ratio']:.0f}"),
        ("translating 1,000 images, times one `predict` an image", f"{translation['ratio']:.1f}"),
        (
            "from the command to its first step, the book's recipe, 64×64, seconds",
            f"{start['first_step']:.1f}",
        ),
        ("share of an epoch's wall time in steps, 128×128", f"{run['share']:.1%}"),
        ("peak memory of that run, GB", f"{run['peak_bytes'] / 1e9:.2f}"),
    ]
    others = [f"| {words} | {value} |" for words, value in rows]
    images = "drawn images" if arguments.data_dir is None else "photographs"
    where = f"{machine()}; {devices_in_words()}"
    text = "\n".join(
        [
            f"Measured on {datetime.date.today()}, {where}. Medians, one run.",
            "",
            steps,
            "",
            f"Runs and loader on {images}, batch 1:",
            "",
            "| | |",
            "| --- | --- |",
            *others,
            "",
        ]
    )
    print(text)
    pages.replace(pages.BENCHMARKS, text)
    pages.replace(pages.README, pages.seconds(steps))


if __name__ == "__main__":
    main()
