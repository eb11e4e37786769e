"""Segmentation scores of label maps: per-pixel accuracy, per-class accuracy and class IoU."""

from collections.abc import Sequence

import numpy as np

from cyclegan_keras.data.images import denormalize

Palette = Sequence[tuple[int, int, int]]

# The labels of the CMP facades in the colors of the pix2pix archives. JPEG blurs them at edges, so
# these are the colors of flat areas, rounded to multiples of 8 (or to 255).
FACADES: Palette = (
    (0, 0, 224),
    (0, 48, 255),
    (0, 128, 255),
    (0, 208, 255),
    (32, 255, 224),
    (112, 255, 144),
    (192, 255, 64),
    (255, 240, 0),
    (255, 160, 0),
    (255, 80, 0),
    (255, 0, 0),
    (176, 0, 0),
)

CHUNK = 2**16  # pixels per chunk; their distances take some megabytes


def nearest_labels(imgs: np.ndarray, palette: Palette) -> np.ndarray:
    """Finds the class of each pixel of label maps.

    Args:
        imgs: `(..., height, width, 3)`, RGB, or `(..., height, width, 1)`, gray; uint8 in [0, 255],
            or float in [-1, 1], which is rounded to 8 bits.
        palette: The color of each class, RGB in [0, 255].

    Returns:
        `(..., height, width)`, int32 in `[0, len(palette))`: for each pixel, the class with the
        nearest color in RGB, or the nearest luma in gray; the first of several equals.

    Raises:
        ValueError: If `imgs` has another shape or type, `palette` has no RGB colors, or two of its
            colors have the same gray.
    """
    imgs = np.asarray(imgs)
    colours = np.asarray(palette, np.int32)
    if colours.ndim != 2 or colours.shape[1] != 3 or not len(colours):
        raise ValueError(
            "`palette` must have an RGB color for each class, in a list of shape (classes, 3). "
            f"Received: palette of shape {colours.shape}"
        )
    is_float = np.issubdtype(imgs.dtype, np.floating)
    if imgs.shape[-1:] not in ((1,), (3,)) or not (is_float or imgs.dtype == np.uint8):
        raise ValueError(
            "`imgs` must be RGB or gray images, of shape (..., height, width, 3 or 1), uint8 in "
            f"[0, 255] or float in [-1, 1]. Received: imgs of shape {imgs.shape}, {imgs.dtype}"
        )
    if imgs.shape[-1] == 1:
        # Pillow's conversion to gray.
        colours = (colours @ np.array([[19595], [38470], [7471]], np.int32) + 2**15) // 2**16
        if len(np.unique(colours)) < len(colours):
            raise ValueError(
                "Two classes of `palette` have the same gray. Train with 3 channels, or evaluate "
                f"without labels. Received: a palette with luma {colours[:, 0].tolist()}"
            )
    pixels = imgs.reshape(-1, imgs.shape[-1])
    labels = np.empty(len(pixels), np.int32)
    for first in range(0, len(pixels), CHUNK):
        chunk = pixels[first : first + CHUNK]
        chunk = denormalize(chunk) if is_float else chunk
        # |p - c|² without |p|², which is the same for all classes. In integers, ties stay ties.
        distances = np.sum(colours**2, axis=1) - 2 * (chunk @ colours.T)
        labels[first : first + CHUNK] = np.argmin(distances, axis=1)
    return labels.reshape(imgs.shape[:-1])


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts the pixels of each true class by predicted class.

    Args:
        truth: The true class of each pixel, integers in `[0, num_classes)`, of any shape.
        predicted: The predicted classes, of the same shape.
        num_classes: Number of classes.

    Returns:
        `(num_classes, num_classes)`, int64: in row t and column p, the number of pixels of class t
        that were predicted as class p.

    Raises:
        ValueError: If the shapes differ, or a class is out of range.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(
            "`truth` and `predicted` must have the same shape. "
            f"Received: truth.shape={truth.shape}, predicted.shape={predicted.shape}"
        )
    for name, labels in (("truth", truth), ("predicted", predicted)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"`{name}` must be integer classes, as from `nearest_labels`. Received: "
                f"{labels.dtype}"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(
                f"`{name}` must have classes in [0, {num_classes}). Received: {name} in "
                f"[{labels.min()}, {labels.max()}]"
            )
    places = num_classes * truth.astype(np.int64).ravel() + predicted.ravel()
    return np.bincount(places, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores(confusion: np.ndarray) -> dict[str, float]:
    """Computes segmentation scores.

    Args:
        confusion: From `confusion_matrix`; usually the sum over all images.

    Returns:
        Shares in [0, 1]. `pixel_accuracy`: pixels with the correct class. `class_accuracy`: the
        same within each class, averaged over the classes in the ground truth. `class_iou`: for each
        class, the pixels in both ground truth and prediction, divided by those in either
        (intersection over union), averaged over the classes in either.

    Raises:
        ValueError: If `confusion` counts no pixels.

    Reference:
        Long et al., *Fully Convolutional Networks for Semantic Segmentation*, section 5; tables of
        Isola et al. (pix2pix) and Zhu et al. (CycleGAN).
    """
    right, true, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    if not true.sum():
        raise ValueError("`confusion` must count at least one pixel. Received: none")
    union = true + found - right
    return {
        "pixel_accuracy": float(right.sum() / true.sum()),
        "class_accuracy": float(np.mean(right[true > 0] / true[true > 0])),
        "class_iou": float(np.mean(right[union > 0] / union[union > 0])),
    }
