"""`tiny_train.py` in which something goes wrong at a step, as the variable FAULT says.

`nan 7` makes the seventh step's loss NaN, `nan 7-` that and all later ones. `full 3-7` leaves no
room on the disk from the third step to the seventh.
"""

import os
import resource
import sys

import numpy as np

from cyclegan_keras.cli import main
from cyclegan_keras.models.base import GAN
from tests import tiny

ROOM = 5_000  # bytes: enough for history.csv, too little for a picture or a checkpoint


def break_at(fault: str) -> None:
    """Breaks every training of this process.

    Args:
        fault: What goes wrong, and when.
    """
    kind, _, steps = fault.partition(" ")
    first, is_range, last = steps.partition("-")
    begin, end = int(first), int(last or (10**6 if is_range else first))
    step, real = 0, GAN.train_step

    def train_step(gan, data):
        nonlocal step
        step += 1
        logs = real(gan, data)
        if kind == "nan" and begin <= step <= end:
            return {**logs, "d_loss": np.float32("nan")}
        if kind == "full":
            room = ROOM if begin <= step < end else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        return logs

    GAN.train_step = train_step


if __name__ == "__main__":
    tiny.use_in_all_models()
    if fault := os.environ.get("FAULT"):
        break_at(fault)
    sys.exit(main.main(None, "train.py", "train"))
