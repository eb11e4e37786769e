"""What the models have in common: their networks, how discriminators are moved, training."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops
from PIL import Image

from cyclegan_keras._seeds import checked_seed, derived_seed
from cyclegan_keras.config.gans import GANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.averages import Averages
from cyclegan_keras.models.checks import (
    check_precision,
    is_functional,
    is_like,
    named,
    shape_of_output,
)
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.discriminator_updates import update_jointly, update_separately
from cyclegan_keras.models.on_replicas import check_for_replicas
from cyclegan_keras.models.several_networks import SeveralNetworks, check_callbacks
from cyclegan_keras.models.stepping import Stepping
from cyclegan_keras.optimizers import FusedAdam, build_optimizer, keep_optimizers_apart
from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks import Stages, book_callbacks, sample_images


class GAN(Stepping):
    """Generators and discriminators that are trained against each other.

    A subclass makes the networks, `combined` (through which the generators are trained), and
    `_step`. All are ordinary Keras models; what is compiled into them is what `train_step` uses.

    `shown_losses` says what a progress bar calls the losses: for each word, the names that it is
    the mean of.

    Args:
        img_shape: `(height, width, channels)`.
        config: The settings.
        data_loader: A `DataLoader` for `train`; `None` means one for the drawn default set.
        seed: Of all randomness; `None` draws another one each time.
        name: Of the model.

    Attributes:
        config: The settings.
        objective, lambda_penalty, r1, r2, r1_every, discriminator_update: Those of them that each
            step looks up.

    Raises:
        ValueError: If the images are of no such shape.
    """

    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(
        self,
        img_shape: tuple[int, int, int],
        config: GANConfig,
        data_loader: DataLoader | None = None,
        *,
        seed: int | None = None,
        name: str,
    ) -> None:
        super().__init__(name=name)
        check_precision()
        try:
            height, width, channels = map(operator.index, img_shape)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`img_shape` must be (height, width, channels), three whole numbers. "
                f"Received: img_shape={img_shape!r}"
            ) from error
        self.img_shape = (height, width, channels)
        self.img_rows, self.img_cols, self.channels = self.img_shape
        self._data_loader: DataLoader | None = None
        self.data_loader = data_loader
        self.config = config
        self.objective = config.loss.objective
        self.lambda_penalty = config.loss.lambda_penalty
        self.r1, self.r2, self.r1_every = config.loss.r1, config.loss.r2, config.loss.r1_every
        self.discriminator_update = config.step.discriminator_update
        self.seed = checked_seed(seed)
        self._num_seeds = 0
        self._averaged = Averages()

    def build_generator(self) -> keras.Model:
        """Builds one generator. Override it to train another network.

        Returns:
            A model from images to images of the same shape, in [-1, 1].
        """
        return self.config.generator.build(self.img_shape, self._next_seed())

    def build_discriminator(self) -> keras.Model:
        """Builds one discriminator. Override it to train another network.

        Returns:
            A model from what is judged to scores, of any shape after the batch's.
        """
        return self.config.discriminator.build(self._judged_shape, self._next_seed())

    @property
    def _judged_shape(self) -> tuple[int, int, int]:
        """Shape of what a discriminator sees of one image."""
        return self.img_shape

    def _next_seed(self) -> int | None:
        """A seed for the next network, far from those of its neighbours' layers."""
        self._num_seeds += 1
        return derived_seed(self.seed, self._num_seeds)

    def _compile_discriminator(self, d: keras.Model, **adam: Any) -> None:
        """Compiles as in listing 9.3, with the loss of the objective; `adam` are settings of it."""
        objective = OBJECTIVES[self.objective]
        accuracy: Any = "accuracy"
        if objective.threshold != 0.5:
            accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=objective.threshold)
        d.compile(loss=objective.discriminator, optimizer=self._adam(**adam), metrics=[accuracy])

    def _adam(self, **more: Any) -> FusedAdam:
        adam = self.config.optimizer
        usual = {"learning_rate": adam.learning_rate, "beta_1": adam.beta_1}
        return FusedAdam(**{**usual, **more})

    def _compile_combined(
        self, losses: Sequence[Any], weights: Sequence[float], combined: Combined | None = None
    ) -> None:
        ema = self.config.step.ema
        average = {"use_ema": True, "ema_momentum": ema} if ema else {}
        (self.combined if combined is None else combined).compile(
            loss=list(losses),
            loss_weights=list(weights),
            optimizer=self._adam(**average),
        )

    def _finish(self) -> None:
        """Ends the making of the model, once all is compiled."""
        if OBJECTIVES[self.objective].has_penalty:
            self.mixing = RandomStream(self._next_seed(), name="mixing")
        # An optimizer that is not built when it is saved or loaded loses its state.
        for model in self.compiled_models:
            build_optimizer(model)
            keep_optimizers_apart(model)
        if self.strategy is not None:
            check_for_replicas(self.strategy, self)
        self.built = True
        SeveralNetworks.compile(self)

    @property
    def data_loader(self) -> DataLoader:
        """What `train` trains on."""
        if self._data_loader is None:  # Nothing is drawn or read before an image is wanted.
            self._data_loader = self._default_loader()
        return self._data_loader

    @data_loader.setter
    def data_loader(self, data_loader: DataLoader | None) -> None:
        if data_loader is not None and not hasattr(data_loader, "load_batch"):
            raise TypeError(
                "`data_loader` must be a DataLoader, such as `DataLoader('apple2orange', "
                f"img_res={self.img_shape[:2]})`. Received: {data_loader!r}"
            )
        self._data_loader = data_loader

    @property
    def dataset_name(self) -> str:
        """The name of the data loader's data set."""
        return self.data_loader.dataset_name

    @property
    def compiled_models(self) -> list[keras.Model]:
        """The discriminators and `combined`."""
        raise NotImplementedError

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The generators that are trained, by name: `g_AB`, `g_BA` or both."""
        raise NotImplementedError

    @property
    def companions(self) -> dict[str, keras.Model]:
        """What is saved beside the generators, as far as it is trained, by name; mostly nothing.

        These are the `companions` and the `classifiers` of the model's entry.
        """
        return {}

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        """The discriminators, by name."""
        return {d.name: d for d in self.compiled_models if d is not self.combined}

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks that are trained, by name; the generators first, the discriminators last."""
        return {**self.generators, **self.combined.trained_networks, **self.discriminators}

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers of the discriminators and of `combined`, in this order."""
        return [model.optimizer for model in self.compiled_models]

    @property
    def paced_optimizers(self) -> list[tuple[keras.optimizers.Optimizer, float]]:
        """Those whose rate decays, and begins as this share of the setting `learning_rate`."""
        return [(optimizer, 1.0) for optimizer in self.optimizers]

    @property
    def translators(self) -> dict[str, keras.Model]:
        """The generators to translate with, by name.

        With `ema`, these are copies that have the moving averages of the weights; on several
        replicas, copies on one of them; else they are the generators themselves. The copies are
        brought up to date each time they are asked for.
        """
        return self._averages_of(self._translating)

    @property
    def saved_networks(self) -> dict[str, keras.Model]:
        """What a run saves and is evaluated by, by name: `translators`, then `companions`.

        The latter are copies like the former.
        """
        return {**self.translators, **self._averages_of(self.companions)}

    def _averages_of(self, networks: dict[str, keras.Model]) -> dict[str, keras.Model]:
        return self._averaged.of(
            networks,
            self._trained_through.optimizer,
            self._copy_of,
            are_replicas=self.strategy is not None,
        )

    def _copy_of(self, g: keras.Model) -> keras.Model:
        if is_functional(g):
            return keras.models.clone_model(g)
        copy = self.build_generator()
        copy(keras.Input(self.img_shape))
        return copy

    @property
    def _trained_through(self) -> Combined:
        """The model through which the generators are trained; in some stage, it may be another."""
        return self.combined

    @property
    def _translating(self) -> dict[str, keras.Model]:
        """The generators to translate with, without averages; in some stage, it may be others."""
        return self.generators

    def _network(self, network: keras.Model, name: str) -> keras.Model:
        """Names a network that `build_generator` or `build_discriminator` has made.

        Raises:
            TypeError: If it is none.
            ValueError: If it makes of an image what cannot be trained on.
        """
        named(network, name)
        is_generator = name.startswith("g_")
        received = self.img_shape if is_generator else self._judged_shape
        shape = shape_of_output(network, received)
        if shape is None or (is_generator and not is_like(shape, self.img_shape)):
            wanted = "images of the same shape" if is_generator else "one tensor of scores"
            raise ValueError(
                f"{name!r} must make {wanted} from images of shape {received}. Received: "
                + ("several outputs" if shape is None else f"an output of shape {shape}")
            )
        return network

    def _disc_patch(self, d: keras.Model) -> tuple[int, ...]:
        """Shape of a discriminator's scores for one image."""
        return shape_of_output(d, self._judged_shape) or ()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Returns the outputs of `combined`."""
        return self.combined(inputs, training=training)

    def update_discriminator(
        self,
        d: keras.Model,
        real: Any,
        fake: Any,
        source: Any = None,
        source_share: float = 0.0,
        is_regularized: bool = True,
    ) -> dict[str, Any]:
        """Moves one discriminator towards 1 on real images and towards 0 on translations.

        Args:
            d: The discriminator.
            real: Images of its domain.
            fake: As many translations into its domain.
            source: Real images of the other domain, towards 0 as well; `None` for none.
            source_share: Their share of the loss that translations have otherwise, in [0, 1).
            is_regularized: Whether R1 and R2 count, if they are on.

        Returns:
            `loss`, half on `real` and half on the rest, and `acc`, the mean over `real` and `fake`,
            measured before the update that each belongs to; `penalty`, if the objective has one;
            and `r1` and `r2`, if these are on.
        """
        objective = OBJECTIVES[self.objective]
        update = update_jointly if self.discriminator_update == "joint" else update_separately
        shares = None
        if objective.has_penalty:
            ones = (1,) * (len(real.shape) - 1)
            shares = self.mixing.uniform((ops.shape(real)[0], *ones))
        return update(
            d,
            real,
            fake,
            source,
            source_share,
            objective.threshold,
            shares,
            self.lambda_penalty,
            self.r1 if is_regularized else 0.0,
            self.r2 if is_regularized else 0.0,
            # Counted by what is saved; once a step, however often a discriminator is moved in it.
            step=self._trained_through.optimizer.iterations,
            every=self.r1_every,
        )

    def _default_loader(self) -> DataLoader:
        """The drawn set to train on when no data loader is given."""
        raise NotImplementedError

    def train(
        self,
        epochs: int,
        batch_size: int = 1,
        sample_interval: int = 50,
        *,
        callbacks: Iterable[keras.callbacks.Callback] | None = None,
        seed: int | None = None,
    ) -> keras.callbacks.History:
        """Trains on the data loader's images, epoch by epoch.

        Args:
            epochs: Passes over the data.
            batch_size: Images of each domain in one step; the last step of an epoch may have fewer.
            sample_interval: Steps between two sample grids.
            callbacks: Keras callbacks to hang on the loop, in place of the book's, which are a
                progress bar, and a grid of samples in `images/<dataset>/` every `sample_interval`
                steps. Callbacks that want one `model.optimizer` do not fit: there are several, in
                `optimizers`.
            seed: Of the order and the flips; `None` means the data loader's own.

        Returns:
            A `History`, whose `history` has the mean losses of each epoch.

        Raises:
            FileNotFoundError: If there is no such data set.
            NotImplementedError: If a callback wants one optimizer.
            ValueError: If its images have another size, or there are too few or broken ones.

        Reference:
            *GANs in Action*, listing 9.6.
        """
        loop.check_epochs(epochs)
        given = (*self.data_loader.img_res, self.data_loader.channels)
        if given != tuple(self.img_shape):
            raise ValueError(
                "The data loader must give images of the networks' shape. Received: `img_res` "
                f"{given[:2]} with {given[2]} channels for `img_shape` {self.img_shape}"
            )
        if callbacks is None:
            callbacks = book_callbacks(self.data_loader, sample_interval)
        callbacks = keras.tree.flatten(callbacks)
        check_callbacks(callbacks)
        callbacks = [Stages(), *callbacks]
        return loop.run(self, self.data_loader, epochs, batch_size, callbacks, seed=seed)

    def sample_images(self, epoch: int, batch_i: int) -> Image.Image:
        """Translates some test images there and back, and keeps the picture.

        Args:
            epoch: Of the picture's name.
            batch_i: Of the picture's name.

        Returns:
            The picture, which a notebook shows. It is also in
            `images/<dataset>/<epoch>_<batch_i>.png`, or, where there is such a file, in one with
            `-2`, `-3`, … behind its name.

        Raises:
            FileNotFoundError: If there is no such data set.
            OSError: If the picture cannot be written.

        Reference:
            *GANs in Action*, `sample_images` in section 9.6.
        """
        return sample_images(self, self.data_loader, epoch, batch_i)
