"""The `CycleGAN` class of *GANs in Action*, chapter 9, on Keras 3."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.config.cyclegan import CycleGANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import OUTPUTS, Combined
from cyclegan_keras.models.diffaugment import RandomView
from cyclegan_keras.models.image_pool import ImagePool
from cyclegan_keras.replicas import unrecorded


class CycleGAN(GAN):
    """Learns to translate images of domain A to domain B and back, without pairs.

    The four networks are ordinary Keras models, and so is `combined`, through which the generators
    are trained. The book's way (`train_on_batch` on `d_A`, `d_B` and `combined`) and the fast way
    (`train_step`) use the same optimizers, losses and weights: those that the three were compiled
    with. Compile them anew to change any of it. One optimizer may be given to all three, as in the
    book: each then trains with a copy that has its own state.

    All defaults are the book's. Those of the paper, at its size:
    `CycleGAN(**TrainConfig(recipe="paper").model_settings())`.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve, four times by default.
        gf: Filters of the generators' first layer; `None` means those of `config`, the book's 32.
        df: Filters of the discriminators' first layer; `None` means those of `config`, the book's
            64.
        lambda_cycle: Weight of each cycle-consistency loss; `None` means that of `config`, the
            book's 10.
        lambda_id: Weight of each identity loss, absolute; `None` means that of `config`, the book's
            `0.9 * lambda_cycle`.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        config: All other settings: networks, losses, steps, augmentation, optimizers.
        seed: Of the initial weights and the pools; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `generator="resnet"` or `pool_size=50`.

    Attributes:
        g_AB, g_BA: The generators, from A to B and from B to A.
        d_A, d_B: The discriminators that judge domain A and domain B, compiled.
        combined: The model from `[img_A, img_B]` to `valid_A, valid_B, reconstr_A, reconstr_B,
            img_A_id, img_B_id`, compiled; training it moves the generators only.
        disc_patch: Shape of a discriminator's scores for one image.
        img_rows, img_cols, channels: The parts of `img_shape`.
        data_loader, dataset_name: What `train` trains on.
        translators: The generators to translate with, by name; copies if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Example:
    ```python
    gan = CycleGAN(img_shape=(64, 64, 3))
    gan.train(epochs=10, batch_size=1, sample_interval=200)
    gan.g_AB.save("g_AB.keras")
    ```

    Reference:
        *GANs in Action*, listings 9.3 to 9.6; [Zhu et al., 2017](https://arxiv.org/abs/1703.10593).
    """

    default_config = CycleGANConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_A_loss", "valid_B_loss"),
        "cycle": ("reconstr_A_loss", "reconstr_B_loss"),
        "id": ("img_A_id_loss", "img_B_id_loss"),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (128, 128, 3),
        gf: int | None = None,
        df: int | None = None,
        lambda_cycle: float | None = None,
        lambda_id: float | None = None,
        data_loader: DataLoader | None = None,
        *,
        config: CycleGANConfig | None = None,
        seed: int | None = None,
        name: str = "cyclegan",
        **settings: Any,
    ) -> None:
        of_the_book = {"gf": gf, "df": df, "lambda_cycle": lambda_cycle, "lambda_id": lambda_id}
        settings |= {key: value for key, value in of_the_book.items() if value is not None}
        config = (config or self.default_config).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.gf = config.generator.gf
        self.df = config.discriminator.df
        self.lambda_cycle = config.loss.lambda_cycle
        self.lambda_id = config.loss.identity_weight
        self.update_first = config.step.update_first
        self.source_negatives = config.step.source_negatives

        self.d_A = self._network(self.build_discriminator(), "d_A")
        self.d_B = self._network(self.build_discriminator(), "d_B")
        self.g_AB = self._network(self.build_generator(), "g_AB")
        self.g_BA = self._network(self.build_generator(), "g_BA")
        self._make_further_networks()
        self.combined = Combined.connect(
            self.img_shape, self.g_AB, self.g_BA, self.d_A, self.d_B, self._further_outputs
        )
        self.disc_patch = self._disc_patch(self.d_A)
        for d in (self.d_A, self.d_B):
            self._compile_discriminator(d)
        adversarial, loss = OBJECTIVES[self.objective].generator, config.loss
        further = self._further_losses()
        self._compile_combined(
            [adversarial, adversarial, "mae", "mae", "mae", "mae", *(each for each, _ in further)],
            [
                loss.lambda_gan,
                loss.lambda_gan,
                *loss.cycle_weights,
                loss.identity_weight,
                loss.identity_weight,
                *(weight for _, weight in further),
            ],
        )
        pool_size = config.step.pool_size
        self.pool_A, self.pool_B = (
            ImagePool(pool_size, self._next_seed(), name=f"pool_{domain}") if pool_size else None
            for domain in "AB"
        )
        for pool in (self.pool_A, self.pool_B):
            if pool is not None:
                pool.build((None, *self.img_shape))
        self.view = RandomView.of(config.diffaugment, self._next_seed)
        self._finish()

    @property
    def compiled_models(self) -> list[keras.Model]:
        """`d_A`, `d_B` and `combined`."""
        return [self.d_A, self.d_B, self.combined]

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The generators that are trained, by name."""
        return {"g_AB": self.g_AB, "g_BA": self.g_BA}

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit", img_res=self.img_shape[:2], channels=self.img_shape[2])

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """The algorithm box: before listing 9.6 in the book, section 4 and the code of the paper.

        The book translates the batch anew for the generators' update; they have not changed since,
        so here the same translations serve for both.
        """
        g_AB, g_BA, combined, calls = self.g_AB, self.g_BA, self.combined, Calls()
        with tf.GradientTape() as tape, kernels_prepared_once(g_AB, g_BA):
            outputs = {}
            if combined.wants("img_A_id", "img_B_id"):
                fake_B, outputs["img_B_id"] = calls.on_each(g_AB, imgs_A, imgs_B)
                outputs["img_A_id"], fake_A = calls.on_each(g_BA, imgs_A, imgs_B)
            else:
                fake_B, fake_A = calls(g_AB, imgs_A), calls(g_BA, imgs_B)
                if calls.losses:  # Then those of `combined`'s other two calls count as well.
                    calls(g_BA, imgs_A), calls(g_AB, imgs_B)

            if self.update_first == "discriminators":  # on the very same fakes
                with unrecorded(tape):
                    d_logs = self._update_discriminators(imgs_A, imgs_B, fake_A, fake_B)

            # Equation 3: discriminators should take translations for real, cycles should end where
            # they began, and images of the target domain should stay as they are.
            outputs["valid_A"] = calls(self.d_A, self._seen(fake_A))
            outputs["valid_B"] = calls(self.d_B, self._seen(fake_B))
            outputs["reconstr_A"] = calls(g_BA, fake_B)
            outputs["reconstr_B"] = calls(g_AB, fake_A)
            targets = {
                **{name: ops.ones_like(outputs[name]) for name in ("valid_A", "valid_B")},
                "reconstr_A": imgs_A,
                "reconstr_B": imgs_B,
                "img_A_id": imgs_A,
                "img_B_id": imgs_B,
            }
            if combined.wants(*combined.output_names[len(OUTPUTS) :]):
                outputs |= self._further_outputs(fake_A, fake_B)
                with unrecorded(tape):
                    targets |= self._further_targets(imgs_A, imgs_B)
            g_loss, losses = combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = combined.optimizer.scale_loss(g_loss)

        variables = combined.trainable_variables
        combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        if self.update_first == "generators":  # then the fakes are from before their update
            d_logs = self._update_discriminators(imgs_A, imgs_B, fake_A, fake_B)
        return {**d_logs, "g_loss": g_loss, **{f"{name}_loss": x for name, x in losses.items()}}

    def _update_discriminators(
        self, imgs_A: Any, imgs_B: Any, fake_A: Any, fake_B: Any
    ) -> dict[str, Any]:
        see, share = self._seen, self.source_negatives
        if self.pool_A is not None and self.pool_B is not None:
            fake_A, fake_B = self.pool_A(fake_A), self.pool_B(fake_B)
        logs_A, logs_B = (
            self.update_discriminator(d, see(real), see(fake), see(other) if share else None, share)
            for d, real, fake, other in (
                (self.d_A, imgs_A, fake_A, imgs_B),
                (self.d_B, imgs_B, fake_B, imgs_A),
            )
        )
        return {
            **{f"d_{name}": 0.5 * (logs_A[name] + logs_B[name]) for name in logs_A},
            **{f"d_A_{name}": value for name, value in logs_A.items()},
            **{f"d_B_{name}": value for name, value in logs_B.items()},
        }

    def _make_further_networks(self) -> None:
        """Makes what a subclass has beside these four, before they are connected."""

    def _further_outputs(self, fake_A: Any, fake_B: Any) -> dict[str, Any]:
        """Makes what else a subclass has a loss of, from translations, by name."""
        return {}

    def _further_targets(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """Makes what these should be."""
        return {}

    def _further_losses(self) -> list[tuple[Any, float]]:
        """The loss and weight of each, in their order."""
        return []

    def _seen(self, imgs: Any) -> Any:
        """What discriminators see of images."""
        return imgs if self.view is None else self.view(imgs)
