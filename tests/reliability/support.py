"""What the reliability tests share: a small run with all kinds of state, and its comparison."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_keras.inference.translate import load_generator
from cyclegan_keras.training.checkpoints import Checkpoint, load
from tests import forked

ROOT = pathlib.Path(__file__).parents[2]
Process = subprocess.Popen[str] | forked.Program
PATIENCE = 600  # seconds for a process to get anywhere
NUM_IMAGES, STEPS, EPOCHS = 18, 5, 2  # batches of 4, and a last one of 2
# Pools, averages, dropout, cuts, the mixing of the penalty and Adam: what has a state.
SETTINGS = (
    "--image-size 32 --generator unet --gf 2 --df 2 --batch-size 4 --pool-size 3 --ema 0.9 "
    "--dropout 0.5 --enlarge 1.2 --decay-epochs 1 --sample-interval 2 --checkpoint-interval 0 "
    "--seed 1 --objective wasserstein"
).split()


def write_noise(folder: pathlib.Path, num_images: int) -> pathlib.Path:
    """Draws random images of 40 pixels to train on, of which a run cuts 32; none to test on."""
    rng = np.random.default_rng(0)
    for domain in ("trainA", "trainB"):
        (folder / domain).mkdir(parents=True)
        for number in range(num_images):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / domain / f"{number:02d}.png")
    return folder


def command(run_dir: pathlib.Path, data: pathlib.Path, epochs: int, *more: str) -> list[str]:
    """The words after `train.py` for the small run."""
    place = ["--data-dir", str(data), "--run-dir", str(run_dir), "--epochs", str(epochs)]
    return [*place, *SETTINGS, *more]


def environment() -> dict[str, str]:
    """That of a process that takes the package from this folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def start(words: list[str], script: pathlib.Path = ROOT / "train.py") -> subprocess.Popen[str]:
    """Starts `train.py`, or a script in its place, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_writing() -> None:
    """Waits until no checkpoint is being written, so that the next one is due."""
    for thread in threading.enumerate():
        if thread.name == "checkpoint":
            thread.join()


def checkpoints(run_dir: pathlib.Path) -> list[pathlib.Path]:
    """The folders of finished checkpoints, the newest last."""
    return sorted(
        path
        for path in (run_dir / "checkpoints").glob("checkpoint-*")
        if re.fullmatch(r"checkpoint-\d+", path.name)
    )


def newest(run_dir: pathlib.Path) -> Checkpoint | None:
    """The newest checkpoint; an error if it is damaged."""
    found = checkpoints(run_dir)
    return load(found[-1]) if found else None


def steps_in(checkpoint: Checkpoint | None, steps: int = STEPS) -> int:
    """How many steps a checkpoint has behind it, at so many an epoch."""
    if checkpoint is None:
        return 0
    progress = checkpoint.state["progress"]
    return progress["epoch"] * steps + progress["step"]


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a history without the time, which is never the same twice."""
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in csv.DictReader(text.splitlines())
    ]


def steps_shown(run_dir: pathlib.Path) -> int:
    """The last step in `history.csv`, which is being written."""
    try:
        whole_lines = (run_dir / "history.csv").read_text("utf-8").split("\n")[1:-1]
    except FileNotFoundError:
        return 0
    return int(whole_lines[-1].split(",")[1]) if whole_lines else 0


def _progress(checkpoint: Checkpoint) -> dict[str, Any]:
    progress = json.loads(json.dumps(checkpoint.state["progress"]))
    history = progress["callbacks"]["HistoryCSV"]
    history["text"] = rows(history["text"])
    del history["seconds"]
    return progress


def assert_same_state(one: pathlib.Path, other: pathlib.Path) -> None:
    """Two runs are at the same step, bit for bit: weights, optimizers, pools, dice, means."""
    mine, theirs = newest(one), newest(other)
    assert mine is not None
    assert theirs is not None
    assert _progress(mine) == _progress(theirs)
    assert mine.variables.keys() == theirs.variables.keys()
    odd = [
        name
        for name, array in mine.variables.items()
        if array.dtype != theirs.variables[name].dtype
        or array.tobytes() != theirs.variables[name].tobytes()
    ]
    assert odd == []


def assert_same_run(one: pathlib.Path, other: pathlib.Path) -> None:
    """Two finished runs left the same, bit for bit, but for the time that they took."""
    assert_same_state(one, other)
    histories = [rows((run / "history.csv").read_text("utf-8")) for run in (one, other)]
    assert histories[0] == histories[1]
    for pattern in ("samples/*", "translations.png", "metrics.json"):
        mine, theirs = (
            {path.name: path.read_bytes() for path in run.glob(pattern)} for run in (one, other)
        )
        assert mine
        assert mine == theirs
    for name in ("g_AB.keras", "g_BA.keras"):
        weights = [load_generator(run / name).get_weights() for run in (one, other)]
        for array, same in zip(*weights, strict=True):
            np.testing.assert_array_equal(array, same)
