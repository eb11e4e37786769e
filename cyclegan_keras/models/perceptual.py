"""The perceptual loss: how different two images are to a classifier."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.metrics.backbones import efficientnet

# Of the sets of features, those of the largest images first; the paper's for the layers of VGG-19.
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


@keras.saving.register_keras_serializable(package=PACKAGE)
class PerceptualDistance(keras.layers.Layer):
    """The mean absolute difference between what a classifier makes of two images.

    The classifier is EfficientNet-Lite0 with its ImageNet weights, and what is compared is its last
    features of each of five sizes. The paper has VGG-19, whose weights this package does not use.
    These weights are not trained, and are no part of what is saved.

    Args:
        make: Makes the classifier's features, on which `scale` has no effect; `None` means those of
            EfficientNet-Lite0.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        Two batches of images in [-1, 1], `(batch, height, width, channels)`, RGB or gray; the
        second one's features count as constant.

    Output shape:
        `(batch,)`.

    Raises:
        FileNotFoundError: If the weights are not installed.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), section 7;
        [Johnson et al., 2016](https://arxiv.org/abs/1603.08155).
    """

    def __init__(self, make: Callable[[], keras.Model] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._classifier = _Hidden((make or _efficientnet)())

    def call(self, inputs: Any) -> Any:
        """Returns the distance of each pair."""
        model = self._classifier.model
        images, truths = (_for_classifier(x) for x in inputs)
        found = model(images, training=False)
        wanted = model(ops.stop_gradient(truths), training=False)
        return sum(
            weight * _mean_error(one, ops.stop_gradient(other))
            for weight, one, other in zip(WEIGHTS, found, wanted, strict=True)
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of one number for each image."""
        return (input_shape[0][0],)


class _Hidden:
    """A model where Keras does not look for weights to save and to train."""

    def __init__(self, model: keras.Model) -> None:
        model.trainable = False
        self.model = model


def _efficientnet() -> keras.Model:
    try:
        return efficientnet.load_scales()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The perceptual loss needs a classifier. {error} Or leave this loss out: "
            "--lambda-perceptual 0."
        ) from None


def _for_classifier(imgs: Any) -> Any:
    """Scales images from [-1, 1] as `efficientnet.scale` does, and makes gray ones RGB."""
    if imgs.shape[-1] == 1:
        imgs = ops.concatenate([imgs] * 3, axis=-1)
    return (imgs * 127.5 + 0.5) / 128


def _mean_error(one: Any, other: Any) -> Any:
    dtype = keras.config.dtype_policy().variable_dtype
    return ops.mean(ops.absolute(ops.cast(one, dtype) - ops.cast(other, dtype)), axis=(1, 2, 3))
