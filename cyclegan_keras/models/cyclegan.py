"""The `CycleGAN` class of *GANs in Action*, chapter 9, on Keras 3."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_regrouped_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.checks import check_choice
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.diffaugment import RandomView
from cyclegan_keras.models.image_pool import ImagePool


class CycleGAN(GAN):
    """Learns to translate images of domain A to domain B and back, without pairs.

    The four networks are ordinary Keras models, and so is `combined`, through which the generators
    are trained. The book's way (`train_on_batch` on `d_A`, `d_B` and `combined`) and the fast way
    (`train_step`) use the same optimizers, losses and weights: those that the three were compiled
    with. Compile them anew to change any of it. One optimizer may be given to all three, as in the
    book: each then trains with a copy that has its own state.

    All defaults are the book's. Those of the paper:
    `CycleGAN(**TrainConfig.make(recipe="paper").model_settings())`.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve, four times by default.
        gf: Filters of the generators' first layer.
        df: Filters of the discriminators' first layer.
        lambda_cycle: Weight of each cycle-consistency loss.
        lambda_id: Weight of each identity loss, absolute (*not* a share of `lambda_cycle`, as other
            code has it). `None` means the book's `0.9 * lambda_cycle`; with 0 the step does not
            compute it.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        lambda_gan: Weight of each adversarial loss.
        lambda_cycle_A: Weight of the forward cycle alone, A to B and back; `None` means
            `lambda_cycle`.
        lambda_cycle_B: Weight of the backward cycle alone, B to A and back; likewise.
        generator: "unet" (the book's), "resnet" (the paper's) or "deep_unet" (that of pix2pix).
        num_blocks: Residual blocks of a "resnet"; `None` means 6 below 256 pixels, else 9.
        upsampling: How a "resnet" doubles: "transposed" or "resize".
        dropout: Share of the features that a "unet" or "deep_unet" drops, in [0, 1).
        padding: Of a "resnet": "paper", or "reflect" for mirrored pixels at every border.
        norm: Of a generator: "instance"; of a "resnet" also "pixel" or "none"; of a "unet" also
            "contrib", what the book's listing imports.
        skips: Whether a "resnet" has the skip connections of a U-Net.
        residual: Whether a generator's output is a change of its input.
        exact_residual: Whether black and white pass through such an output unchanged.
        discriminator: "book", or by its receptive field, "patch1", "patch16", "patch70" (the
            paper's) or "patch286".
        d_norm: Of a discriminator: "instance"; of the book's also "contrib"; of the others also
            "pixel" or "none".
        objective: "least_squares", "log_likelihood", "hinge" or "wasserstein".
        lambda_penalty: Weight of the gradient penalty of "wasserstein".
        update_first: "discriminators": the generators then meet the updated ones; "generators": the
            discriminators then see the translations from before that update.
        discriminator_update: "separate" (one update on real images, then one on translations) or
            "joint" (one on the mean of both losses).
        pool_size: How many earlier translations each discriminator's pool holds; 0 for no pool.
        d_shift: Up to which share of their size images are shifted at random before a
            discriminator sees them, real and translated ones alike, in [0, 1); 0 for not at all.
        d_colour: How much they are recoloured at random before that; 0 for not at all, and 1 for
            as much as in the paper. See `diffaugment.RandomView`.
        d_source: Share of what discriminators learn to call translated that real images of the
            other domain have, in [0, 1), and translations the rest; 0 for translations alone. A
            discriminator then never forgets, and knows from the first step, what is to be changed.
        ema: Share that the moving average of the generators' weights keeps at each step, in [0, 1);
            0 takes no average. `translators` have the averages.
        learning_rate: Of the three Adam optimizers.
        beta_1: Of the three Adam optimizers.
        seed: Of the initial weights and the pools; `None` draws other ones each time.
        name: Of the model.

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

    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_A_loss", "valid_B_loss"),
        "cycle": ("reconstr_A_loss", "reconstr_B_loss"),
        "id": ("img_A_id_loss", "img_B_id_loss"),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (128, 128, 3),
        gf: int = 32,
        df: int = 64,
        lambda_cycle: float = 10.0,
        lambda_id: float | None = None,
        data_loader: DataLoader | None = None,
        *,
        lambda_gan: float = 1.0,
        lambda_cycle_A: float | None = None,
        lambda_cycle_B: float | None = None,
        generator: str = "unet",
        num_blocks: int | None = None,
        upsampling: str = "transposed",
        dropout: float = 0.0,
        padding: str = "paper",
        norm: str = "instance",
        skips: bool = False,
        residual: bool = False,
        exact_residual: bool = True,
        discriminator: str = "book",
        d_norm: str = "instance",
        objective: str = "least_squares",
        lambda_penalty: float = 10.0,
        update_first: str = "discriminators",
        discriminator_update: str = "separate",
        pool_size: int = 0,
        d_shift: float = 0.0,
        d_colour: float = 0.0,
        d_source: float = 0.0,
        ema: float = 0.0,
        learning_rate: float = 2e-4,
        beta_1: float = 0.5,
        seed: int | None = None,
        name: str = "cyclegan",
    ) -> None:
        super().__init__(
            img_shape,
            {
                "gf": gf,
                "kind": generator,
                "num_blocks": num_blocks,
                "upsampling": upsampling,
                "dropout": dropout,
                "padding": padding,
                "norm": norm,
                "skips": skips,
                "residual": residual,
                "exact_residual": exact_residual,
            },
            {"df": df, "kind": discriminator, "norm": d_norm},
            data_loader,
            objective=objective,
            lambda_penalty=lambda_penalty,
            discriminator_update=discriminator_update,
            learning_rate=learning_rate,
            beta_1=beta_1,
            ema=ema,
            seed=seed,
            name=name,
        )
        check_choice("update_first", update_first, ("discriminators", "generators"))
        if not 0 <= d_source < 1:
            raise ValueError(f"`d_source` must be in [0, 1). Received: d_source={d_source}")
        self.gf = gf
        self.df = df
        self.lambda_cycle = lambda_cycle
        self.lambda_id = 0.9 * lambda_cycle if lambda_id is None else lambda_id
        self.update_first = update_first
        self.d_source = d_source

        self.d_A = self._network(self.build_discriminator(), "d_A")
        self.d_B = self._network(self.build_discriminator(), "d_B")
        self.g_AB = self._network(self.build_generator(), "g_AB")
        self.g_BA = self._network(self.build_generator(), "g_BA")
        self.combined = Combined.connect(self.img_shape, self.g_AB, self.g_BA, self.d_A, self.d_B)
        self.disc_patch = self._disc_patch(self.d_A)
        for d in (self.d_A, self.d_B):
            self._compile_discriminator(d)
        adversarial = OBJECTIVES[objective].generator
        self._compile_combined(
            [adversarial, adversarial, "mae", "mae", "mae", "mae"],
            [
                lambda_gan,
                lambda_gan,
                lambda_cycle if lambda_cycle_A is None else lambda_cycle_A,
                lambda_cycle if lambda_cycle_B is None else lambda_cycle_B,
                self.lambda_id,
                self.lambda_id,
            ],
        )
        self.pool_A, self.pool_B = (
            ImagePool(pool_size, self._next_seed(), name=f"pool_{domain}") if pool_size else None
            for domain in "AB"
        )
        for pool in (self.pool_A, self.pool_B):
            if pool is not None:
                pool.build((None, *self.img_shape))
        self.view = None
        if d_shift or d_colour:
            self.view = RandomView(d_shift, d_colour, self._next_seed(), name="view")
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
        with tf.GradientTape() as tape, kernels_regrouped_once(g_AB, g_BA):
            outputs = {}
            if combined.wants("img_A_id", "img_B_id"):
                fake_B, outputs["img_B_id"] = calls.on_each(g_AB, imgs_A, imgs_B)
                outputs["img_A_id"], fake_A = calls.on_each(g_BA, imgs_A, imgs_B)
            else:
                fake_B, fake_A = calls(g_AB, imgs_A), calls(g_BA, imgs_B)
                if calls.losses:  # Then those of `combined`'s other two calls count as well.
                    calls(g_BA, imgs_A), calls(g_AB, imgs_B)

            if self.update_first == "discriminators":  # on the very same fakes
                with tape.stop_recording():
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
        see = self._seen
        if self.pool_A is not None and self.pool_B is not None:
            fake_A, fake_B = self.pool_A(fake_A), self.pool_B(fake_B)
        logs_A, logs_B = (
            self.update_discriminator(
                d, see(real), see(fake), see(other) if self.d_source else None, self.d_source
            )
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

    def _seen(self, imgs: Any) -> Any:
        """What discriminators see of images."""
        return imgs if self.view is None else self.view(imgs)
