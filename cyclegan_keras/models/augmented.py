"""Augmented CycleGAN: translations with latents for what the source does not tell."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.config.augmented import (
    AugmentedConfig,
    LatentResNetConfig,
    ShoeDiscriminatorConfig,
)
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.diffaugment import RandomView
from cyclegan_keras.networks import latent as networks
from cyclegan_keras.optimizers import apply_means
from cyclegan_keras.replicas import mean_over_all, unrecorded


class AugmentedCycleGAN(GAN):
    """Learns many translations of each image, without pairs.

    `g_AB` takes an image of A and a latent, which decides what an image of B has and an image of A
    does not tell. An encoder finds the latent of an image of B from it and its translation to A, so
    the way back from A need not find it hidden in the pixels. With `latents="both"`, images of A
    have latents, too, as in the paper; the authors' code has the half with those of B.

    Of a pair (a, b) with the latents z_a and z_b: `b~ = g_AB(a, z_b)`, `a' = g_BA(b~, e_A(a, b~))`,
    `z_b' = e_B(a, b~)`; and the mirror image, `a~ = g_BA(b, z_a)` and so on. The objective has, for
    each direction, a GAN loss of `b~`, one of `e_A(a, b~)` against random latents, the L1 error of
    `a'` and that of `z_b'`.

    Args:
        img_shape: `(height, width, channels)`; height and width even, at least 16.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn set `fruit_colors`,
            which is drawn when its first image is wanted.
        config: All settings. The defaults are those of the authors' code.
        seed: Of the initial weights and of random latents; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `latents="both"` or `num_latents=4`.

    Attributes:
        g_AB, g_BA: The generators; those with a latent take `[images, latents]`.
        e_B, e_A: The encoders, from `[imgs_A, imgs_B]` to latents; `e_A` is `None` without latents
            of A.
        d_A, d_B: The discriminators of images, compiled.
        d_z_B, d_z_A: Those of latents, compiled; `d_z_A` likewise.
        combined: The model through which generators and encoders are trained, compiled.
        translators, trained_encoders: What to translate with; copies if `ema` is on.

    Raises:
        ValueError: If images have a size that the networks do not take, or a setting is none of
            those that there are.

    Reference:
        [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151).
    """

    default_config = AugmentedConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_A_loss", "valid_B_loss"),
        "cycle": ("reconstr_A_loss", "reconstr_B_loss"),
        "latent": ("reconstr_z_B_loss",),
    }
    config: AugmentedConfig

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (64, 64, 3),
        data_loader: DataLoader | None = None,
        *,
        config: AugmentedConfig | None = None,
        seed: int | None = None,
        name: str = "augmented",
        **settings: Any,
    ) -> None:
        config = (config or AugmentedConfig()).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.latent_domains = config.latent_domains
        self.clip = config.step.clip
        self.source_negatives = config.step.source_negatives
        self.d_A = self._network(self.build_discriminator_of_A(), "d_A")
        self.d_B = self._network(self.build_discriminator(), "d_B")
        latents = config.latents
        self.d_z_A, self.d_z_B = (
            networks.latent_discriminator(latents, self._next_seed(), f"d_z_{domain}")
            if domain in self.latent_domains
            else None
            for domain in "AB"
        )
        self.g_AB = self._network(self.build_generator_to("B"), "g_AB")
        self.g_BA = self._network(self.build_generator_to("A"), "g_BA")
        self.e_A, self.e_B = (
            networks.encoder(latents, self.img_shape, self._next_seed(), f"e_{domain}")
            if domain in self.latent_domains
            else None
            for domain in "AB"
        )
        self.combined = self._connected()
        rate = config.optimizer.learning_rate * config.step.discriminator_rate
        clip = {"global_clipnorm": self.clip} if self.clip else {}
        for d in (*self.discriminators.values(), *self.latent_discriminators.values()):
            self._compile_discriminator(d, learning_rate=rate, **clip)
        self._compile_combined(*self._losses_and_weights())
        self.random = RandomStream(self._next_seed(), name="latents")
        self.view = RandomView.of(config.diffaugment, self._next_seed)
        self._finish()

    def build_discriminator_of_A(self) -> keras.Model:
        """Builds the discriminator of domain A: the paper has another one there than of B.

        Returns:
            A model from images to scores.
        """
        config = self.config.discriminator
        if isinstance(config, ShoeDiscriminatorConfig):
            return config.of_A().build(self.img_shape, self._next_seed())
        return self.build_discriminator()

    def build_generator_to(self, domain: str) -> keras.Model:
        """Builds the generator of images of a domain.

        Args:
            domain: "A" or "B".

        Returns:
            A model from images, or from `[images, latents]` if images of that domain have latents.
        """
        num_latents = self.config.latents.size if domain in self.latent_domains else 0
        generator = cast(LatentResNetConfig, self.config.generator)
        return networks.latent_resnet(
            generator, self.img_shape, self._next_seed(), None, num_latents
        )

    def _connected(self) -> Combined:
        img_A, img_B = (keras.Input(self.img_shape, name=f"img_{domain}") for domain in "AB")
        size = self.config.latents.size
        z_A, z_B = (
            keras.Input((size,), name=f"z_{domain}") if domain in self.latent_domains else None
            for domain in "AB"
        )
        outputs = self._outputs(lambda network, x: network(x), img_A, img_B, z_A, z_B)
        outputs |= self._judged(lambda network, x: network(x), outputs)
        inputs = [x for x in (img_A, img_B, z_A, z_B) if x is not None]
        found = {name: outputs[name] for name in self._losses_by_name()}
        return Combined.of(inputs, found, [*self.generators.values(), *self.encoders.values()])

    def _losses_by_name(self) -> dict[str, tuple[Any, float]]:
        """The loss and its weight for each output of `combined`."""
        loss = self.config.loss
        adversarial = OBJECTIVES[self.objective].generator
        forward, backward = loss.cycle_weights
        return {
            "valid_A": (adversarial, loss.lambda_gan),
            "valid_B": (adversarial, loss.lambda_gan),
            "reconstr_A": ("mae", forward),
            "reconstr_B": ("mae", backward),
            **{f"valid_z_{d}": (adversarial, loss.lambda_latent_gan) for d in self.latent_domains},
            **{f"reconstr_z_{d}": ("mae", loss.lambda_latent) for d in self.latent_domains},
        }

    def _losses_and_weights(self) -> tuple[list[Any], list[float]]:
        losses, weights = zip(*self._losses_by_name().values(), strict=True)
        return list(losses), list(weights)

    @property
    def compiled_models(self) -> list[keras.Model]:
        """The discriminators and `combined`."""
        found = [self.d_A, self.d_B, self.d_z_A, self.d_z_B, self.combined]
        return [model for model in found if model is not None]

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The generators that are trained, by name."""
        return {"g_AB": self.g_AB, "g_BA": self.g_BA}

    @property
    def encoders(self) -> dict[str, keras.Model]:
        """The encoders that are trained, by name."""
        return {e.name: e for e in (self.e_A, self.e_B) if e is not None}

    @property
    def companions(self) -> dict[str, keras.Model]:
        """The encoders, which are saved beside the generators."""
        return self.encoders

    @property
    def trained_encoders(self) -> dict[str, keras.Model]:
        """The encoders that belong to `translators`, by name; likewise copies with `ema`."""
        return self._averages_of(self.encoders)

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        """The discriminators of images, by name."""
        return {"d_A": self.d_A, "d_B": self.d_B}

    @property
    def latent_discriminators(self) -> dict[str, keras.Model]:
        """The discriminators of latents, by name. Those that cannot tell them apart are right."""
        return {d.name: d for d in (self.d_z_A, self.d_z_B) if d is not None}

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks that are trained, by name."""
        return {**super().networks, **self.latent_discriminators}

    @property
    def paced_optimizers(self) -> list[tuple[keras.optimizers.Optimizer, float]]:
        """All; discriminators learn at a share of the rate of the generators."""
        share = self.config.step.discriminator_rate
        return [
            (model.optimizer, 1.0 if model is self.combined else share)
            for model in self.compiled_models
        ]

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit_colors", self.img_shape[:2], channels=self.img_shape[2])

    def _outputs(self, call: Any, img_A: Any, img_B: Any, z_A: Any, z_B: Any) -> dict[str, Any]:
        """Translates there and back; `fake_*` are translations, and `z_*` encoded latents."""
        found = {
            "fake_B": call(self.g_AB, _with(img_A, z_B)),
            "fake_A": call(self.g_BA, _with(img_B, z_A)),
        }
        pair_of_A, pair_of_B = [img_A, found["fake_B"]], [found["fake_A"], img_B]
        # The latents that nobody drew: what the real image has and its translation does not tell.
        for domain, e, own, other in (
            ("A", self.e_A, pair_of_A, pair_of_B),
            ("B", self.e_B, pair_of_B, pair_of_A),
        ):
            if e is not None:
                found[f"z_{domain}"] = call(e, own)
                found[f"reconstr_z_{domain}"] = call(e, other)
        found["reconstr_A"] = call(self.g_BA, _with(found["fake_B"], found.get("z_A")))
        found["reconstr_B"] = call(self.g_AB, _with(found["fake_A"], found.get("z_B")))
        return found

    def _judged(self, call: Any, found: dict[str, Any]) -> dict[str, Any]:
        """Scores of translations and of latents that were found."""
        return {
            "valid_A": call(self.d_A, found["fake_A"]),
            "valid_B": call(self.d_B, found["fake_B"]),
            **{
                f"valid_z_{name[-1]}": call(d, found[f"z_{name[-1]}"])
                for name, d in self.latent_discriminators.items()
            },
        }

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """Discriminators first; then generators and encoders meet the updated ones."""
        calls = Calls()
        drawn = {
            domain: self.random.normal(
                (ops.shape(imgs)[0], self.config.latents.size), self.combined.variable_dtype
            )
            for domain, imgs in (("A", imgs_A), ("B", imgs_B))
            if domain in self.latent_domains
        }
        with tf.GradientTape() as tape, kernels_prepared_once(self.g_AB, self.g_BA):
            found = self._outputs(calls, imgs_A, imgs_B, drawn.get("A"), drawn.get("B"))
            with unrecorded(tape):
                d_logs = self._update_discriminators(imgs_A, imgs_B, drawn, found)
            seen = {name: self._seen(found[name]) for name in ("fake_A", "fake_B")}
            outputs = {**found, **self._judged(calls, {**found, **seen})}
            targets = {
                **{name: ops.ones_like(x) for name, x in outputs.items() if "valid" in name},
                "reconstr_A": imgs_A,
                "reconstr_B": imgs_B,
                **{f"reconstr_z_{domain}": z for domain, z in drawn.items()},
            }
            g_loss, losses = self.combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = self.combined.optimizer.scale_loss(g_loss)
        self._move_combined(tape, scaled_loss)
        return {**d_logs, "g_loss": g_loss, **{f"{name}_loss": x for name, x in losses.items()}}

    def _move_combined(self, tape: tf.GradientTape, scaled_loss: Any) -> None:
        """Moves generators and encoders, the gradient of each network clipped by itself."""
        networks = [
            network.trainable_variables for network in self.combined.trained_networks.values()
        ]
        gradients = tape.gradient(scaled_loss, networks)
        # What is clipped is the gradient of the whole batch.
        means = mean_over_all(tf.nest.flatten(gradients))
        gradients = tf.nest.pack_sequence_as(gradients, means)
        if self.clip:
            # Gradients are scaled under mixed precision, and so must the limit be.
            limit = self.combined.optimizer.scale_loss(ops.cast(self.clip, scaled_loss.dtype))
            gradients = [tf.clip_by_global_norm(each, limit)[0] for each in gradients]
        apply_means(
            self.combined.optimizer,
            [gradient for each in gradients for gradient in each],
            [variable for each in networks for variable in each],
        )

    def _update_discriminators(
        self, imgs_A: Any, imgs_B: Any, drawn: dict[str, Any], found: dict[str, Any]
    ) -> dict[str, Any]:
        see, share = self._seen, self.source_negatives
        logs = {
            f"d_{domain}": self.update_discriminator(
                self.discriminators[f"d_{domain}"],
                see(real),
                see(found[f"fake_{domain}"]),
                see(other) if share else None,
                share,
            )
            for domain, real, other in (("A", imgs_A, imgs_B), ("B", imgs_B, imgs_A))
        }
        for name, d in self.latent_discriminators.items():
            z, encoded = drawn[name[-1]], found[f"z_{name[-1]}"]
            logs[name] = self.update_discriminator(d, z, encoded, is_regularized=False)
        names = logs["d_A"].keys()
        return {
            **{
                f"d_{name}": sum(each[name] for each in logs.values() if name in each)
                / sum(name in each for each in logs.values())
                for name in names
            },
            **{f"{d}_{name}": x for d, each in logs.items() for name, x in each.items()},
        }

    def _seen(self, imgs: Any) -> Any:
        """What discriminators see of images."""
        return imgs if self.view is None else self.view(imgs)


def _with(imgs: Any, latents: Any) -> Any:
    """What a generator takes, with latents or without."""
    return imgs if latents is None else [imgs, latents]
