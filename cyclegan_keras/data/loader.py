"""The book's `DataLoader`: two domains of images in, batches of both out."""

import copy
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from cyclegan_keras._seeds import checked_seed
from cyclegan_keras.data import augment, fitting, images
from cyclegan_keras.data.batch_rows import BatchRows
from cyclegan_keras.data.dataset import Decode, read_pixels
from cyclegan_keras.data.notes import DataNotes
from cyclegan_keras.data.prefetch import IMAGES_AHEAD, Plan, ahead, asked_for

_logger = logging.getLogger(__name__)

Seed = int | tuple[int, ...] | None


class DataLoader(DataNotes):
    """Reads two domains of images and deals them out in random batches.

    Looks for the folders `trainA`, `trainB` and, where present, `testA` and `testB` (or `valA`,
    `valB`) in `data_dir/dataset_name`, which may as well be called `train/A` or `A/train` and so
    on, or just `A` and `B`; or else for a folder `train` and, where present, `test` or `val`, of
    pictures that hold a pair side by side, A on the left and B on the right. Folders in these are
    looked into. What is not used is told, see `notes`. Nothing is read before
    the first image is asked for; each image is decoded and scaled once and then kept as uint8, in
    memory or, if they are many, in a temporary file. The next batches are made while the one before
    is in use.

    Args:
        dataset_name: Name of a folder in `data_dir`. `"fruit"`, the default set, is drawn there the
            first time it is wanted, and so are `"fruit_pairs"`, the same with training images that
            are pairs, and `"fruit_colors"`, whose oranges come in many colors.
        img_res: `(height, width)` of the images that are dealt out, in pixels.
        data_dir: Where the data sets lie.
        drop_last: Whether training, too, does without the last batch of an epoch if it is smaller
            than the others. `load_batch` gives full batches only unless it is told otherwise.
        flip: Whether training images are mirrored, left to right, with a chance of one half.
        epoch_length: `"shorter"`: an epoch is as long as the smaller domain, as in the book, and
            shows another random part of the larger one each time. `"longer"`: it is as long as the
            larger domain, as in the paper, and the smaller one is shown again.
        seed: Of order, parts and flips. With the same seed, the first, second, … epoch have the
            same batches. `None` means other ones each time. Nothing global is seeded.
        cache_memory: GiB of memory that decoded images may take, at least 0; a folder that does not
            fit in what is left lies in a temporary file in the user's cache folder. `None` means no
            limit.
        load_res: `(height, width)` that training images are scaled to first, at least `img_res`; a
            random part of size `img_res` is then cut out of each, anew each time it is dealt out.
            In the paper it is 286 for 256. `None` means `img_res`. Test images are scaled to
            `img_res` directly.
        paired: Whether batches are pairs: each image of A comes with its partner of B, mirrored
            alike and with the same part cut out. Needs pictures with both side by side, or images
            of the same names in `trainA` and `trainB`.
        skip_bad_images: Whether images that cannot be read are left out, and where they are pairs,
            their partners with them. Which these are is known only when all have been read, so even
            `n_batches` and `paths` then read them first.
        channels: 3 for RGB, or 1 for gray; colors are made gray by luma.
        value_range: Which numbers of the files are black and white: `(low, high)` for both domains,
            or a pair for each, `((low_A, high_A), (low_B, high_B))`; what is beyond is cut off.
            `"auto"` finds them for each domain in its training images, without 0.1 % of the
            pixels at either end; `value_ranges` has them. `None` means the whole range of a file's
            type, such as 0 to 65,535. Data of 12 bits in files of 16, signed numbers and floats
            need one.
        fit: What is done to images of other proportions than `img_res`: `"stretch"`, `"crop"` (the
            largest part in the middle that has these proportions) or `"pad"` (with mirrored
            margins); see `fitting.fitted`. Training images, test images and both halves of a pair
            are treated alike. Crops of `load_res` come after it.
        decode: When training images are decoded: all of them at the `"start"`; each when it is
            first wanted, some batches `"ahead"`; or, with `"auto"`, the latter for those that do
            not fit into `cache_memory`, unless bad images are left out. The batches are the same.
            Ahead, a bad image is found when its turn comes, and with `skip_bad_images` the next one
            takes its place; pairs in two folders are then read at the start.

    Attributes:
        n_batches: Batches in one epoch, as `load_batch` last dealt it out, or of one image each.
        directory: The folder of the data set.
        skipped: What is wrong with each image that was left out so far, by its path.
        rows_of: Of the number of images in a training batch, those that this process takes, if
            several processes share a batch. All dice are thrown, and `load_batch` yields
            `BatchRows`.

    Reference:
        *GANs in Action*, section 9.5.1. Zhu et al., *Unpaired Image-to-Image Translation using
        Cycle-Consistent Adversarial Networks*, for `load_res`.
    """

    def __init__(
        self,
        dataset_name: str = "fruit",
        img_res: tuple[int, int] = (128, 128),
        data_dir: images.PathLike = "data",
        *,
        drop_last: bool = False,
        flip: bool = True,
        epoch_length: Literal["shorter", "longer"] = "shorter",
        seed: int | None = None,
        cache_memory: float | None = 2.0,
        load_res: tuple[int, int] | None = None,
        paired: bool = False,
        skip_bad_images: bool = False,
        channels: int = 3,
        value_range: Any = None,
        fit: fitting.Fit = "stretch",
        decode: Decode = "start",
    ) -> None:
        super().__init__(
            pathlib.Path(data_dir) / dataset_name,
            *augment.checked_sizes(img_res, load_res),
            paired=paired,
            skip_bad_images=skip_bad_images,
            cache_memory=cache_memory,
            channels=channels,
            value_range=value_range,
            fit=fit,
            decode=decode,
        )
        if epoch_length not in ("shorter", "longer"):
            raise ValueError(
                "`epoch_length` must be 'shorter' or 'longer'. "
                f"Received: epoch_length={epoch_length!r}"
            )
        self.rows_of: Callable[[int], slice] | None = None
        self.dataset_name = dataset_name
        self.drop_last = drop_last
        self.flip = flip
        self.epoch_length = epoch_length
        self.seed = checked_seed(seed)
        self._dealt: dict[str, Any] = {"batch_size": 1}
        self._epochs_begun = 0
        self._has_told = False

    @property
    def n_batches(self) -> int:
        """Batches in one epoch, known without reading an image unless bad ones are left out."""
        return self.num_batches(**self._dealt)

    def num_batches(
        self, batch_size: int, drop_remainder: bool = False, is_testing: bool = False
    ) -> int:
        """Counts the batches in one epoch.

        Args:
            batch_size: Images of each domain in one batch.
            drop_remainder: Whether only full batches count. Training takes the last, smaller one as
                well, unless the loader has `drop_last`.
            is_testing: Whether the test images are meant, not the training images.

        Returns:
            A number of at least one.

        Raises:
            ValueError: If there are fewer images than one batch takes, or they should be pairs and
                are not.
        """
        if not hasattr(batch_size, "__index__") or batch_size < 1:
            raise ValueError(
                "`batch_size` must be at least 1, a whole number. "
                f"Received: batch_size={batch_size!r}"
            )
        paths_A, paths_B = self.paths("A", is_testing), self.paths("B", is_testing)
        if self.paired and not is_testing:
            self._layout.check_train_pairs(paths_A, paths_B)
        fewest = min(len(paths_A), len(paths_B))
        if fewest < batch_size:
            folder_A, folder_B = (self._layout.folder(domain, is_testing) for domain in "AB")
            counts = {folder_A: len(paths_A), folder_B: len(paths_B)}
            found = " and ".join(f"{count} in {folder}" for folder, count in counts.items())
            raise ValueError(
                f"One batch takes {batch_size} images of each domain, but {str(self.directory)!r} "
                f"has {found}. Use a batch size of {fewest} or less, or add images."
            )
        length = self._epoch_length(len(paths_A), len(paths_B))
        drops = drop_remainder or self.drop_last
        return length // batch_size if drops else -(-length // batch_size)

    def notes(self) -> list[str]:
        """Tells what `DataNotes.notes` does.

        `load_batch` logs it as a warning, unless it has been asked for before.

        Returns:
            The lines.
        """
        self._has_told = True
        return super().notes()

    def imread(self, path: images.PathLike, domain: str | None = None) -> np.ndarray:
        """Reads one image in its own size.

        Args:
            path: Of the image.
            domain: `"A"` or `"B"`, whose value range it has, if they have different ones.

        Returns:
            `(height, width, channels)`, RGB or gray, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as an image.
        """
        image = images.read_image(path, value_range=self._range_of(path, domain))
        return images.normalize(images.as_pixels(image, self.channels))

    def load_img(self, path: images.PathLike, domain: str | None = None) -> np.ndarray:
        """Reads one image and brings it to `img_res`, as `fit` says, as a batch of one.

        Args:
            path: Of the image. A picture that holds a pair stays whole.
            domain: `"A"` or `"B"`, whose value range it has, if they have different ones.

        Returns:
            `(1, height, width, channels)`, RGB or gray, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as an image.
        """
        own = self._range_of(path, domain)
        pixels = read_pixels(path, self.img_res, own, channels=self.channels, fit=self.fit)
        return images.normalize(pixels)[np.newaxis]

    def load_data(
        self, domain: str, batch_size: int = 1, is_testing: bool = False, seed: Seed = None
    ) -> np.ndarray:
        """Draws random images of one domain.

        Args:
            domain: `"A"` or `"B"`.
            batch_size: How many, each another one.
            is_testing: Whether to take test images, which are never cut or mirrored.
            seed: Of the choice, the parts and the flips; `None` gives other ones each time. With
                the same seed and as many images, both domains give the same places.

        Returns:
            `(batch_size, height, width, channels)`, RGB or gray, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If it has fewer images, or one that cannot be read.
        """
        pixels = self.pixels(domain, is_testing)
        if not 1 <= batch_size <= len(pixels):
            raise ValueError(
                f"`batch_size` must be between 1 and {len(pixels)}, the number of images. "
                f"Received: batch_size={batch_size}"
            )
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(pixels))[:batch_size]
        if is_testing:
            return images.normalize(pixels[chosen])
        return images.normalize(augment.draw(pixels, chosen, self.img_res, self.flip, rng))

    def load_batch(
        self,
        batch_size: int = 1,
        is_testing: bool = False,
        *,
        seed: Seed = None,
        first_batch: int = 0,
        drop_remainder: bool = True,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Deals out one epoch of images, the two domains shuffled apart unless `paired`.

        Args:
            batch_size: Images of each domain in one batch.
            is_testing: Whether to take test images, which are never cut or mirrored.
            seed: Of this epoch; `None` means the loader's own, and another epoch each time.
            first_batch: How many batches to leave out at the beginning, where an epoch goes on that
                was broken off; the others are those that they would have been.
            drop_remainder: Whether all batches are full, as in the book, whose targets are made
                once. If not, the last one may be smaller, unless the loader has `drop_last`.

        Returns:
            An iterator of `n_batches` (less `first_batch`) pairs `(imgs_A, imgs_B)`, each
            `(batch_size, height, width, channels)`, RGB or gray, float32 in [-1, 1]. A thread makes
            the next two while one is in use.

        Raises:
            FileNotFoundError: If a folder is missing.
            ValueError: If there are fewer images than one batch takes, one cannot be read, or they
                should be pairs and are not.
        """
        if not isinstance(is_testing, bool):
            raise ValueError(
                "`is_testing` must be True or False; a seed is given by its name, `seed=...`. "
                f"Received: is_testing={is_testing!r}"
            )
        dealt: dict[str, Any] = {
            "batch_size": batch_size,
            "drop_remainder": drop_remainder,
            "is_testing": is_testing,
        }
        # Not in the generator itself, which would not run before the first batch is asked for.
        num_batches = self.num_batches(**dealt)
        self._dealt = dealt
        if seed is None and self.seed is not None:
            seed = (self.seed, self._epochs_begun)
        self._epochs_begun += 1
        return self._deal(batch_size, range(first_batch, num_batches), seed, is_testing)

    def batch_paths(
        self, batch_size: int, seed: Seed, index: int
    ) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """Tells which files are in one batch of an epoch, for an error to name them.

        Args:
            batch_size: Images of each domain in one batch.
            seed: Of the epoch, as `load_batch` got it.
            index: Of the batch in the epoch, from zero.

        Returns:
            The files of A and those of B, in the order of the batch.

        Raises:
            FileNotFoundError: If a folder is missing.
        """
        batch = slice(index * batch_size, (index + 1) * batch_size)
        orders = [order[batch] for _, order in self._shuffled(seed)]
        files_A, files_B = (
            [self.paths(domain)[place] for place in order]
            for domain, order in zip("AB", orders, strict=True)
        )
        return files_A, files_B

    def _deal(
        self, batch_size: int, wanted: range, seed: Seed, is_testing: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # Decoded here and not ahead, in the thread of whoever wants the batches: Ctrl-C ends it.
        pixels = [self.pixels(domain, is_testing) for domain in "AB"]
        if not self._has_told:
            for note in self.notes():
                _logger.warning(note)
        yield from ahead(self._batches(pixels, batch_size, wanted, seed, is_testing))

    def _batches(
        self,
        pixels: list[augment.Pixels],
        batch_size: int,
        wanted: range,
        seed: Seed,
        is_testing: bool,
    ) -> Iterator[tuple[Any, Any]]:
        plans = self._plans(pixels, batch_size, wanted, seed, is_testing)
        plans = asked_for(plans, max(2, IMAGES_AHEAD // batch_size))
        length = self._epoch_length(*(len(self.paths(domain, is_testing)) for domain in "AB"))
        for index, plan in zip(wanted, plans, strict=True):
            imgs = [
                images.normalize(augment.cut(domain, chosen, self.img_res, chances))
                for domain, chosen, chances in plan
            ]
            dealt = self._as_batch(imgs, [chosen for _, chosen, _ in plan], is_testing)
            if self.rows_of is not None:
                whole = min(batch_size, length - index * batch_size)
                start = 0 if is_testing else self.rows_of(whole).start
                dealt = BatchRows.of(dealt, start, whole)
            yield dealt

    def _plans(
        self,
        pixels: list[augment.Pixels],
        batch_size: int,
        wanted: range,
        seed: Seed,
        is_testing: bool,
    ) -> Iterator[list[Plan]]:
        """Throws the dice of one batch after the other, without touching an image."""
        domains = list(zip(pixels, self._shuffled(seed, is_testing), strict=True))
        flip = self.flip and not is_testing
        full_res = (pixels[0].shape[1], pixels[0].shape[2])
        for index in range(wanted.stop):
            batch = slice(index * batch_size, (index + 1) * batch_size)
            # The dice are thrown for batches that are left out too: the others come out the same.
            plan = [
                (
                    domain,
                    order[batch],
                    augment.throw(len(order[batch]), full_res, self.img_res, flip, rng),
                )
                for domain, (rng, order) in domains
            ]
            if index in wanted:
                if self.rows_of is not None and not is_testing:
                    rows = self.rows_of(len(plan[0][1]))
                    plan = [
                        (domain, chosen[rows], augment.Chances(*(each[rows] for each in chances)))
                        for domain, chosen, chances in plan
                    ]
                yield plan

    def _as_batch(
        self, imgs: list[np.ndarray], places: list[np.ndarray], is_testing: bool
    ) -> tuple[Any, Any]:
        """What is dealt out of the images at these places of A and of B."""
        imgs_A, imgs_B = imgs
        return imgs_A, imgs_B

    def _shuffled(
        self, seed: Seed, is_testing: bool = False
    ) -> list[tuple[np.random.Generator, np.ndarray]]:
        """The order of each domain in one epoch, and where chance comes from after that."""
        rng_A, rng_B = np.random.default_rng(seed).spawn(2)
        if self.paired:
            rng_B = copy.deepcopy(rng_A)  # The same order, parts and flips.
        num_A, num_B = (len(self.paths(domain, is_testing)) for domain in "AB")
        length = self._epoch_length(num_A, num_B)
        return [
            (rng, augment.shuffled(count, length, rng))
            for rng, count in ((rng_A, num_A), (rng_B, num_B))
        ]

    def _epoch_length(self, num_A: int, num_B: int) -> int:
        return max(num_A, num_B) if self.epoch_length == "longer" else min(num_A, num_B)
