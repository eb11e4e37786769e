"""The book's `DataLoader`: two folders of images in, batches of both domains out."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Literal

import numpy as np

from cyclegan_keras.data import fruit, images
from cyclegan_keras.data.ahead import ahead
from cyclegan_keras.data.pixel_store import PixelStore, Place

Seed = int | tuple[int, ...] | None


class DataLoader:
    """Reads two domains of images and deals them out in random batches.

    Looks for the folders `trainA`, `trainB` and, where present, `testA` and `testB` in
    `data_dir/dataset_name`. Nothing is read before the first image is asked for; each image is
    decoded and scaled once and then kept as uint8, in memory or, if they are many, in a temporary
    file. The next batches are made while the one before is in use.

    Args:
        dataset_name: Name of a folder in `data_dir`. `"fruit"`, the default set, is drawn there the
            first time it is wanted.
        img_res: `(height, width)` that images are scaled to, in pixels.
        data_dir: Where the data sets lie.
        drop_last: Whether the last batch of an epoch is dropped if it is smaller than the others.
        flip: Whether training images are mirrored, left to right, with a chance of one half.
        epoch_length: `"shorter"`: an epoch is as long as the smaller domain, as in the book, and
            shows another random part of the larger one each time. `"longer"`: it is as long as the
            larger domain, as in the paper, and the smaller one is shown again.
        seed: Of order and flips. With the same seed, the first, second, … epoch have the same
            batches. `None` means other ones each time. Nothing global is seeded.
        cache_memory: GiB of memory that decoded images may take, at least 0; a folder that does not
            fit in what is left lies in a temporary file in the user's cache folder. `None` means no
            limit.

    Attributes:
        n_batches: Batches in one epoch, at the batch size last given to `load_batch`, or one.
        directory: The folder of the data set.

    Reference:
        *GANs in Action*, section 9.5.1.
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
    ) -> None:
        if not isinstance(img_res, tuple | list) or len(img_res) != 2 or min(img_res) < 1:
            raise ValueError(
                "`img_res` must be (height, width), each at least one pixel. "
                f"Received: img_res={img_res}"
            )
        if epoch_length not in ("shorter", "longer"):
            raise ValueError(
                "`epoch_length` must be 'shorter' or 'longer'. "
                f"Received: epoch_length={epoch_length!r}"
            )
        self.dataset_name = dataset_name
        self.img_res = (img_res[0], img_res[1])
        self.directory = pathlib.Path(data_dir) / dataset_name
        self.drop_last = drop_last
        self.flip = flip
        self.epoch_length = epoch_length
        self.seed = seed
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
        """Whether each image of `testB` is the true translation of the same one of `testA`.

        So it is in the drawn `fruit`, and in any folder whose `dataset.json` says
        `"test_pairs": true`.
        """
        self._draw_if_default()
        try:
            description = json.loads((self.directory / "dataset.json").read_text("utf-8"))
        except FileNotFoundError:
            return False
        except ValueError as error:
            raise ValueError(
                f"{str(self.directory / 'dataset.json')!r} is not JSON ({error}). "
                "Mend it or take it out."
            ) from None
        return isinstance(description, dict) and description.get("test_pairs") is True

    @property
    def has_test_images(self) -> bool:
        """Whether there are both `testA` and `testB`."""
        self._draw_if_default()
        return all((self.directory / folder).is_dir() for folder in ("testA", "testB"))

    def paths(self, domain: str, is_testing: bool = False) -> list[pathlib.Path]:
        """Lists the images of one domain, sorted by name.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            Sorted paths.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If it has no images, or there is no such domain.
        """
        folder = _folder(domain, is_testing)
        if folder in self._paths:
            return self._paths[folder]
        self._draw_if_default()
        if not self.directory.is_dir():
            raise FileNotFoundError(
                f"No data set {str(self.directory)!r}. Make that folder, with the images of the "
                "two domains in its folders 'trainA' and 'trainB'."
            )
        # Listed once, as the images are read once: what is added later is not half noticed.
        self._paths[folder] = images.list_images(self.directory / folder)
        return self._paths[folder]

    def num_batches(self, batch_size: int) -> int:
        """Counts the batches in one epoch.

        Args:
            batch_size: Images of each domain in one batch.

        Returns:
            A number of at least one.

        Raises:
            ValueError: If there are fewer images than one batch takes.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        num_images = [len(self.paths(domain)) for domain in "AB"]
        if min(num_images) < batch_size:
            raise ValueError(
                f"One batch takes {batch_size} images of each domain, but {str(self.directory)!r} "
                f"has {num_images[0]} in trainA and {num_images[1]} in trainB. Use a batch size of "
                f"{min(num_images)} or less, or add images."
            )
        length = max(num_images) if self.epoch_length == "longer" else min(num_images)
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
            path: Of the image.

        Returns:
            `(1, height, width, 3)`, RGB, float32 in [-1, 1].

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as an image.
        """
        return images.normalize(self._read(path))[np.newaxis]

    def load_data(
        self, domain: str, batch_size: int = 1, is_testing: bool = False, seed: Seed = None
    ) -> np.ndarray:
        """Draws random images of one domain.

        Args:
            domain: `"A"` or `"B"`.
            batch_size: How many, each another one.
            is_testing: Whether to take test images, which are never mirrored.
            seed: Of the choice and the flips; `None` gives other ones each time.

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
        """Deals out one epoch of training images, the two domains shuffled independently.

        Args:
            batch_size: Images of each domain in one batch.
            seed: Of this epoch; `None` means the loader's own, and another epoch each time.

        Returns:
            An iterator of `n_batches` pairs `(imgs_A, imgs_B)`, each `(batch_size, height, width,
            3)`, RGB, float32 in [-1, 1]. A thread makes the next two while one is in use.

        Raises:
            FileNotFoundError: If a folder is missing.
            ValueError: If there are fewer images than one batch takes, or one cannot be read.
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
        lengths = len(pixels_A), len(pixels_B)
        length = max(lengths) if self.epoch_length == "longer" else min(lengths)
        order_A, order_B = (
            _order(len(pixels_A), length, rng_A),
            _order(len(pixels_B), length, rng_B),
        )
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
            `(count, height, width, 3)`, RGB, uint8 in [0, 255]. Not to be written to.

        Raises:
            FileNotFoundError: If there is no such folder.
            OSError: If they fit neither in `cache_memory` nor on the disk.
            ValueError: If it has no images, or one that cannot be read.
        """
        paths = self.paths(domain, is_testing)
        return self._store.get(_folder(domain, is_testing), paths, self.img_res, self._read)

    def pixels_place(self, domain: str, is_testing: bool = False) -> Place | None:
        """Tells where the decoded images of one domain lie, which `cache_memory` decides.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are meant, not the training images.

        Returns:
            `"memory"` or `"disk"`; `None` while they have not been decoded.

        Raises:
            ValueError: If there is no such domain.
        """
        return self._store.place(_folder(domain, is_testing))

    def _read(self, path: images.PathLike) -> np.ndarray:
        return np.asarray(images.resize(images.read_image(path, self.img_res), self.img_res))

    def _draw(self, pixels: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Picks images, and mirrors each with a chance of one half if the loader flips at all."""
        batch = pixels[chosen]
        if self.flip:
            for index in np.flatnonzero(rng.random(len(batch)) < 0.5):
                batch[index] = batch[index, :, ::-1]
        return images.normalize(batch)

    def _draw_if_default(self) -> None:
        if self.dataset_name == "fruit" and not self.directory.exists():
            # Another process may draw it meanwhile; then its folder is as good.
            with contextlib.suppress(FileExistsError):
                fruit.write_fruit(self.directory)


def _folder(domain: str, is_testing: bool) -> str:
    if domain not in ("A", "B"):
        raise ValueError(f"`domain` must be 'A' or 'B'. Received: domain={domain!r}")
    return f"{'test' if is_testing else 'train'}{domain}"


def _order(num_images: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Shuffles a domain, again and again until there are enough."""
    rounds = -(-length // num_images)
    return np.concatenate([rng.permutation(num_images) for _ in range(rounds)])[:length]
