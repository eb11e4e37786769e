"""Networks that label images: those of CyCADA, for small images."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.classifiers import ClassifierConfig, LeNetConfig
from cyclegan_keras.networks.common import ImgShape, dropouts, glorot_initializers

RATES = (0.1, 0.3, 0.5)  # Of dropout behind the halvings of the strided network.
# Of larger images, the strided network halves once more for each doubling, so that the dense layer
# takes as many features.
SMALL = 32


def build_classifier(
    img_shape: ImgShape,
    num_classes: int,
    config: ClassifierConfig | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a classifier, in Keras's own layers.

    "lenet": convolution 5×5 with 20 filters, max pooling, ReLU; convolution 5×5 with 50, dropout
    0.5, max pooling, ReLU; dense 500, ReLU, dropout 0.5; scores. "strided": convolutions 5×5 of
    stride 2 with 64, 128 and 256 filters, each with batch normalization, dropout (0.1, 0.3, 0.5)
    and ReLU; dense 512, ReLU; scores. From 64 pixels on, it has another halving with 256 filters
    for each doubling of the size.

    Args:
        img_shape: `(height, width, channels)`, at least 28 pixels.
        num_classes: How many labels there are.
        config: Kind and width; `None` means a `LeNetConfig`.
        seed: Of the initial weights, and of dropout; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from images, float32 in [-1, 1], to scores `(batch, num_classes)`, whose
        softmax are the probabilities.

    Raises:
        ValueError: If images are smaller, or there are fewer than two classes.

    Reference:
        [Hoffman et al., 2017](https://arxiv.org/abs/1711.03213), and the authors' code.
    """
    config = config or LeNetConfig()
    sides = img_shape[:2]
    if any(side is None or side < 28 for side in sides):
        raise ValueError(
            "`img_shape` must have a height and width of at least 28 pixels, so that a classifier "
            f"has something left to look at. Received: img_shape={img_shape}"
        )
    if num_classes < 2:
        raise ValueError(f"There must be two classes or more. Received: num_classes={num_classes}")
    build = _lenet if isinstance(config, LeNetConfig) else _strided
    img = keras.Input(img_shape)
    initializers = glorot_initializers(seed)
    x = build(img, config.cf, initializers, seed)
    # Losses are taken of the scores: in full precision, whatever the rest is computed in.
    full = keras.config.dtype_policy().variable_dtype
    scores = layers.Dense(
        num_classes, kernel_initializer=next(initializers), dtype=full, name="scores"
    )(x)
    return keras.Model(img, scores, name=name)


def _lenet(img: Any, cf: int, initializers: Iterator[Any], seed: int | None) -> Any:
    drops = dropouts(0.5, seed)
    x = layers.Conv2D(cf, 5, kernel_initializer=next(initializers))(img)
    x = layers.ReLU()(layers.MaxPooling2D()(x))
    x = layers.Conv2D(5 * cf // 2, 5, kernel_initializer=next(initializers))(x)
    x = layers.ReLU()(layers.MaxPooling2D()(next(drops)(x)))
    x = layers.Dense(25 * cf, kernel_initializer=next(initializers))(layers.Flatten()(x))
    return next(drops)(layers.ReLU()(x))


def _strided(img: Any, cf: int, initializers: Iterator[Any], seed: int | None) -> Any:
    x = img
    # Not one iterator of dropouts: each has a share of its own.
    more = max(0, (min(img.shape[1:3]) // SMALL).bit_length() - 1)
    for level, rate in enumerate((*RATES, *RATES[-1:] * more)):
        filters = cf * min(2**level, 4)
        x = layers.Conv2D(filters, 5, 2, "same", kernel_initializer=next(initializers))(x)
        x = layers.BatchNormalization()(x)
        own = None if seed is None else seed + level
        x = layers.ReLU()(layers.Dropout(rate, seed=own)(x))
    x = layers.Dense(8 * cf, kernel_initializer=next(initializers))(layers.Flatten()(x))
    return layers.ReLU()(x)


def build_feature_discriminator(
    num_classes: int, units: int = 500, seed: int | None = None, name: str | None = None
) -> keras.Model:
    """Builds what tells, by the scores of a classifier, from which domain its image is.

    Args:
        num_classes: How many scores there are.
        units: Of the two hidden layers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from scores to two scores: of the target domain, and of the source.

    Reference:
        [Tzeng et al., 2017](https://arxiv.org/abs/1702.05464) (ADDA), and the code of CyCADA.
    """
    initializers = glorot_initializers(seed)
    scores = keras.Input((num_classes,))
    x: Any = scores
    for _ in range(2):
        x = layers.Dense(units, activation="relu", kernel_initializer=next(initializers))(x)
    full = keras.config.dtype_policy().variable_dtype
    x = layers.Dense(2, kernel_initializer=next(initializers), dtype=full)(x)
    return keras.Model(scores, x, name=name)
