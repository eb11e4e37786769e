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
        skip_bad_images: Whether images that cannot be read are left out, and where they are pairs,
            their partners with them. Which these are is known only when all have been read, so even
            `n_batches` and `paths` then read them first.

    Attributes:
        n_batches: Batches in one epoch, at the batch size last given to `load_batch`, or one.
        directory: The folder of the data set.
        skipped: What is wrong with each image that was left out so far, by its path.

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
        self.skip_bad_images = skip_bad_images
        self.skipped: dict[pathlib.Path, str] = {}
        self._batch_size = 1
        self._epochs_begun = 0
        self._paths: dict[str, list[pathlib.Path]] = {}
        self._settled: set[str] = set()
        self._store = PixelStore(cache_memory)

    @property
    def n_batches(self) -> int:
        """Batches in one epoch, known without reading an image unless bad ones are left out."""
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
        return not layout.without_partner(*(self._listed(domain, True) for domain in "AB"))

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
        if self.skip_bad_images:
            self._settle(domain, is_testing)
        return self._listed(domain, is_testing)

    def _listed(self, domain: str, is_testing: bool) -> list[pathlib.Path]:
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
        if is_testing:
            return images.normalize(pixels[chosen])
        return images.normalize(augment.draw(pixels, chosen, self.img_res, self.flip, rng))

    def load_batch(
        self, batch_size: int = 1, seed: Seed = None, first_batch: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Deals out one epoch of training images, the two domains shuffled apart unless `paired`.

        Args:
            batch_size: Images of each domain in one batch.
            seed: Of this epoch; `None` means the loader's own, and another epoch each time.
            first_batch: How many batches to leave out at the beginning, where an epoch goes on that
                was broken off; the others are those that they would have been.

        Returns:
            An iterator of `n_batches` (less `first_batch`) pairs `(imgs_A, imgs_B)`, each
            `(batch_size, height, width, 3)`, RGB, float32 in [-1, 1]. A thread makes the next two
            while one is in use.

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
        return self._deal(batch_size, range(first_batch, num_batches), seed)

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
        self, batch_size: int, wanted: range, seed: Seed
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # Decoded here and not ahead, in the thread of whoever wants the batches: Ctrl-C ends it.
        pixels = [self.pixels(domain) for domain in "AB"]
        yield from ahead(self._batches(pixels, batch_size, wanted, seed))

    def _batches(
        self, pixels: list[np.ndarray], batch_size: int, wanted: range, seed: Seed
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        domains = list(zip(pixels, self._shuffled(seed), strict=True))
        full_res = (pixels[0].shape[1], pixels[0].shape[2])
        for index in range(wanted.stop):
            batch = slice(index * batch_size, (index + 1) * batch_size)
            # The dice are thrown for batches that are left out too: the others come out the same.
            plans = [
                (
                    domain,
                    order[batch],
                    augment.throw(len(order[batch]), full_res, self.img_res, self.flip, rng),
                )
                for domain, (rng, order) in domains
            ]
            if index in wanted:
                imgs_A, imgs_B = (
                    images.normalize(augment.cut(domain, chosen, self.img_res, chances))
                    for domain, chosen, chances in plans
                )
                yield imgs_A, imgs_B

    def _shuffled(self, seed: Seed) -> list[tuple[np.random.Generator, np.ndarray]]:
        """The order of each domain in one epoch, and where chance comes from after that."""
        rng_A, rng_B = np.random.default_rng(seed).spawn(2)
        if self.paired:
            rng_B = copy.deepcopy(rng_A)  # The same order, parts and flips.
        num_A, num_B = (len(self.paths(domain)) for domain in "AB")
        length = self._epoch_length(num_A, num_B)
        return [
            (rng, augment.shuffled(count, length, rng))
            for rng, count in ((rng_A, num_A), (rng_B, num_B))
        ]

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
        if self.skip_bad_images:
            self._settle(domain, is_testing)
        pixels = self._decoded(domain, is_testing)
        if not self._layout.side_by_side:
            return pixels
        height, width = self._res(is_testing)
        return pixels.reshape(-1, 2, height, width, 3)[:, "AB".index(domain)]

    def _decoded(self, domain: str, is_testing: bool) -> np.ndarray:
        paths, folder = self._listed(domain, is_testing), self._layout.folder(domain, is_testing)
        height, width = res = self._res(is_testing)
        read = functools.partial(_read, res=res)
        if self._layout.side_by_side:
            # A pair is kept as one image, B below A, so that its file is decoded once for both.
            read, res = functools.partial(_read_pair, res=res), (2 * height, width)
        return self._store.get(folder, paths, res, read, self.skip_bad_images)

    def _res(self, is_testing: bool) -> tuple[int, int]:
        return self.img_res if is_testing or self.load_res is None else self.load_res

    def _settle(self, domain: str, is_testing: bool) -> None:
        """Reads the images the first time, and leaves out the bad ones and their partners."""
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


def _read(path: images.PathLike, res: tuple[int, int]) -> np.ndarray:
    return np.asarray(images.resize(images.read_image(path, res), res))


def _read_pair(path: images.PathLike, res: tuple[int, int]) -> np.ndarray:
    return np.concatenate([images.resize(half, res) for half in layout.read_pair(path)])
