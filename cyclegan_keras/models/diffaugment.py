"""What discriminators see of an image, where they do not see it as it is."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from cyclegan_keras.config.gans import DiffAugmentConfig
from cyclegan_keras.layers.random_stream import RandomStream

# Half the width of what each is drawn from at `color=1`, as in the paper.
BRIGHTNESS, SATURATION, CONTRAST = 0.5, 1.0, 0.5


class RandomView(keras.layers.Layer):
    """Shifts and recolors images, and cuts pieces out of them, at random and each by itself.

    Real and translated images both go through it, and the generators' gradients come back through
    it, so it does not show in translations; but discriminators cannot learn a few hundred images
    by heart any more.

    Args:
        shift: The largest shift up and down, left and right, in shares of the image's size, in
            [0, 1); 0.125 in the paper. What comes in from outside is 0, medium gray.
        color: How much brightness, saturation and contrast change; 0 is not at all, and 1 as in
            the paper.
        cutout: Height and width of a rectangle that becomes medium gray, in shares of the image's,
            in [0, 1]; 0.5 in the paper. Its middle is anywhere, so it may reach out of the image.
        seed: Of its choices; `None` draws another one each time.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, with known height and width.

    Output shape:
        Same as the input's.

    Reference:
        [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), section 3.3.
    """

    def __init__(
        self,
        shift: float = 0.125,
        color: float = 1.0,
        seed: int | None = None,
        *,
        cutout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= shift < 1:
            raise ValueError(f"`shift` must be in [0, 1). Received: shift={shift}")
        if not color >= 0:
            raise ValueError(f"`color` must be at least 0. Received: color={color}")
        if not 0 <= cutout <= 1:
            raise ValueError(f"`cutout` must be in [0, 1]. Received: cutout={cutout}")
        self.shift = shift
        self.color = color
        self.cutout = cutout
        self.random = RandomStream(seed)
        # Translations are float32, whatever the precision of the networks, and so is chance.
        self.autocast = False
        self.built = True

    @classmethod
    def of(
        cls, config: DiffAugmentConfig, next_seed: Callable[[], int | None]
    ) -> "RandomView | None":
        """Makes the one that settings describe.

        Args:
            config: Its settings.
            next_seed: Gives the seed of its choices; called only if there is something to choose.

        Returns:
            The layer; `None` if nothing is to be changed.
        """
        if not (config.translation or config.color or config.cutout):
            return None
        return cls(config.translation, config.color, next_seed(), cutout=config.cutout, name="view")

    def call(self, inputs: Any) -> Any:
        """Returns the views."""
        chances = self.random.uniform((tf.shape(inputs)[0], 5))
        # -1 to 1 each.
        chances = tf.cast(2 * chances - 1, inputs.dtype)
        if self.color:
            inputs = self._recolored(inputs, chances[:, :3])
        if self.shift:
            inputs = self._shifted(inputs, chances[:, 3:])
        return self._cut_out(inputs) if self.cutout else inputs

    def _recolored(self, imgs: Any, chances: Any) -> Any:
        brightness, saturation, contrast = (
            self.color * width * chances[:, place, None, None, None]
            for place, width in enumerate((BRIGHTNESS, SATURATION, CONTRAST))
        )
        imgs = imgs + brightness
        gray = tf.reduce_mean(imgs, axis=3, keepdims=True)
        imgs = gray + (1 + saturation) * (imgs - gray)
        mean = tf.reduce_mean(imgs, axis=(1, 2, 3), keepdims=True)
        return mean + (1 + contrast) * (imgs - mean)

    def _shifted(self, imgs: Any, chances: Any) -> Any:
        for axis, chance in ((1, chances[:, :1]), (2, chances[:, 1:])):
            size = imgs.shape[axis]
            most = round(self.shift * size)
            # Each whole number of pixels, from -most to most, equally often.
            places = tf.range(size)[None] + _whole((chance + 1) / 2, 2 * most + 1)
            margins = [(0, 0)] * 4
            margins[axis] = (most, most)
            imgs = tf.gather(tf.pad(imgs, margins), places, axis=axis, batch_dims=1)
        return imgs

    def _cut_out(self, imgs: Any) -> Any:
        # Chances of its own, so that shifts and colors are the same with it as without.
        chances = self.random.uniform((tf.shape(imgs)[0], 2))
        inside = []
        for axis in (1, 2):
            size = imgs.shape[axis]
            width = round(self.cutout * size)
            # The middle of an even width is between two pixels, or at a border of the image.
            first = _whole(chances[:, axis - 1, None], size + 1 - width % 2) - width // 2
            places = tf.range(size)[None]
            inside.append((places >= first) & (places < first + width))
        cut = inside[0][:, :, None, None] & inside[1][:, None, :, None]
        return tf.where(cut, tf.zeros((), imgs.dtype), imgs)


def _whole(chances: Any, count: int) -> Any:
    """Whole numbers from 0 to `count - 1`, each equally likely, of numbers in [0, 1)."""
    # The product of the largest is rounded up.
    return tf.minimum(tf.cast(tf.floor(chances * count), tf.int32), count - 1)
