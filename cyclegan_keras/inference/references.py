"""Latents of reference images: what an image shows, to be given to translations of others."""

from typing import Any

import keras
import numpy as np
from PIL import Image, ImageOps

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import decoding, images
from cyclegan_keras.inference import pictures
from cyclegan_keras.inference.arrays import encode_images, translate_images
from cyclegan_keras.inference.latents import image_shape


def encode_image(
    encoder: keras.Model,
    back: keras.Model,
    image: Any,
    *,
    domain: str = "B",
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Finds the latent of a reference image, with which other images are translated alike.

    The encoder takes pairs, so the reference is translated to the other domain first.

    Args:
        encoder: `e_B` for references of B, `e_A` for those of A; from `load_encoder`, or of a model
            in training.
        back: The generator that translates the reference, `g_BA` for one of B. If it takes a latent
            itself, it gets always the same random one.
        image: A PIL image or the path of a file.
        domain: The domain of the reference.
        value_range: The values of black and white in it, if they are not those of its type.

    Returns:
        The latent, `(size,)`, float32.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is no image, or there is no such domain.
    """
    if domain not in ("A", "B"):
        raise ValueError(f"`domain` must be 'A' or 'B'. Received: domain={domain!r}")
    if isinstance(image, Image.Image):
        upright = decoding.in_srgb(ImageOps.exif_transpose(image), decoding.LeftOut())
        picture = decoding.picture_of(upright)
    else:
        picture = images.read_picture(image)
    height, width, channels = encoder.input_shape[0][1:]
    taken = image_shape(back)[1:]
    if any(
        size not in (None, own) for size, own in zip(taken, (height, width, channels), strict=True)
    ):
        raise ValueError(
            "Encoder and generator must be of one run: they take images of "
            f"{(height, width, channels)} and {taken}."
        )
    wanted = None if value_range is None else ValueRange(*value_range)
    reference = pictures.pixels_for(channels, picture, (height, width), wanted)[np.newaxis]
    partner = translate_images(back, reference)
    pair = (partner, reference) if domain == "B" else (reference, partner)
    return encode_images(encoder, *pair)[0]
