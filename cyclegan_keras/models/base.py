"""What the models have in common: discriminators, tracing, averages, training."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops
from PIL import Image

from cyclegan_keras._seeds import checked_seed, derived_seed
from cyclegan_keras.config.gans import GANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers.forms import plain_convolutions
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.checks import (
    check_precision,
    is_functional,
    is_like,
    named,
    shape_of_output,
)
from cyclegan_keras.models.discriminator_updates import update_jointly, update_separately
from cyclegan_keras.models.several_networks import SeveralNetworks, check_callbacks, two_domains
from cyclegan_keras.optimizers import (
    FusedAdam,
    build_optimizer,
    keep_optimizers_apart,
    moving_averages,
)
from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks import book_callbacks, sample_images


class GAN(SeveralNetworks):
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

    config: GANConfig
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
        # TensorFlow 2.21's remapper fails on a convolution with bias and LeakyReLU once their
        # gradient is taken, and prints an error at each tracing; it would gain nothing here.
        tf.config.optimizer.set_experimental_options({"remapping": False})
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
        self._traced: _TracedStep | None = None
        self._averaged = _Copies()

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

    def _compile_discriminator(self, d: keras.Model) -> None:
        """Compiles as in listing 9.3, with the loss of the objective."""
        objective = OBJECTIVES[self.objective]
        accuracy: Any = "accuracy"
        if objective.threshold != 0.5:
            accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=objective.threshold)
        d.compile(loss=objective.discriminator, optimizer=self._adam(), metrics=[accuracy])

    def _adam(self, **more: Any) -> FusedAdam:
        adam = self.config.optimizer
        return FusedAdam(learning_rate=adam.learning_rate, beta_1=adam.beta_1, **more)

    def _compile_combined(self, losses: Sequence[Any], weights: Sequence[float]) -> None:
        ema = self.config.step.ema
        average = {"use_ema": True, "ema_momentum": ema} if ema else {}
        self.combined.compile(
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
    def discriminators(self) -> dict[str, keras.Model]:
        """The discriminators, by name."""
        return {d.name: d for d in self.compiled_models if d is not self.combined}

    @property
    def classifiers(self) -> dict[str, keras.Model]:
        """The networks that label images of B and have been trained, by name; none by default."""
        return {}

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks that are trained, by name; the generators first, the discriminators last."""
        return {**self.generators, **self.combined.trained_networks, **self.discriminators}

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers of the discriminators and of `combined`, in this order."""
        return [model.optimizer for model in self.compiled_models]

    @property
    def paced_optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Those whose rate is the run's `learning_rate`, and decays; all by default."""
        return self.optimizers

    @property
    def translators(self) -> dict[str, keras.Model]:
        """The generators to translate with, by name.

        With `ema`, these are copies that have the moving averages of the weights; else they are
        the generators themselves. The copies are brought up to date each time they are asked for.
        """
        # What is trained beside the generators has averages as well, and is no translator.
        averages = moving_averages(self.combined.optimizer)
        if not averages:
            return self.generators
        copies = self._averaged.of(self.generators, self._copy_of)
        for name, copy in copies.items():
            # All weights: what the optimizer was built for may have been frozen since.
            for variable, own in zip(copy.weights, self.generators[name].weights, strict=True):
                if id(own) in averages:
                    variable.assign(averages[id(own)])
        return copies

    def _copy_of(self, g: keras.Model) -> keras.Model:
        if is_functional(g):
            return keras.models.clone_model(g)
        copy = self.build_generator()
        copy(keras.Input(self.img_shape))
        return copy

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

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Trains all networks on one batch.

        Args:
            data: `(imgs_A, imgs_B)`, each float32 in [-1, 1], `(batch, height, width, channels)`.

        Returns:
            A dict of scalar tensors: `d_loss` and `d_acc` (means over the discriminators),
            `g_loss`, and the unweighted losses of `combined` under Keras's names, `valid_A_loss`
            and so on.
        """
        imgs_A, imgs_B = (
            ops.convert_to_tensor(imgs, self.combined.variable_dtype) for imgs in two_domains(data)
        )
        return self._current_step()(imgs_A, imgs_B)

    def _current_step(self, kind: str = "") -> Any:
        """The traced step; traced anew once any of the models is compiled anew.

        It is not traced if this model, or any of those, was compiled with `run_eagerly`. A model
        that takes steps of different kinds has a function for each.
        """
        models = self.compiled_models
        if any(model.run_eagerly for model in (self, *models)):
            for model in models:
                build_optimizer(model)
            return self._step_in_its_forms
        # `compile` makes a new loss each time, whatever it is given.
        compiled = [part for model in models for part in (model.optimizer, model._compile_loss)]
        if self._traced is None or not self._traced.is_for(compiled):
            for model in models:
                build_optimizer(model)
            # Each batch size gets a graph of its own, so that it computes the same bits whichever
            # size came first. As in Keras, without autograph: there is nothing to convert, and
            # looking takes time.
            self._traced = _TracedStep(
                lambda: tf.function(
                    self._step_in_its_forms, autograph=False, jit_compile=self.config.step.jit
                ),
                compiled,
            )
        return self._traced.of(kind)

    def _step_in_its_forms(self, *batch: Any) -> dict[str, Any]:
        with plain_convolutions(self.config.step.exact_convolutions):
            return self._take_step(*batch)

    def _take_step(self, *batch: Any) -> dict[str, Any]:
        return self._step(*batch)

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        raise NotImplementedError

    def update_discriminator(
        self, d: keras.Model, real: Any, fake: Any, source: Any = None, source_share: float = 0.0
    ) -> dict[str, Any]:
        """Moves one discriminator towards 1 on real images and towards 0 on translations.

        Args:
            d: The discriminator.
            real: Images of its domain.
            fake: As many translations into its domain.
            source: Real images of the other domain, towards 0 as well; `None` for none.
            source_share: Their share of the loss that translations have otherwise, in [0, 1).

        Returns:
            `loss`, half on `real` and half on the rest, and `acc`, the mean over `real` and `fake`,
            measured before the update that each belongs to; `penalty`, if the objective has one;
            and `r1` and `r2`, if these are on.
        """
        objective = OBJECTIVES[self.objective]
        update = update_jointly if self.discriminator_update == "joint" else update_separately
        shares = None
        if objective.has_penalty:
            shares = self.mixing.uniform((ops.shape(real)[0], 1, 1, 1))
        return update(
            d,
            real,
            fake,
            source,
            source_share,
            objective.threshold,
            shares,
            self.lambda_penalty,
            self.r1,
            self.r2,
            # Counted by what is saved; once a step, however often a discriminator is moved in it.
            step=self.combined.optimizer.iterations,
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


class _TracedStep:
    """Traced steps and what they were traced with, where Keras does not look for variables."""

    def __init__(self, make: Callable[[], Any], compiled: list[Any]) -> None:
        self._make, self._compiled = make, compiled
        self._functions: dict[str, Any] = {}

    def of(self, kind: str) -> Any:
        if kind not in self._functions:
            self._functions[kind] = self._make()
        return self._functions[kind]

    def is_for(self, compiled: list[Any]) -> bool:
        return all(mine is theirs for mine, theirs in zip(self._compiled, compiled, strict=True))


class _Copies:
    """Copies of generators, where Keras does not look for weights to train and to save."""

    def __init__(self) -> None:
        self._copies: dict[str, keras.Model] = {}

    def of(
        self,
        generators: dict[str, keras.Model],
        copied: Callable[[keras.Model], keras.Model],
    ) -> dict[str, keras.Model]:
        for name, g in generators.items():
            if name not in self._copies:
                self._copies[name] = named(copied(g), name)
            self._copies[name].set_weights(g.get_weights())
        return dict(self._copies)
