"""The `CycleGAN` class of *GANs in Action*, chapter 9, on Keras 3."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.combined import Combined
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_regrouped_once
from cyclegan_keras.networks import (
    build_patch_discriminator,
    build_unet_generator,
    check_img_shape,
    treats_images_alone,
)
from cyclegan_keras.optimizers import FusedAdam
from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks import book_callbacks

REAL, FAKE = 1.0, 0.0


class CycleGAN(keras.Model):
    """Learns to translate images of domain A to domain B and back, without pairs.

    The four networks are ordinary Keras models, and so is `combined`, through which the generators
    are trained. The book's way (`train_on_batch` on `d_A`, `d_B` and `combined`) and the fast way
    (`train_step`) use the same optimizers, losses and weights: those that the three were compiled
    with. Compile them anew to change any of it.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 16, at least 32.
        gf: Filters of the generators' first layer.
        df: Filters of the discriminators' first layer.
        lambda_cycle: Weight of each cycle-consistency loss.
        lambda_id: Weight of each identity loss, absolute (*not* a share of `lambda_cycle`, as other
            code has it). `None` means the book's `0.9 * lambda_cycle`.
        data_loader: A `DataLoader` for `train`. `None` means the drawn default set, `fruit`, which
            is made when training starts.
        learning_rate: Of the three Adam optimizers.
        beta_1: Of the three Adam optimizers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Attributes:
        g_AB, g_BA: The generators, from A to B and from B to A.
        d_A, d_B: The discriminators that judge domain A and domain B, compiled.
        combined: The model from `[img_A, img_B]` to `valid_A, valid_B, reconstr_A, reconstr_B,
            img_A_id, img_B_id`, compiled; training it moves the generators only.
        disc_patch: Shape of a discriminator's scores for one image.

    Raises:
        ValueError: If `img_shape` cannot be halved four times.

    Example:
    ```python
    gan = CycleGAN(img_shape=(64, 64, 3))
    gan.train(epochs=10, batch_size=1, sample_interval=200)
    gan.g_AB.save("g_AB.keras")
    ```

    Reference:
        *GANs in Action*, listings 9.3 to 9.6; [Zhu et al., 2017](https://arxiv.org/abs/1703.10593).
    """

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (128, 128, 3),
        gf: int = 32,
        df: int = 64,
        lambda_cycle: float = 10.0,
        lambda_id: float | None = None,
        data_loader: DataLoader | None = None,
        *,
        learning_rate: float = 2e-4,
        beta_1: float = 0.5,
        seed: int | None = None,
        name: str = "cyclegan",
    ) -> None:
        super().__init__(name=name)
        check_img_shape(img_shape)
        # TensorFlow 2.21's remapper fails on a convolution with bias and LeakyReLU once their
        # gradient is taken, and prints an error at each tracing; it would gain nothing here.
        tf.config.optimizer.set_experimental_options({"remapping": False})
        height, width, channels = img_shape
        self.img_shape = (height, width, channels)
        self.gf = gf
        self.df = df
        self.lambda_cycle = lambda_cycle
        self.lambda_id = 0.9 * lambda_cycle if lambda_id is None else lambda_id
        self.data_loader = data_loader
        self.seed = seed
        self._num_built = 0
        self._traced: _TracedStep | None = None

        self.d_A = _named(self.build_discriminator(), "d_A")
        self.d_B = _named(self.build_discriminator(), "d_B")
        self.g_AB = _named(self.build_generator(), "g_AB")
        self.g_BA = _named(self.build_generator(), "g_BA")
        self.disc_patch = tuple(self.d_A.output_shape[1:])
        for discriminator in (self.d_A, self.d_B):
            discriminator.compile(
                loss="mse",
                optimizer=FusedAdam(learning_rate, beta_1),
                metrics=["accuracy"],
            )

        self.combined = Combined.connect(self.img_shape, self.g_AB, self.g_BA, self.d_A, self.d_B)
        self.combined.compile(
            loss=["mse", "mse", "mae", "mae", "mae", "mae"],
            loss_weights=[
                1,
                1,
                self.lambda_cycle,
                self.lambda_cycle,
                self.lambda_id,
                self.lambda_id,
            ],
            optimizer=FusedAdam(learning_rate, beta_1),
        )
        # An optimizer that is not built when it is saved or loaded loses its state.
        for model in (self.d_A, self.d_B, self.combined):
            model.optimizer.build(model.trainable_variables)
        self.built = True

    def build_generator(self) -> keras.Model:
        """Builds one generator. Override it to train another network.

        Returns:
            A model from images to images of the same shape, in [-1, 1].
        """
        return build_unet_generator(self.img_shape, self.gf, seed=self._next_seed())

    def build_discriminator(self) -> keras.Model:
        """Builds one discriminator. Override it to train another network.

        Returns:
            A model from images to scores, of any shape after the batch's.
        """
        return build_patch_discriminator(self.img_shape, self.df, seed=self._next_seed())

    def _next_seed(self) -> int | None:
        """A seed for the next network, far from those of its neighbours' layers."""
        self._num_built += 1
        return None if self.seed is None else 4000 * self.seed + 1000 * self._num_built

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers of `d_A`, `d_B` and `combined`."""
        return [model.optimizer for model in (self.d_A, self.d_B, self.combined)]

    def call(self, inputs: Sequence[Any], training: bool = False) -> list[Any]:
        """Returns the six outputs of `combined` for `[imgs_A, imgs_B]`."""
        return self.combined(inputs, training=training)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Trains all four networks on one batch; the book's step, with each fake made once.

        First each discriminator, on real images and then, in an update of its own, on
        translations; then both generators against the updated discriminators. The book translates
        the batch anew for the second part; the generators have not changed in between, so here the
        same translations serve for both.

        Args:
            data: `(imgs_A, imgs_B)`, each float32 in [-1, 1], `(batch, height, width, channels)`.

        Returns:
            A dict of scalar tensors: `d_loss` and `d_acc` (means over both discriminators, as the
            book prints them), the same for `d_A` and `d_B`, `g_loss`, and the six unweighted
            losses of `combined` under Keras's names, `valid_A_loss` and so on.

        Reference:
            *GANs in Action*, the algorithm before listing 9.6.
        """
        imgs_A, imgs_B = (
            ops.convert_to_tensor(imgs, self.combined.variable_dtype) for imgs in data
        )
        return self._current_step()(imgs_A, imgs_B)

    def _current_step(self) -> Any:
        """The traced step; traced anew once any of the three models is compiled anew."""
        models = (self.d_A, self.d_B, self.combined)
        # `compile` makes a new loss each time, whatever it is given.
        compiled = [part for model in models for part in (model.optimizer, model._compile_loss)]
        if self._traced is None or not self._traced.is_for(compiled):
            for model in models:
                if not model.optimizer.built:  # Built again, it would forget its loss scale.
                    model.optimizer.build(model.trainable_variables)
            # The first batch size gets its own graph; a second one, a graph for all the others.
            function = tf.function(self._step, reduce_retracing=True)
            self._traced = _TracedStep(function, compiled)
        return self._traced.function

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        g_AB, g_BA = self.g_AB, self.g_BA
        with tf.GradientTape() as tape, kernels_regrouped_once(g_AB, g_BA):
            fake_B, img_B_id = _translate_both(g_AB, imgs_A, imgs_B)
            img_A_id, fake_A = _translate_both(g_BA, imgs_A, imgs_B)
            reconstr_A, reconstr_B = g_BA(fake_B, training=True), g_AB(fake_A, training=True)

            with tape.stop_recording():  # the discriminators first, on the same fakes
                logs_A = self.update_discriminator(self.d_A, imgs_A, fake_A)
                logs_B = self.update_discriminator(self.d_B, imgs_B, fake_B)

            valid_A, valid_B = self.d_A(fake_A, training=True), self.d_B(fake_B, training=True)
            outputs = [valid_A, valid_B, reconstr_A, reconstr_B, img_A_id, img_B_id]
            losses = self.combined.losses_of(imgs_A, imgs_B, outputs)
            g_loss = self.combined.weigh(losses)
            scaled_loss = self.combined.optimizer.scale_loss(g_loss)

        variables = self.combined.trainable_variables
        self.combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        d_logs = {name: 0.5 * (logs_A[name] + logs_B[name]) for name in ("loss", "acc")}
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            **{f"d_A_{name}": value for name, value in logs_A.items()},
            **{f"d_B_{name}": value for name, value in logs_B.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": loss for name, loss in losses.items()},
        }

    def update_discriminator(self, d: keras.Model, real: Any, fake: Any) -> dict[str, Any]:
        """Moves one discriminator twice: towards 1 on real images, then towards 0 on fake ones.

        The factor 0.5 of the book scales only what is reported, not the gradients.

        Args:
            d: The discriminator.
            real: Images of its domain.
            fake: Translations into its domain.

        Returns:
            `loss` and `acc`, each the mean of the two updates', measured before each.
        """
        logs: dict[str, Any] = {"loss": 0.0, "acc": 0.0}
        for imgs, label in ((real, REAL), (fake, FAKE)):
            with tf.GradientTape() as tape:
                scores = d(imgs, training=True)
                target = ops.full_like(scores, label)
                loss = d.compute_loss(imgs, target, scores, training=True)
                scaled_loss = d.optimizer.scale_loss(loss)
            d.optimizer.apply(tape.gradient(scaled_loss, d.trainable_variables))
            logs["loss"] += 0.5 * loss
            logs["acc"] += 0.5 * ops.mean(keras.metrics.binary_accuracy(target, scores))
        return logs

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuses: what is kept of a CycleGAN is its translators, or the weights of all networks.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "Save the translators, `gan.g_AB.save('g_AB.keras')` and likewise `g_BA`; or, to go on "
            "training, all weights: `gan.save_weights('gan.weights.h5')`."
        )

    def train(
        self,
        epochs: int = 100,
        batch_size: int = 64,
        sample_interval: int = 10,
        *,
        callbacks: Iterable[keras.callbacks.Callback] | None = None,
        seed: int | None = None,
    ) -> keras.callbacks.History:
        """Trains on the data loader's images, epoch by epoch.

        Args:
            epochs: Passes over the data.
            batch_size: Images of each domain in one step.
            sample_interval: Steps between two sample grids.
            callbacks: Keras callbacks to hang on the loop, in place of the book's, which are a
                progress bar, and a grid of samples in `images/<dataset>/` every `sample_interval`
                steps. Callbacks that want one `model.optimizer` do not fit: there are three, in
                `optimizers`.
            seed: Of the order and the flips; `None` means the data loader's own.

        Returns:
            A `History`, whose `history` has the mean losses of each epoch.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If its images have another size, or there are too few or broken ones.

        Reference:
            *GANs in Action*, listing 9.6.
        """
        loop.check_epochs(epochs)
        if self.data_loader is None:
            self.data_loader = DataLoader("fruit", img_res=self.img_shape[:2])
        if (*self.data_loader.img_res, 3) != self.img_shape:
            raise ValueError(
                "The data loader must give images of the networks' shape. Received: `img_res` "
                f"{self.data_loader.img_res} with 3 channels for `img_shape` {self.img_shape}"
            )
        if callbacks is None:
            callbacks = book_callbacks(self.data_loader, sample_interval)
        return loop.run(self, self.data_loader, epochs, batch_size, callbacks, seed=seed)


def _translate_both(g: keras.Model, imgs_A: Any, imgs_B: Any) -> tuple[Any, Any]:
    """Calls a generator on the images of both domains; at once, if that changes nothing."""
    if not treats_images_alone(g):
        return g(imgs_A, training=True), g(imgs_B, training=True)
    both = g(ops.concatenate([imgs_A, imgs_B]), training=True)
    # Not by slices, whose gradients fill the other half up with zeros and add.
    from_A, from_B = tf.split(both, [ops.shape(imgs)[0] for imgs in (imgs_A, imgs_B)])
    return from_A, from_B


class _TracedStep:
    """A traced step and what it was traced with, where Keras does not look for variables."""

    def __init__(self, function: Any, compiled: list[Any]) -> None:
        self.function = function
        self._compiled = compiled

    def is_for(self, compiled: list[Any]) -> bool:
        return all(mine is theirs for mine, theirs in zip(self._compiled, compiled, strict=True))


def _named(model: keras.Model, name: str) -> keras.Model:
    """Gives a network the name that `combined`, its summary and its file will show."""
    model.name = name
    return model
