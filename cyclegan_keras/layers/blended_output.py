"""The output of a generator as a blend of its input and a new image."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE

# Of the mask before its sigmoid, for features of 0: images begin nearly unchanged, at 12 % of the
# new one, but far enough from 0 % for the mask to learn.
OFFSET = -2.0


@keras.saving.register_keras_serializable(package=PACKAGE)
class BlendImages(keras.layers.Layer):
    """Blends an image with a new one, by a mask: `image + mask * (new - image)`.

    Half of the features make the new image, `tanh(features)`, and the others the mask for each of
    its channels, `sigmoid(features - 2)`. Where the mask is near 0, the image stays as it is, so a
    generator need not learn to draw its input anew; where it is near 1, nothing of the image is
    left. A change that is added to the image (`ChangeImage`) would have to cancel what is to go.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        The features, any float, `(batch, height, width, 2 * channels)`; and the image in [-1, 1],
        `(batch, height, width, channels)`.

    Output shape:
        Same as the image's.

    Reference:
        [Pumarola et al., 2018](https://arxiv.org/abs/1807.09251), section 4.1;
        [Mejjati et al., 2018](https://arxiv.org/abs/1806.02311).
    """

    def call(self, inputs: Any) -> Any:
        """Returns the blended images."""
        features, image = inputs
        # The gradient of a split is one concatenation; that of two slices takes longer.
        blended = _blend(image, *ops.split(features, 2, axis=-1))
        return ops.cast(blended, self.compute_dtype)

    def blend(self, inputs: Any) -> Any:
        """Blends images by operations of Keras alone, each of which makes one array.

        Args:
            inputs: As for `call`.

        Returns:
            The blended images.
        """
        features, image = inputs
        channels = image.shape[-1]
        return _blend(image, features[..., :channels], features[..., channels:])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the image."""
        return tuple(input_shape[1])


def _blend(image: Any, new: Any, mask: Any) -> Any:
    new, mask = ops.tanh(new), ops.sigmoid(mask + OFFSET)
    return image + mask * (new - image)
