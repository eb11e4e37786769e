"""Translating pictures with a saved generator."""

import os
import pathlib
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tqdm
from PIL import Image

from cyclegan_keras import layers  # noqa: F401, registers the layers that the file names
from cyclegan_keras.data import images
from cyclegan_keras.inference import files


def load_generator(path: images.PathLike) -> keras.Model:
    """Loads a translator that training has saved, running no code from the file.

    Args:
        path: Of a `.keras` file.

    Returns:
        A model from images to images of the same shape, float32 in [-1, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a Keras model, or not one from RGB images to RGB images.
    """
    name = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"No model {name!r}. Train one with `python train.py`.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{name!r} is not a .keras file. Give a g_AB.keras or g_BA.keras.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the damage led to.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"Cannot load the model {name!r}: {reason}") from error
    shapes: list[Any] = [getattr(model, f"{end}_shape", None) for end in ("input", "output")]
    if not all(isinstance(shape, tuple) and len(shape) == 4 for shape in shapes) or (
        shapes[0] != shapes[1] or shapes[0][3] != 3
    ):
        raise ValueError(
            f"The model {name!r} is no translator: it must turn RGB images into RGB images of the "
            f"same size. Received: input shape {shapes[0]}, output shape {shapes[1]}"
        )
    return model


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
            if target.exists() and target.samefile(source):
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
