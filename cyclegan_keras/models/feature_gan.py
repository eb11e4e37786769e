"""Feature loss + GAN: a translation should have features like those of its input."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras.config.feature_gan import FeatureGANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.models.one_way import OneWayGAN


class FeatureGAN(OneWayGAN):
    """Translates one way, and keeps the features of the input as far as the discriminator lets it.

    The generator G minimises `LS(D(G(x)), 1) + λ·mean|φ(x) − φ(G(x))|`, where φ is a stage of
    EfficientNet-Lite0, trained on ImageNet. The CycleGAN paper has relu4_2 of VGG-16. Metrics by
    features of φ's network would favour it, so `--extractor auto` judges it by EfficientNet-Lite1.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        config: The settings; `None` means those of the CycleGAN paper.
        seed: Of the initial weights, the pool and the views; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `lambda_features=5`.

    Attributes:
        g: The generator, named "g_AB" or "g_BA".
        d: The discriminator, compiled.
        phi: The network whose features are compared. It is not trained.
        combined: The model from `source` to `valid` and `content`, the features of the translation.
        translators: The generator to translate with, by name; a copy if `ema` is on.

    Raises:
        FileNotFoundError: If the weights of EfficientNet-Lite0 are not installed.
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 5.1.
    """

    config: FeatureGANConfig
    default_config = FeatureGANConfig()

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        data_loader: DataLoader | None = None,
        *,
        config: FeatureGANConfig | None = None,
        seed: int | None = None,
        name: str = "feature_gan",
        **settings: Any,
    ) -> None:
        config = (config or FeatureGANConfig()).with_settings(**settings)
        super().__init__(
            img_shape, config, config.loss.lambda_features, data_loader, seed=seed, name=name
        )

    def build_features(self) -> keras.Model:
        """Builds the network whose features are compared. Override it to compare by another one.

        Returns:
            A model from images in [-1, 1], of `img_shape`, to features.

        Raises:
            FileNotFoundError: If the weights of EfficientNet-Lite0 are not installed.
        """
        return efficientnet.load_stage(self.config.loss.feature_stage, self.img_shape)

    def prepare(self) -> None:
        """Makes `phi`."""
        self.phi = self.build_features()
        self.phi.trainable = False  # Batch normalization then takes the statistics of ImageNet.

    def content_of(self, imgs: Any) -> Any:
        """The features of the images, in the precision of losses."""
        return ops.cast(self.phi(imgs), keras.config.dtype_policy().variable_dtype)
