"""The settings of the images that a run is trained on."""

import dataclasses
from typing import Any, Literal

from cyclegan_keras.config import value_range
from cyclegan_keras.config.fields import Needs, image_size, setting, sides_of
from cyclegan_keras.config.parts import Part

# The data sets that are drawn if they do not exist.
DRAWN = ("fruit", "fruit_pairs", "fruit_colors", "beads")


def _names(value: Any) -> tuple[str, ...] | None:
    """Returns names in their one form; JSON has them as a list."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"`classes` must be names of folders. Received: classes={value!r}")
    return tuple(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(Part):
    """Which images a run is trained on, and what is done to them first.

    Args:
        dataset: Name of a data set in `./data`.
        data_dir: Its folder, instead.
        image_size: The training size in pixels: a number for squares, or `"HEIGHTxWIDTH"`.
        channels: 3 for color, 1 for gray.
        enlarge: Training images are scaled to this many times the training size, and a random part
            of that size is cropped.
        flip: Whether training images are flipped at random.
        epoch_length: Whether an epoch is as long as the "shorter" or the "longer" of the two sets.
        cache_memory: GiB of memory for decoded images.
        decode: When training images are decoded; see `DataLoader`.
        hash_images: Whether a resumed run compares the contents of the files, too.
        skip_bad_images: Whether images that cannot be read are left out.
        value_range: The values that are black and white; see `config.value_range`.
        fit: What is done to images of other proportions than the training size.
        classes: The names of the classes, if the model wants labels. They are found in the images.
    """

    dataset: str = setting(
        "data",
        "fruit",
        f"name of a data set in ./data; {', '.join(DRAWN)} are drawn if they do not exist",
        may_change=True,
        needs=Needs("data_dir", (None,)),
    )
    data_dir: str | None = setting(
        "data",
        None,
        "a folder with trainA and trainB and, if available, testA and testB; or with train and "
        "test, in which each image is a pair, side by side",
        may_change=True,
    )
    image_size: Any = setting(
        "data",
        128,
        "the training size in pixels: one number for squares, or HEIGHTxWIDTH, such as 256x512",
        parse=image_size,
        by_recipe=True,
    )
    channels: Literal[1, 3] = setting(
        "data", 3, "of the images: 3 for color, 1 for gray; colors are converted to gray (luma)"
    )
    enlarge: float = setting(
        "data",
        1.0,
        "scales training images to this many times the training size, and crops a random part "
        "each time",
        least=1,
        by_recipe=True,
    )
    flip: bool = setting("data", True, "flip training images at random", by_recipe=True)
    epoch_length: Literal["shorter", "longer"] = setting(
        "data",
        "shorter",
        "whether an epoch is as long as the smaller or the larger of the two sets",
        data="unpaired",
        by_recipe=True,
    )
    cache_memory: float = setting(
        "data",
        2.0,
        "GiB of memory for decoded images; the rest goes to a temporary file",
        least=0,
        may_change=True,
    )
    decode: Literal["auto", "start", "ahead"] = setting(
        "data",
        "auto",
        "when training images are decoded: all at the start; ahead, each some batches before it is "
        "first wanted; or auto, ahead for those that do not fit into --cache-memory",
        may_change=True,
    )
    hash_images: bool = setting(
        "data",
        False,
        "recognize the images of a run by what is in their files, too, and not only by names and "
        "sizes; an index in the cache folder keeps what was computed",
        may_change=True,
    )
    skip_bad_images: bool = setting(
        "data",
        False,
        "leave out images that cannot be read, instead of stopping",
        may_change=True,
    )
    value_range: Any = setting(
        "data",
        None,
        "the values in the files that are black and white, LOW HIGH, such as -1024 3071; four "
        "numbers set another range for B; auto determines the ranges from the training images. The "
        "default is the whole range of a file's type",
        words="N",
        parse=value_range.parse,
    )
    fit: Literal["stretch", "crop", "pad"] = setting(
        "data",
        "stretch",
        "what is done to images of other proportions than the training size: stretch; crop, to "
        "the largest part in the middle that has them; or pad, with mirrored margins",
    )
    classes: Any = setting(
        "data",
        None,
        "the names of the classes, which are those of the folders in trainA",
        parse=_names,
        may_change=True,  # It is checked where the images are.
        data="labelled",
        flag="",
    )

    @property
    def img_res(self) -> tuple[int, int]:
        """Height and width that are trained at, in pixels."""
        return sides_of(self.image_size)

    @property
    def img_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the networks take."""
        return (*self.img_res, self.channels)
