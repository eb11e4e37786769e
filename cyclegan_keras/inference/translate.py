"""Translating pictures with a saved generator."""

import pathlib
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tqdm
from PIL import Image

from cyclegan_keras.data import images
from cyclegan_keras.inference import files
from cyclegan_keras.inference.model_files import load_generator

__all__ = ["load_generator", "plan", "translate_files", "translate_image"]


def translate_image(generator: keras.Model, image: Image.Image) -> Image.Image:
    """Translates one picture.

    Args:
        generator: From `load_generator`, or in training.
        image: An image of any size and mode; it is made RGB and upright, and scaled to the
            generator's size and back.

    Returns:
        The translation, an RGB image in the size of `image`.
    """
    image = images.to_rgb(image)
    batch = files.pixels_for(generator, image)[np.newaxis]
    translation = generator.predict_on_batch(batch)[0]
    return files.picture_of(translation, (image.height, image.width))


def plan(
    paths: Iterable[images.PathLike], output: images.PathLike, overwrite: bool = False
) -> list[files.Job]:
    """Finds the images to translate and where each translation goes.

    Args:
        paths: Images, and folders of images (not the folders in them).
        output: The folder for the translations, each a PNG with the name of its source.
        overwrite: Whether files that are already there may be replaced.

    Returns:
        Pairs of a source and its target.

    Raises:
        FileExistsError: If a translation is already there and may not be replaced.
        FileNotFoundError: If there is no such image.
        ValueError: If a folder has no images, two translations would have one name, or one would
            replace its own source.
    """
    jobs: dict[pathlib.Path, pathlib.Path] = {}
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"No image or folder {str(path)!r}.")
        for source in images.list_images(path) if path.is_dir() else [path]:
            target = pathlib.Path(output) / f"{source.stem}.png"
            if target in jobs and jobs[target] != source:
                raise ValueError(
                    f"{str(jobs[target])!r} and {str(source)!r} would both become "
                    f"{str(target)!r}. Rename one, or translate them into two folders."
                )
            if target.exists() and source.exists() and target.samefile(source):
                raise ValueError(
                    f"The translation of {str(source)!r} would replace it. Give another --output."
                )
            if target.exists() and not overwrite:
                raise FileExistsError(
                    f"{str(target)!r} is already there. Give another --output, or --overwrite."
                )
            jobs[target] = source
    return [(source, target) for target, source in jobs.items()]


def translate_files(
    generator: keras.Model, jobs: Sequence[files.Job], batch_size: int = files.BATCH_SIZE
) -> None:
    """Translates pictures from file to file, each in its own size.

    They are read, translated and written side by side, and few are in memory at a time.

    Args:
        generator: From `load_generator`.
        jobs: From `plan`.
        batch_size: Images that the generator gets at a time, at most.

    Raises:
        FileNotFoundError: If an image has gone since it was planned.
        ValueError: If an image cannot be read; those before it are translated. Or if the batch size
            is not at least 1.
    """
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    with tqdm.tqdm(total=len(jobs), unit="image", disable=len(jobs) < 2) as progress:
        files.translate(generator, jobs, batch_size, on_written=progress.update)
