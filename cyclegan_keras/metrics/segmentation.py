"""How good images of labels are, as a segmentation: per-pixel, per-class and overlap scores."""

from collections.abc import Sequence

import numpy as np

from cyclegan_keras.data.images import denormalize

Palette = Sequence[tuple[int, int, int]]

# The labels of the CMP facades, as the archives of pix2pix colour them. JPEG blurs them at edges,
# so these are the flat colours, rounded to multiples of 8 (or to 255).
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

CHUNK = 2**16  # pixels looked at together: some megabytes of distances


def nearest_labels(imgs: np.ndarray, palette: Palette) -> np.ndarray:
    """Reads the classes out of images whose colours stand for classes.

    Args:
        imgs: `(..., height, width, 3)`, RGB, or `(..., height, width, 1)`, gray; uint8 in [0, 255],
            or float in [-1, 1], which is rounded to 8 bits.
        palette: The colour of each class, RGB in [0, 255].

    Returns:
        `(..., height, width)`, int32 in `[0, len(palette))`: for each pixel the class whose colour
        is nearest in RGB, the first one if several are; in gray, whose luma is nearest.

    Raises:
        ValueError: If `imgs` are no such images, `palette` has no RGB colours, or two of them are
            one gray.
    """
    imgs = np.asarray(imgs)
    colours = np.asarray(palette, np.int32)
    if colours.ndim != 2 or colours.shape[1] != 3 or not len(colours):
        raise ValueError(
            "`palette` must have an RGB colour for each class, in a list of shape (classes, 3). "
            f"Received: palette of shape {colours.shape}"
        )
    is_float = np.issubdtype(imgs.dtype, np.floating)
    if imgs.shape[-1:] not in ((1,), (3,)) or not (is_float or imgs.dtype == np.uint8):
        raise ValueError(
            "`imgs` must be RGB or gray images, of shape (..., height, width, 3 or 1), uint8 in "
            f"[0, 255] or float in [-1, 1]. Received: imgs of shape {imgs.shape}, {imgs.dtype}"
        )
    if imgs.shape[-1] == 1:
        # As Pillow makes gray of colors.
        colours = (colours @ np.array([[19595], [38470], [7471]], np.int32) + 2**15) // 2**16
        if len(np.unique(colours)) < len(colours):
            raise ValueError(
                "In gray, two classes of `palette` are one and the same. Train with 3 channels, or "
                f"measure without labels. Received: a palette with luma {colours[:, 0].tolist()}"
            )
    pixels = imgs.reshape(-1, imgs.shape[-1])
    labels = np.empty(len(pixels), np.int32)
    for first in range(0, len(pixels), CHUNK):
        chunk = pixels[first : first + CHUNK]
        chunk = denormalize(chunk) if is_float else chunk
        # |p - c|² without |p|², which is the same for all classes. Integers: ties stay ties.
        distances = np.sum(colours**2, axis=1) - 2 * (chunk @ colours.T)
        labels[first : first + CHUNK] = np.argmin(distances, axis=1)
    return labels.reshape(imgs.shape[:-1])


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts which class was taken for which.

    Args:
        truth: The true class of each pixel, integers in `[0, num_classes)`, of any shape.
        predicted: The classes that were found, of the same shape.
        num_classes: How many classes there are.

    Returns:
        `(num_classes, num_classes)`, int64: in row t and column p the number of pixels of class t
        that were taken for class p.

    Raises:
        ValueError: If the shapes differ, or a class is none of these.
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
                f"`{name}` must be integer classes, as `nearest_labels` finds them. Received: "
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
    """Measures a segmentation.

    Args:
        confusion: From `confusion_matrix`; those of several images may be added up first, as is
            customary.

    Returns:
        Shares in [0, 1]: `pixel_accuracy`, of pixels whose class is right; `class_accuracy`, the
        same within each class, and the mean over the classes that are in the truth; `class_iou`,
        for each class the pixels in both truth and prediction over those in either (intersection
        over union), and the mean over the classes that are in one of them. A class that is in
        neither counts in no mean.

    Raises:
        ValueError: If there are no pixels.

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
