"""CUT and FastCUT: one generator and no cycle, by contrasting patches."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.config.cut import CUTConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.losses import OBJECTIVES, patch_nce
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.diffaugment import RandomView
from cyclegan_keras.models.image_pool import ImagePool
from cyclegan_keras.models.on_replicas import only_if
from cyclegan_keras.models.patch_sampler import PatchSampler
from cyclegan_keras.networks.encoder import encoder_outputs
from cyclegan_keras.networks.projection import build_projection_heads
from cyclegan_keras.replicas import unrecorded, whole_batch

CONTRASTS = ("nce", "nce_id")


class CUT(GAN):
    """Learns to translate images one way, without pairs and without a way back.

    Instead of a cycle, each patch of a translation must resemble the patch of the original at the
    same place more than it resembles other patches of the original. What is compared are features
    that the generator's own first half has of both, each projected by a small network of its own,
    a head. With `lambda_nce_id`, images of the target domain should stay as they are, by the same
    measure. That is CUT; FastCUT leaves it out, gives the other loss ten times the weight, and
    mirrors images in half of the steps.

    The authors' code halves both contrastive losses where both are in use, which the paper does
    not say; here, each has the weight that it is given. It starts the generator and the
    discriminator with Xavier's weights times 0.02; here they start as CycleGAN's do.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve.
        gf: Filters of the generator's first layer; `None` means those of `config`, the paper's 64.
        df: Filters of the discriminator's first layer; likewise.
        direction: "A-to-B" or "B-to-A"; `None` means that of `config`, "A-to-B".
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn set `fruit`, which
            is drawn when its first image is wanted.
        config: All other settings: networks, losses, steps, augmentation, optimizers.
        seed: Of the initial weights, the patches and the mirroring; `None` draws other ones each
            time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as `lambda_nce=10`.

    Attributes:
        g: The generator, named "g_AB" or "g_BA".
        d: The discriminator of the target domain, compiled.
        encoder: From images to the features of them that are compared; its layers are the
            generator's.
        heads: The projection heads, which are trained along with the generator.
        combined: The model from `[source, target]` to `valid`, `nce` and `nce_id`, compiled;
            training it moves the generator and the heads only.
        translators: The generator to translate with, by name; a copy if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, a setting is none
            of those that there are, or the generator has no features to compare.

    Reference:
        [Park et al., 2020](https://arxiv.org/abs/2007.15651).
    """

    default_config = CUTConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_loss",),
        "NCE": ("nce_loss",),
        "NCE id": ("nce_id_loss",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        gf: int | None = None,
        df: int | None = None,
        direction: str | None = None,
        data_loader: DataLoader | None = None,
        *,
        config: CUTConfig | None = None,
        seed: int | None = None,
        name: str = "cut",
        **settings: Any,
    ) -> None:
        first = {"gf": gf, "df": df, "direction": direction}
        settings |= {key: value for key, value in first.items() if value is not None}
        config = (config or CUTConfig()).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.gf = config.generator.gf
        self.df = config.discriminator.df
        self.direction = config.direction
        self.update_first = config.step.update_first
        self.source_negatives = config.step.source_negatives
        self.temperature = config.loss.temperature

        self.d = self._network(self.build_discriminator(), "d")
        self.g = self._network(
            self.build_generator(), "g_AB" if self.direction == "A-to-B" else "g_BA"
        )
        self.encoder = self.build_encoder()
        # What it takes to encode is a part of translating, so both are done at once.
        self._translator = keras.Model(self.g.inputs, [*self.g.outputs, *self.encoder.outputs])
        self.heads = build_projection_heads(
            [features.shape[-1] for features in self.encoder.outputs],
            config.loss.projection_dim,
            self._next_seed(),
        )
        self.sampler = PatchSampler(config.loss.num_patches, self._next_seed(), name="sampler")
        self.combined = self._connect()
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        # What contrasts come to is a loss already, at least 0: its error to 0 is itself.
        self._compile_combined(
            [OBJECTIVES[self.objective].generator, "mae", "mae"],
            [config.loss.lambda_gan, config.loss.lambda_nce, config.loss.lambda_nce_id],
        )
        self.mirror = None
        if config.step.flip_equivariance:
            self.mirror = RandomStream(self._next_seed(), name="mirror")
        self.pool = None
        if config.step.pool_size:
            self.pool = ImagePool(config.step.pool_size, self._next_seed(), name="pool")
            self.pool.build((None, *self.img_shape))
        self.view = None
        augment = config.diffaugment
        if augment.translation or augment.color or augment.cutout:
            self.view = RandomView(
                augment.translation,
                augment.color,
                self._next_seed(),
                cutout=augment.cutout,
                name="view",
            )
        self._finish()

    def build_encoder(self) -> keras.Model:
        """Builds the encoder out of the generator's layers. Override it to compare other features.

        Returns:
            A model from images to a list of features, `(batch, height, width, channels)` each.
        """
        return keras.Model(self.g.inputs, encoder_outputs(self.g), name="encoder")

    def _connect(self) -> Combined:
        source, target = (keras.Input(self.img_shape, name=name) for name in ("source", "target"))
        outputs = {"valid": self.d(self.g(source))}
        for name, img in zip(CONTRASTS, (source, target), strict=True):
            outputs[name] = self._contrast(
                self.encoder(self.g(img)),
                self.encoder(img),
                lambda network, patches: network(patches),
            )
        return Combined.of([source, target], outputs, [self.g, self.heads])

    @property
    def compiled_models(self) -> list[keras.Model]:
        """`d` and `combined`."""
        return [self.d, self.combined]

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The one generator, by its name."""
        return {self.g.name: self.g}

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit", img_res=self.img_shape[:2], channels=self.img_shape[2])

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """Equation 4: the discriminator first; then the generator and the heads meet it."""
        a_to_b = self.direction == "A-to-B"
        source, target = (imgs_A, imgs_B) if a_to_b else (imgs_B, imgs_A)
        combined, calls = self.combined, Calls()
        with tf.GradientTape() as tape, kernels_prepared_once(self.g):
            originals = [source, target] if combined.wants("nce_id") else [source]
            is_mirrored = self._draw_mirroring()
            translated = calls.on_each(
                self._translator, *(_mirrored(imgs, is_mirrored) for imgs in originals)
            )
            fakes = [fake for fake, *_ in translated]
            if self.update_first == "discriminators":  # on the very same fake
                with unrecorded(tape):
                    d_logs = self._update_discriminator(source, target, fakes[0])

            outputs = {"valid": calls(self.d, self._seen(fakes[0]))}
            targets = {"valid": ops.ones_like(outputs["valid"])}
            encoded = calls.on_each(self.encoder, *fakes)
            for name, queries, imgs, (_, *keys) in zip(
                CONTRASTS, encoded, originals, translated, strict=False
            ):
                if is_mirrored is not None:
                    queries = [_mirrored(x, is_mirrored) for x in _listed(queries)]
                    keys = self._features_unmirrored(imgs, keys, is_mirrored)
                outputs[name] = self._contrast(queries, keys, calls)
                targets[name] = ops.zeros_like(outputs[name])
            g_loss, losses = combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = combined.optimizer.scale_loss(g_loss)

        variables = combined.trainable_variables
        combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        if self.update_first == "generators":  # then the fake is from before their update
            d_logs = self._update_discriminator(source, target, fakes[0])
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }

    def _contrast(self, queries: Any, keys: Any, call: Any) -> Any:
        """The contrastive loss of each image, the mean over the layers, `(batch,)`."""
        sampled = self.sampler(_listed(queries), _listed(keys))
        projected = [_listed(call(self.heads, patches)) for patches in sampled]
        losses = [
            patch_nce(of_query, of_key, self.temperature)
            for of_query, of_key in zip(*projected, strict=True)
        ]
        return ops.mean(ops.stack(losses), axis=0)

    def _draw_mirroring(self) -> Any:
        """Whether this step translates mirrored images; `None` if none does."""
        if self.mirror is None:
            return None
        with whole_batch():  # One choice for all images, whichever replica has them.
            return self.mirror.uniform(()) < 0.5

    def _features_unmirrored(self, imgs: Any, features: list[Any], is_mirrored: Any) -> list[Any]:
        """The features of images as they are, of which there may be only those of mirrored ones."""
        return only_if(
            is_mirrored,
            lambda: _listed(self.encoder(imgs, training=True)),
            lambda: features,
            self.encoder,
        )

    def _update_discriminator(self, source: Any, target: Any, fake: Any) -> dict[str, Any]:
        see, share = self._seen, self.source_negatives
        fake = fake if self.pool is None else self.pool(fake)
        return self.update_discriminator(
            self.d, see(target), see(fake), see(source) if share else None, share
        )

    def _seen(self, imgs: Any) -> Any:
        """What the discriminator sees of images."""
        return imgs if self.view is None else self.view(imgs)


def _mirrored(imgs: Any, is_mirrored: Any) -> Any:
    """Images, or features of images, mirrored left to right if they are to be."""
    return imgs if is_mirrored is None else tf.where(is_mirrored, ops.flip(imgs, axis=2), imgs)


def _listed(features: Any) -> list[Any]:
    """Features as a list; Keras does not make one of a single output."""
    return keras.tree.flatten(features)
