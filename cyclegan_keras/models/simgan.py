"""SimGAN: a translation should look like the target domain, and differ little from its input."""

from typing import Any

from cyclegan_keras.config.simgan import SimGANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.models.one_way import OneWayGAN


class SimGAN(OneWayGAN):
    """Translates one way, and keeps the pixels of the input as far as the discriminator lets it.

    The generator G minimises `LS(D(G(x)), 1) + λ·mean|x − G(x)|`.

    This is the baseline of the CycleGAN paper, with CycleGAN's networks. SimGAN's own paper has a
    refiner without halvings, a cross-entropy for each patch, and several updates of either network
    in turn.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        config: The settings; `None` means those of the CycleGAN paper.
        seed: Of the initial weights, the pool and the views; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as `lambda_self=5`.

    Attributes:
        g: The generator, named "g_AB" or "g_BA".
        d: The discriminator, compiled.
        combined: The model from `source` to `valid` and `content`, the translation itself.
        translators: The generator to translate with, by name; a copy if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Shrivastava et al., 2016](https://arxiv.org/abs/1612.07828), equation 4;
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 5.1.
    """

    default_config = SimGANConfig()

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        data_loader: DataLoader | None = None,
        *,
        config: SimGANConfig | None = None,
        seed: int | None = None,
        name: str = "simgan",
        **settings: Any,
    ) -> None:
        config = (config or SimGANConfig()).with_settings(**settings)
        super().__init__(
            img_shape, config, config.loss.lambda_self, data_loader, seed=seed, name=name
        )

    def content_of(self, imgs: Any) -> Any:
        """The images themselves."""
        return imgs
