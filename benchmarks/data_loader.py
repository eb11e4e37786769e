"""Times the data loader against the lecture's, interleaved in one run.

    python benchmarks/data_loader.py [--data-dir DIR] [--size 128] [--batch-size 1]

The lecture's loader reads, scales and normalises every image anew in every epoch. It used
`scipy.misc.imread` and `imresize`, which SciPy no longer has; both were thin covers over Pillow, so
Pillow stands in their place. Ours is timed once warm, that is, after its first epoch.
"""

import argparse
import glob
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.data.fruit.sets import write_fruit


class LectureLoader:
    """The `DataLoader` of *GANs in Action*, listing 9.2 and its companion code.

    Args:
        directory: A folder with `trainA` and `trainB`.
        img_res: `(height, width)` in pixels.
    """

    def __init__(self, directory: pathlib.Path, img_res: tuple[int, int]) -> None:
        self.directory = directory
        self.img_res = img_res

    def load_batch(self, batch_size: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Deals out one epoch, as the lecture does: without the last batch.

        Args:
            batch_size: Images of each domain in one batch.

        Yields:
            Pairs `(imgs_A, imgs_B)`, `(batch_size, height, width, 3)`, in [-1, 1].
        """
        path_A = glob.glob(f"{self.directory}/trainA/*")
        path_B = glob.glob(f"{self.directory}/trainB/*")
        self.n_batches = int(min(len(path_A), len(path_B)) / batch_size)
        total_samples = self.n_batches * batch_size
        path_A = np.random.choice(path_A, total_samples, replace=False)
        path_B = np.random.choice(path_B, total_samples, replace=False)
        for i in range(self.n_batches - 1):
            batch_A = path_A[i * batch_size : (i + 1) * batch_size]
            batch_B = path_B[i * batch_size : (i + 1) * batch_size]
            imgs_A, imgs_B = [], []
            for img_A, img_B in zip(batch_A, batch_B, strict=True):
                img_A, img_B = self.imread(img_A), self.imread(img_B)
                img_A, img_B = self.imresize(img_A), self.imresize(img_B)
                if np.random.random() > 0.5:
                    img_A, img_B = np.fliplr(img_A), np.fliplr(img_B)
                imgs_A.append(img_A)
                imgs_B.append(img_B)
            yield np.array(imgs_A) / 127.5 - 1.0, np.array(imgs_B) / 127.5 - 1.0

    def imread(self, path: str) -> np.ndarray:
        """Reads an image as float64 in [0, 255]."""
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).astype(float)

    def imresize(self, img: np.ndarray) -> np.ndarray:
        """Scales an image to `img_res`."""
        image = Image.fromarray(img.astype(np.uint8))
        return np.asarray(image.resize(self.img_res[::-1], Image.Resampling.BILINEAR)).astype(float)


def measure(
    data_dir: str | None = None, size: int = 128, batch_size: int = 1, rounds: int = 4
) -> dict[str, float]:
    """Times epochs of both loaders in turn, with nothing done to the batches.

    Args:
        data_dir: A folder with `trainA` and `trainB`; `None` means 300 + 300 drawn images.
        size: Height and width that images are scaled to, in pixels.
        batch_size: Images of each domain in one batch.
        rounds: How often each takes its turn.

    Returns:
        `ours`, `lecture`: batches a second, medians over the rounds; `ratio`; and `first`, the
        seconds until our first batch, with all images decoded.
    """
    with tempfile.TemporaryDirectory() as temporary:
        if data_dir is None:
            directory = write_fruit(pathlib.Path(temporary) / "fruit", size=2 * size)
        else:
            directory = pathlib.Path(data_dir)
        ours = DataLoader(directory.name, (size, size), directory.parent, seed=0)
        begun = time.perf_counter()
        for _ in ours.load_batch(batch_size):
            break
        first = time.perf_counter() - begun
        loaders = {"ours": ours, "lecture": LectureLoader(directory, (size, size))}
        rates: dict[str, list[float]] = {name: [] for name in loaders}
        for index in range(rounds):
            names = list(loaders) if index % 2 == 0 else list(loaders)[::-1]
            for name in names:
                begun = time.perf_counter()
                count = sum(1 for _ in loaders[name].load_batch(batch_size))
                rates[name].append(count / (time.perf_counter() - begun))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {**medians, "ratio": medians["ours"] / medians["lecture"], "first": first}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", metavar="DIR", help="default: drawn images")
    parser.add_argument("--size", type=int, default=128, metavar="N", help="pixels")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    figures = measure(arguments.data_dir, arguments.size, arguments.batch_size)
    print(
        f"ours {figures['ours']:.0f} batches a second once warm, first batch after "
        f"{figures['first']:.2f} s; the lecture's {figures['lecture']:.0f}; "
        f"ratio {figures['ratio']:.1f}"
    )


if __name__ == "__main__":
    main()
