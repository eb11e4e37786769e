"""The book's `DataLoader`: two domains of images in, batches of both out."""

import copy
import functools
import pathlib
from collections.abc import Iterator
from typing import Literal

import numpy as np

from cyclegan_keras.data import augment, fruit, images, layout
from cyclegan_keras.data.ahead import ahead
from cyclegan_keras.data.pixel_store import PixelStore, Place

Seed = int | tuple[int, ...] | None


class DataLoader:
    """Reads two domains of images and deals them out in random batches.

    Looks for the folders `trainA`, `trainB` and, where present, `testA` and `testB` in
    `data_dir/dataset_name`; or else for a folder `train` and, where present, `test` or `val`, of
    pictures that hold a pair side by side, A on the left and B on the right. Nothing is read before
    the first image is asked for; each image is decoded and scaled once and then kept as uint8, in
    memory or, if they are many, in a temporary file. The next batches are made while the one before
    is in use.

    Args:
        dataset_name: Name of a folder in `data_dir`. `"fruit"`, the default set, is drawn there the
            first time it is wanted, and so is `"fruit_pairs"`, the same with training images that
            are pairs.
        img_res: `(height, width)` of the images that are dealt out, in pixels.
        data_dir: Where the data sets lie.
        drop_last: Whether the last batch of an epoch is dropped if it is smaller than the others.
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

    Attributes:
        n_batches: Batches in one epoch, at the batch size last given to `load_batch`, or one.
        directory: The folder of the data set.

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
    ) -> None:
        self.img_res, self.load_res = augment.checked_sizes(img_res, load_res)
        if epoch_length not in ("shorter", "longer"):
            raise ValueError(
                "`epoch_length` must be 'shorter' or 'longer'. "
                f"Received: epoch_length={epoch_length!r}"
            )
        self.dataset_name = dataset_name
        self.directory = pathlib.Path(data_dir) / dataset_name
        self.drop_last = drop_last
        self.flip = flip
        self.epoch_length = epoch_length
        self.seed = seed
        self.paired = paired
        self._batch_size = 1
        self._epochs_begun = 0
        self._paths: dict[str, list[pathlib.Path]] = {}
        self._store = PixelStore(cache_memory)

    @property
    def n_batches(self) -> int:
        """Batches in one epoch, known without reading an image."""
        return self.num_batches(self._batch_size)

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
        return not layout.without_partner(*(self.paths(domain, True) for domain in "AB"))

    @property
    def has_test_images(self) -> bool:
        """Whether there are test images of both domains.

        Raises:
            FileNotFoundError: If there is no such data set.
        """
        return self._layout.has_test_images

    def paths(self, domain: str, is_testing: bool = False) -> list[pathlib.Path]:
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
        folder = self._layout.folder(domain, is_testing)
        # Listed once, as the images are read once: what is added later is not half noticed.
        if folder not in self._paths:
            self._paths[folder] = self._layout.files(domain, is_testing)
        return self._paths[folder]

    def num_batches(self, batch_size: int) -> int:
        """Counts the batches in one epoch.

        Args:
            batch_size: Images of each domain in one batch.

        Returns:
            A number of at least one.

        Raises:
            ValueError: If there are fewer images than one batch takes, or they should be pairs and
                are not.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        paths_A, paths_B = self.paths("A"), self.paths("B")
        if self.paired:
            self._layout.check_train_pairs(paths_A, paths_B)
        fewest = min(len(paths_A), len(paths_B))
        if fewest < batch_size:
            folder_A, folder_B = (self._layout.folder(domain, False) for domain in "AB")
            counts = {folder_A: len(paths_A), folder_B: len(paths_B)}
            found = " and ".join(f"{count} in {folder}" for folder, count in counts.items())
            raise ValueError(
                f"One batch takes {batch_size} images of each domain, but {str(self.directory)!r} "
                f"has {found}. Use a batch size of {fewest} or less, or add images."
            )
        length = self._epoch_length(len(paths_A), len(paths_B))
        return length // batch_size if self.drop_last else -(-length // batch_size)

    def imread(self, path: images.PathLike) -> np.ndarray:
        """Reads one image in its own size.

        Args:
            path: Of the image.

        Returns:
            `(height, width, 3)`, RGB, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as an image.
        """
        return images.normalize(images.read_image(path))

    def load_img(self, path: images.PathLike) -> np.ndarray:
        """Reads one image and scales it to `img_res`, as a batch of one.

        Args:
            path: Of the image. A picture that holds a pair stays whole.

        Returns:
            `(1, height, width, 3)`, RGB, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as an image.
        """
        return images.normalize(_read(path, self.img_res))[np.newaxis]

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
            `(batch_size, height, width, 3)`, RGB, float32 in [-1, 1].

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
        return images.normalize(pixels[chosen]) if is_testing else self._draw(pixels, chosen, rng)

    def load_batch(
        self, batch_size: int = 1, seed: Seed = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Deals out one epoch of training images, the two domains shuffled apart unless `paired`.

        Args:
            batch_size: Images of each domain in one batch.
            seed: Of this epoch; `None` means the loader's own, and another epoch each time.

        Returns:
            An iterator of `n_batches` pairs `(imgs_A, imgs_B)`, each `(batch_size, height, width,
            3)`, RGB, float32 in [-1, 1]. A thread makes the next two while one is in use.

        Raises:
            FileNotFoundError: If a folder is missing.
            ValueError: If there are fewer images than one batch takes, one cannot be read, or they
                should be pairs and are not.
        """
        # Not in the generator itself, which would not run before the first batch is asked for.
        num_batches = self.num_batches(batch_size)
        self._batch_size = batch_size
        if seed is None and self.seed is not None:
            seed = (self.seed, self._epochs_begun)
        self._epochs_begun += 1
        return self._deal(batch_size, num_batches, seed)

    def _deal(
        self, batch_size: int, num_batches: int, seed: Seed
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # Decoded here and not ahead, in the thread of whoever wants the batches: Ctrl-C ends it.
        pixels_A, pixels_B = self.pixels("A"), self.pixels("B")
        yield from ahead(self._batches(pixels_A, pixels_B, batch_size, num_batches, seed))

    def _batches(
        self,
        pixels_A: np.ndarray,
        pixels_B: np.ndarray,
        batch_size: int,
        num_batches: int,
        seed: Seed,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng_A, rng_B = np.random.default_rng(seed).spawn(2)
        if self.paired:
            rng_B = copy.deepcopy(rng_A)  # The same order, parts and flips.
        length = self._epoch_length(len(pixels_A), len(pixels_B))
        order_A = augment.shuffled(len(pixels_A), length, rng_A)
        order_B = augment.shuffled(len(pixels_B), length, rng_B)
        for first in range(0, num_batches * batch_size, batch_size):
            batch = slice(first, first + batch_size)
            imgs_A = self._draw(pixels_A, order_A[batch], rng_A)
            yield imgs_A, self._draw(pixels_B, order_B[batch], rng_B)

    def pixels(self, domain: str, is_testing: bool = False) -> np.ndarray:
        """Gives all images of one domain, in the order of `paths`, decoding them the first time.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            `(count, height, width, 3)`, RGB, uint8 in [0, 255]; training images in `load_res`,
            where there is one, else in `img_res`. Not to be written to.

        Raises:
            FileNotFoundError: If there is no such folder.
            OSError: If they fit neither in `cache_memory` nor on the disk.
            ValueError: If it has no images, or one that cannot be read.
        """
        paths, folder = self.paths(domain, is_testing), self._layout.folder(domain, is_testing)
        res = self.img_res if is_testing or self.load_res is None else self.load_res
        if not self._layout.side_by_side:
            return self._store.get(folder, paths, res, functools.partial(_read, res=res))
        # A pair is kept as one image, B below A, so that its file is decoded once for both.
        height, width = res
        read_pair = functools.partial(_read_pair, res=res)
        pairs = self._store.get(folder, paths, (2 * height, width), read_pair)
        return pairs.reshape(len(paths), 2, height, width, 3)[:, "AB".index(domain)]

    def evaluation_pixels(self, domain: str) -> np.ndarray:
        """Gives the images of one domain to measure on: without chance, and in `img_res`.

        Args:
            domain: `"A"` or `"B"`.

        Returns:
            `(count, height, width, 3)`, RGB, uint8 in [0, 255]: the test images or, if there are
            none of one domain or of both, the training images; with `load_res`, the middle of each.
            Not to be written to.

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
        fruit.draw_by_name(self.dataset_name, self.directory)
        return layout.find_layout(self.directory)

    def _epoch_length(self, num_A: int, num_B: int) -> int:
        return max(num_A, num_B) if self.epoch_length == "longer" else min(num_A, num_B)

    def _draw(self, pixels: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images.normalize(augment.draw(pixels, chosen, self.img_res, self.flip, rng))


def _read(path: images.PathLike, res: tuple[int, int]) -> np.ndarray:
    return np.asarray(images.resize(images.read_image(path, res), res))


def _read_pair(path: images.PathLike, res: tuple[int, int]) -> np.ndarray:
    return np.concatenate([images.resize(half, res) for half in layout.read_pair(path)])
