"""The images of the two domains: which files they are in, and their pixels."""

import functools
import pathlib
import threading
import typing
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from cyclegan_keras.config.value_range import Ranges, ValueRange, ranges_of
from cyclegan_keras.data import (
    augment,
    drawn,
    fitting,
    images,
    layout,
    levels,
    pairs,
)
from cyclegan_keras.data.palettes import Palette
from cyclegan_keras.data.pixel_cache import PixelStore, Place
from cyclegan_keras.data.rows import Rows

# When training images are decoded.
Decode = Literal["auto", "start", "ahead"]


class Domains:
    """Finds the images of two domains in a folder, and decodes each once.

    There is no chance in it; see `DataLoader` for what deals them out, and `DataNotes` for what
    there is to say about them.

    Args:
        directory: The folder of the data set.
        img_res: `(height, width)` of the images that are dealt out, in pixels.
        load_res: `(height, width)` that training images are kept in; `None` means `img_res`.
        paired: Whether training images are pairs.
        skip_bad_images: Whether images that cannot be read are left out, and where they are pairs,
            their partners with them.
        cache_memory: GiB of memory that decoded images may take; `None` means no limit.
        channels: 3 for RGB, or 1 for gray, by luma.
        value_range: Which numbers of the files are black and white; see `DataLoader`.
        fit: What is done to images of other proportions than `img_res`; see `fitting.fitted`.
        decode: When training images are decoded; see `DataLoader`.

    Attributes:
        skipped: What is wrong with each image that was left out so far, by its path.

    Raises:
        ValueError: If `cache_memory` is less than 0, `channels` is neither 1 nor 3, `fit` is none
            of the three, or `value_range` is none.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        img_res: tuple[int, int],
        load_res: tuple[int, int] | None,
        *,
        paired: bool,
        skip_bad_images: bool,
        cache_memory: float | None,
        channels: int = 3,
        value_range: Any = None,
        fit: fitting.Fit = "stretch",
        decode: Decode = "start",
    ) -> None:
        self.fit = fitting.checked(fit)
        if decode not in typing.get_args(Decode):
            raise ValueError(
                f"`decode` must be one of {', '.join(typing.get_args(Decode))}. "
                f"Received: decode={decode!r}"
            )
        self.decode = decode
        if channels not in (1, 3):
            raise ValueError(
                f"`channels` must be 3, for RGB, or 1, for gray. Received: channels={channels!r}"
            )
        self.channels = channels
        self.directory = directory
        self.img_res, self.load_res = img_res, load_res
        self.paired = paired
        self.skip_bad_images = skip_bad_images
        self.skipped: dict[pathlib.Path, str] = {}
        self._ranges = ranges_of(value_range)
        self._has_range = value_range is not None
        self._paths: dict[str, Sequence[pathlib.Path]] = {}
        self._others: dict[str, list[str]] = {}
        self._left_out = images.LeftOut()
        # Of the images that are stretched far: `(height, width)` of each, by path; of a JPEG that
        # was decoded at a reduced size, that size.
        self._far: dict[pathlib.Path, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._settled: set[str] = set()
        # Whether the images of a folder are decoded when they are wanted.
        self._ahead: dict[str, bool] = {}
        self._store = PixelStore(cache_memory)

    @property
    def test_pairs(self) -> bool:
        """Whether each test image of B is the true translation of the one of A at the same place.

        So it is in the drawn `fruit`, in any folder whose `dataset.json` says `"test_pairs": true`,
        and where the two lie side by side. A `paired` loader also goes by the names of the files.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If its `dataset.json` is not JSON.
        """
        if self._layout.test_pairs:
            return True
        if not self.paired or not self.has_test_images:
            return False
        return not pairs.without_partner(*(self._listed(domain, True) for domain in "AB"))

    @property
    def palettes(self) -> dict[str, Palette]:
        """The colours of the classes in each domain whose images are maps of labels.

        `dataset.json` says so, with `"labels": {"B": [[0, 0, 224], ...]}`.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If its `dataset.json` is not JSON, or these are no colours.
        """
        return self._layout.palettes

    @property
    def has_test_images(self) -> bool:
        """Whether there are test images of both domains.

        Raises:
            FileNotFoundError: If there is no such data set.
        """
        if not self._layout.has_test_images:
            return False
        try:
            return all(bool(self._listed(domain, True)) for domain in "AB")
        except ValueError:  # A folder without one image is as good as none; see `notes`.
            return False

    @property
    def value_ranges(self) -> Ranges:
        """The numbers that are black and white in the files of each domain.

        With `value_range="auto"`, all training images are read the first time.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If none can be found.
        """
        if self._ranges is None:
            domains = [(domain, self._listed(domain, False)) for domain in "AB"]
            self._ranges = levels.find_ranges(domains, self._layout.side_by_side)
        return self._ranges

    def paths(self, domain: str, is_testing: bool = False) -> Sequence[pathlib.Path]:
        """Lists the files that hold the images of one domain, sorted by name.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            Sorted paths; where A and B lie side by side, the same for both.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If it has no images, or there is no such domain.
        """
        if self.skip_bad_images:
            self._settle(domain, is_testing)
        return self._listed(domain, is_testing)

    def _listed(self, domain: str, is_testing: bool) -> Sequence[pathlib.Path]:
        folder = self._layout.folder(domain, is_testing)
        # Listed once, as the images are read once: what is added later is not half noticed.
        if folder not in self._paths:
            found = self._layout.listed(domain, is_testing)
            self._paths[folder], self._others[folder] = found.paths, found.in_words()
        return self._paths[folder]

    def check_train_pairs(self) -> None:
        """Raises an error that teaches unless the training images are pairs, whatever they are for.

        Raises:
            FileNotFoundError: If there are none.
            ValueError: If their names differ, or `dataset.json` says that they are not.
        """
        self._layout.check_train_pairs(self.paths("A"), self.paths("B"))

    def pixels(self, domain: str, is_testing: bool = False) -> Any:
        """Gives all images of one domain, in the order of `paths`, decoding them the first time.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            `(count, height, width, channels)`, RGB or gray, uint8 in [0, 255]; training images in
            `load_res`, where there is one, else in `img_res`. An array, not to be written to; or,
            if `decode` says so, `Rows`, of which each is decoded when it is indexed.

        Raises:
            FileNotFoundError: If there is no such folder.
            OSError: If they fit neither in `cache_memory` nor on the disk.
            ValueError: If it has no images, or one that cannot be read.
        """
        if self.skip_bad_images:
            self._settle(domain, is_testing)
        pixels = self._decoded(domain, is_testing)
        if not self._layout.side_by_side:
            return pixels
        height, width = self._res(is_testing)
        if isinstance(pixels, Rows):
            return pixels.part("AB".index(domain) * height, 0, (height, width))
        return pixels.reshape(-1, 2, height, width, self.channels)[:, "AB".index(domain)]

    def _is_ahead(self, domain: str, is_testing: bool) -> bool:
        """Whether images are decoded when they are wanted; it stays so once it has been asked."""
        if is_testing or self.decode == "start":
            return False
        folder = self._layout.folder(domain, is_testing)
        if folder not in self._ahead:
            if self.skip_bad_images and (
                # Which are bad has always been known when all have been read.
                self.decode == "auto"
                # Their partners would have to be left out, too.
                or (self.paired and not self._layout.side_by_side)
            ):
                self._ahead[folder] = False
            else:
                count = len(self._listed(domain, is_testing))
                fits = self._store.fits(count, self._kept_shape(is_testing))
                self._ahead[folder] = self.decode == "ahead" or not fits
        return self._ahead[folder]

    def _kept_shape(self, is_testing: bool) -> tuple[int, int, int]:
        height, width = self._res(is_testing)
        # A pair is kept as one image, B below A, so that its file is decoded once for both.
        return (height * (1 + self._layout.side_by_side), width, self.channels)

    def _decoded(self, domain: str, is_testing: bool) -> Any:
        paths, folder = self._listed(domain, is_testing), self._layout.folder(domain, is_testing)
        height, width = self._res(is_testing)
        ranges = self.value_ranges

        def read(path: pathlib.Path) -> np.ndarray:
            left_out = images.LeftOut()
            if self._layout.side_by_side:
                pictures = list(pairs.read_pair(path, ranges, left_out))
            else:
                own = ranges["A" if domain == "A" else "B"]
                pictures = [images.read_image(path, (height, width), own, left_out)]
            fitted = [fitting.fitted(picture, (height, width), self.fit) for picture in pictures]
            size = (pictures[0].height, pictures[0].width)
            with self._lock:
                self._left_out.update(left_out)
                if fitting.stretch_of(size, (height, width)) > fitting.FAR:
                    self._far[path] = size
            return np.concatenate([images.as_pixels(image, self.channels) for image in fitted])

        give = self._store.rows if self._is_ahead(domain, is_testing) else self._store.get
        return give(folder, paths, self._kept_shape(is_testing), read, self.skip_bad_images)

    def _res(self, is_testing: bool) -> tuple[int, int]:
        return self.img_res if is_testing or self.load_res is None else self.load_res

    def _settle(self, domain: str, is_testing: bool) -> None:
        """Reads the images the first time, and leaves out the bad ones and their partners."""
        if self._is_ahead(domain, is_testing):
            return
        domains = [domain]
        if not self._layout.side_by_side and (self.test_pairs if is_testing else self.paired):
            domains = ["A", "B"]
        folders = [self._layout.folder(each, is_testing) for each in domains]
        if self._settled.issuperset(folders):
            return
        listed = [self._listed(each, is_testing) for each in domains]
        if len(domains) == 2 and not is_testing:
            self._layout.check_train_pairs(*listed)
        for each in domains:
            self._decoded(each, is_testing)
        bad = [self._store.bad(folder) for folder in folders]
        all_bad = {place: reason for each in bad for place, reason in each.items()}
        for folder, paths, own in zip(folders, listed, bad, strict=True):
            left = [place for place in range(len(paths)) if place not in own]
            lonely = {now for now, place in enumerate(left) if place in all_bad}
            self._store.drop(folder, lonely)
            self.skipped |= {paths[place]: own[place] for place in own}
            self.skipped |= {
                paths[left[now]]: f"Its partner is bad: {all_bad[left[now]]}" for now in lonely
            }
            self._paths[folder] = [paths[p] for p in left if p not in all_bad]
            if not self._paths[folder]:
                raise ValueError(
                    f"No pair of {str(self.directory)!r} can be used whole: of each, an image of A "
                    f"or of B is bad. {next(iter(all_bad.values()))}"
                )
        self._settled.update(folders)

    def _range_of(self, path: images.PathLike, domain: str | None) -> ValueRange | None:
        ranges = self.value_ranges
        if domain is not None:
            if domain not in ("A", "B"):
                raise ValueError(f"`domain` must be 'A' or 'B'. Received: domain={domain!r}")
            return ranges["A" if domain == "A" else "B"]
        if ranges["A"] != ranges["B"]:
            raise ValueError(
                f"Say which `domain` {str(path)!r} is of, as A and B have other value ranges: "
                f"{ranges}"
            )
        return ranges["A"]

    def evaluation_pixels(self, domain: str) -> Any:
        """Gives the images of one domain to measure on: without chance, and in `img_res`.

        Args:
            domain: `"A"` or `"B"`.

        Returns:
            `(count, height, width, channels)`, RGB or gray, uint8 in [0, 255]: the test images or,
            if there are none of one domain or of both, the training images; with `load_res`, the
            middle of each. Not to be written to; `Rows` where `pixels` gives such.

        Raises:
            FileNotFoundError: If there is no such folder.
            OSError: If they fit neither in `cache_memory` nor on the disk.
            ValueError: If it has no images, or one that cannot be read.
        """
        if self.has_test_images:
            return self.pixels(domain, is_testing=True)
        return augment.centre(self.pixels(domain), self.img_res)

    def pixels_place(self, domain: str, is_testing: bool = False) -> Place | None:
        """Tells where the decoded images of one domain lie, which `cache_memory` decides.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are meant, not the training images.

        Returns:
            `"memory"` or `"disk"`; `None` while they have not been decoded.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If there is no such domain.
        """
        return self._store.place(self._layout.folder(domain, is_testing))

    @functools.cached_property
    def _layout(self) -> layout.Layout:
        drawn.draw_by_name(self.directory.name, self.directory)
        return layout.find_layout(self.directory)


def read_pixels(
    path: images.PathLike,
    res: tuple[int, int],
    value_range: ValueRange | None = None,
    left_out: images.LeftOut | None = None,
    channels: int = 3,
    fit: fitting.Fit = "stretch",
) -> np.ndarray:
    """Reads one image in a given size.

    Args:
        path: Of the image.
        res: `(height, width)` in pixels.
        value_range: As for `read_image`.
        left_out: As for `read_image`.
        channels: 3 for RGB, or 1 for gray.
        fit: What is done to an image of other proportions; see `fitting.fitted`.

    Returns:
        `(height, width, channels)`, uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as an image.
    """
    image = fitting.fitted(images.read_image(path, res, value_range, left_out), res, fit)
    return images.as_pixels(image, channels)
