"""Reading, writing and scaling single images."""

import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
WHITE = (255, 255, 255, 255)

PathLike = str | os.PathLike[str]


def list_images(directory: PathLike) -> list[pathlib.Path]:
    """Lists the images in one folder, sorted by name.

    Args:
        directory: The folder. Hidden files and files that are not images by suffix are left out,
            and so are folders in it.

    Returns:
        Sorted paths.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there is no image in it.
    """
    folder = pathlib.Path(directory)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder {str(folder)!r}. Make it and put the images in it.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise ValueError(
            f"No images in {str(folder)!r}. Put some there, with one of the suffixes "
            f"{' '.join(sorted(SUFFIXES))}."
        )
    return paths


def read_image(path: PathLike, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Reads an image as a viewer would show it.

    Turns it as its EXIF orientation says, lays transparency on white, makes grayscale, palette,
    CMYK and 16-bit images 8-bit RGB, and takes the first frame of an animation.

    Args:
        path: Of the image.
        at_least: `(height, width)` in pixels that the image will be shrunk to. A far larger JPEG
            is then decoded at a half, a quarter or an eighth of its size, which is much faster; it
            is still at least twice as high and wide as that.

    Returns:
        An RGB `PIL.Image.Image`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not an image, is damaged, or is absurdly large.
    """
    try:
        with Image.open(path) as image:
            if at_least is not None:
                # The EXIF orientation may yet swap height and width, so both sides get the larger.
                # `None` keeps the mode. Formats other than JPEG know no draft and do nothing.
                side = 2 * max(at_least)
                image.draft(None, (side, side))
            image.load()
            return to_rgb(image)
    except FileNotFoundError:
        raise FileNotFoundError(f"No image {os.fspath(path)!r}.") from None
    except UnidentifiedImageError:
        reason = "it is not in a known image format"
    except Exception as error:  # Pillow raises whatever the damage led to.
        reason = str(error) or type(error).__name__
    raise ValueError(
        f"Cannot read the image {os.fspath(path)!r}: {reason}. Replace it or take it out."
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """Makes any image 8-bit RGB and upright, as `read_image` says.

    Args:
        image: An open image of any mode.

    Returns:
        An RGB image.

    Raises:
        ValueError: If its pixels are numbers of which nobody knows what is white.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # 16 bits per pixel; Pillow itself would cut everything above 255 off.
        array = np.asarray(image).astype(np.int64)
        if array.min() < 0 or array.max() > 65535:
            raise ValueError(
                f"integer pixels must be in [0, 65535], these are in [{array.min()}, {array.max()}]"
            )
        image = Image.fromarray(((array + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        array = np.asarray(image)
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError("float pixels must be in [0, 1]")
        image = Image.fromarray(np.rint(255 * array).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    return image.convert("RGB")


def resize(image: Image.Image, img_res: tuple[int, int]) -> Image.Image:
    """Stretches or shrinks an image, with antialiasing.

    Args:
        image: The image.
        img_res: `(height, width)` in pixels.

    Returns:
        The image in that size, bicubic; the same object if it had it already.
    """
    height, width = img_res
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def normalize(pixels: Any) -> np.ndarray:
    """Scales uint8 in [0, 255] to float32 in [-1, 1].

    Args:
        pixels: A uint8 array of any shape.

    Returns:
        A float32 array of the same shape.
    """
    scaled = np.asarray(pixels, np.uint8).astype(np.float32)
    scaled /= 127.5
    scaled -= 1
    return scaled


def denormalize(images: Any) -> np.ndarray:
    """Scales [-1, 1] back to uint8 in [0, 255], rounding; undoes `normalize` exactly.

    Args:
        images: A float array of any shape; values outside of [-1, 1] are clipped.

    Returns:
        A uint8 array of the same shape.
    """
    scaled = (np.asarray(images, np.float32) + 1) * 127.5
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def write_image(path: PathLike, pixels: np.ndarray, compress_level: int = 6) -> None:
    """Writes an image whole or not at all.

    Args:
        path: Where to. The suffix says the format; an existing file is replaced.
        pixels: uint8, `(height, width, 3)` or `(height, width)`.
        compress_level: How hard to try to make a PNG small, from 0 (fast) to 9; the pixels are the
            same at any level. 6 is Pillow's own.
    """
    target = pathlib.Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}{target.suffix}")
    try:
        Image.fromarray(pixels).save(partial, compress_level=compress_level)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
