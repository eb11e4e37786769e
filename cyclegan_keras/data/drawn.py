"""The data sets that the package draws itself, by name."""

import contextlib
import functools
import pathlib
from collections.abc import Callable

from cyclegan_keras.data.beads.sets import write_beads
from cyclegan_keras.data.fruit.sets import write_fruit

# Those that `config.data.DRAWN` names. Each draws a whole one into a folder that is missing.
SETS: dict[str, Callable[[pathlib.Path], pathlib.Path]] = {
    "fruit": write_fruit,
    "fruit_pairs": functools.partial(write_fruit, train_pairs=True),
    "fruit_colors": functools.partial(write_fruit, colors=True),
    "beads": write_beads,
}


def draw_by_name(name: str, directory: pathlib.Path) -> None:
    """Draws a data set if it is one that is drawn and not there; else does nothing.

    Args:
        name: Of the data set that is wanted.
        directory: Where it should be.
    """
    if name in SETS and not directory.exists():
        # Another process may draw it meanwhile; then its folder is as good.
        with contextlib.suppress(FileExistsError):
            SETS[name](directory)
