"""What Keras's own methods do where one model is several networks, each compiled by itself."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn

import keras

from cyclegan_keras.config.parts import Part
from cyclegan_keras.training.progress import MeanLogs

_NO_WEIGHTS = (
    "Images have no weights of their own here: leave `sample_weight` out, and `class_weight`."
)


class SeveralNetworks(keras.Model):
    """A model of several networks, each compiled by itself, with a `train_step` for all of them.

    `fit` and `train_on_batch` work at once, with what the networks were compiled with, and the
    losses that they show are means over the steps of an epoch, as `train` has them. What cannot be
    right says what to do instead.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "SeveralNetworks":
        """Remembers the arguments, for `get_config`; those of subclasses, too."""
        instance = super().__new__(cls, *args, **kwargs)
        # Not tracked by Keras, which would turn its lists and dicts into its own.
        object.__setattr__(instance, "_arguments", _arguments(cls.__init__, args, kwargs))
        return instance

    config: Part
    # What `config` is if nothing is said.
    default_config: ClassVar[Part]

    @property
    def compiled_models(self) -> list[keras.Model]:
        """The models that are compiled."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that it was made with, but for the data loader.

        What the models were compiled with since is not in it, nor are weights; see `save_weights`.

        Raises:
            NotImplementedError: If it is of a subclass with `*args`.
        """
        if self._arguments is None:
            raise NotImplementedError(
                f"The names of arguments that `{type(self).__name__}.__init__` takes by `*args` "
                "are not known. Write them out, or override `get_config`."
            )
        found = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self._arguments.items()
            if name != "data_loader"
        }
        if "config" in found:
            del found["config"]
            found |= self.config.flat()
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "SeveralNetworks":
        """Makes a model of what `get_config` returned, with new weights and the drawn set."""
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in config.items()
        }
        parameters = inspect.signature(cls.__init__).parameters
        takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        if "config" in parameters and not takes_all:
            own = {name: settings.pop(name) for name in {*settings} - {*parameters}}
            settings["config"] = cls.default_config.with_settings(**own)
        return cls(**settings)

    def compile(self, *args: Any, run_eagerly: bool = False, **kwargs: Any) -> None:
        """Settles how a step is run; what it does, the networks were compiled with.

        Args:
            *args: None.
            run_eagerly: Whether steps are run line by line and not traced, to look into them.
            **kwargs: None.

        Raises:
            ValueError: If there is anything else.
        """
        if args or kwargs:
            names = ", ".join(f"`{model.name}`" for model in self.compiled_models)
            received = ", ".join([*map(repr, args), *kwargs])
            raise ValueError(
                f"Optimizers, losses and metrics are those of {names}: compile these. "
                f"`{self.name}.compile` takes `run_eagerly` only. Received: {received}"
            )
        super().compile(optimizer=None, run_eagerly=run_eagerly, jit_compile=False)

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains as Keras does, on batches of the two domains; see `keras.Model.fit`.

        Args:
            *args: `x`: a data set of pairs `(imgs_A, imgs_B)`; or `x` and `y`, all images of A and
                as many of B. And so on, as of `keras.Model.fit`.
            **kwargs: Of `keras.Model.fit`. There is no validation.

        Returns:
            A `History` of the means of each epoch.

        Raises:
            NotImplementedError: If there are data to validate with, or a callback wants one
                optimizer.
            ValueError: If images are to have weights.
        """
        given = inspect.signature(super().fit).bind(*args, **kwargs).arguments
        if given.get("validation_data") is not None or given.get("validation_split"):
            self._refuse_to_evaluate()
        if given.get("class_weight") or given.get("sample_weight") is not None:
            raise ValueError(_NO_WEIGHTS)
        check_callbacks(given.get("callbacks"))
        x = given.get("x")
        if "shuffle" not in given and not (isinstance(x, list | tuple) or hasattr(x, "shape")):
            kwargs["shuffle"] = False  # Keras warns that it does not shuffle a data set.
        return super().fit(*args, **kwargs)

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` and `train_on_batch` call for each step; the step traces itself."""

        def train_function(iterator: Iterator[Any]) -> dict[str, float]:
            self._means.add(self.train_step(next(iter(iterator))))
            return self._means.mean()

        self.train_function: Callable[[Iterator[Any]], dict[str, float]] | None = train_function

    def reset_metrics(self) -> None:
        """Begins the means anew."""
        super().reset_metrics()
        self._means = MeanLogs()

    def evaluate(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses: losses do not say how good translations are.

        Raises:
            NotImplementedError: Always.
        """
        self._refuse_to_evaluate()

    def test_on_batch(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses, as `evaluate` does.

        Raises:
            NotImplementedError: Always.
        """
        self._refuse_to_evaluate()

    def _refuse_to_evaluate(self) -> NoReturn:
        raise NotImplementedError(
            "The losses of a GAN do not say how good it is. Measure its translators: `cyclegan "
            "evaluate`, or `--evaluate-every` while it is trained. The losses alone are those of "
            "`combined.evaluate(...)`, and of each discriminator."
        )

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses: what is kept is the translators, or the weights of all networks.

        Raises:
            NotImplementedError: Always.
        """
        self._refuse_to_save()

    def export(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses: what is exported is the translators.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "Export the translators: `gan.g_AB.export('g_AB')`, and likewise `g_BA`."
        )

    def get_compile_config(self) -> NoReturn:
        """Refuses: Keras wants it to save the whole. Each network has one of its own.

        Raises:
            NotImplementedError: Always.
        """
        self._refuse_to_save()

    def _refuse_to_save(self) -> NoReturn:
        raise NotImplementedError(
            "Save the translators, `gan.g_AB.save('g_AB.keras')` and likewise `g_BA`; or, to go on "
            "training, all weights: `gan.save_weights('gan.weights.h5')`."
        )

    def __reduce__(self) -> NoReturn:
        """Refuses to be pickled or copied, which would lose optimizers and losses.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"A {type(self).__name__} is neither pickled nor copied. Make another one, `other = "
            f"{type(self).__name__}.from_config(gan.get_config())`, compile its models as these "
            "were if they were compiled anew, and give it all weights and optimizers: "
            "`gan.save_weights('gan.weights.h5')`, `other.load_weights('gan.weights.h5')`."
        )

    def save_own_variables(self, store: Any) -> None:
        """Saves what Keras leaves out: how far dropout is in its random numbers."""
        super().save_own_variables(store)
        for number, state in enumerate(self._random_states()):
            store[f"random_{number}"] = state

    def load_own_variables(self, store: Any) -> None:
        """Loads it. Files of before it was saved, and of models without dropout, load as well."""
        own = {name: store[name] for name in store.keys()}  # noqa: SIM118
        found = [own.pop(name) for name in sorted(own, key=_number) if name.startswith("random_")]
        super().load_own_variables(own)
        states = self._random_states()
        if len(found) == len(states):
            for state, value in zip(states, found, strict=True):
                state.assign(value)

    def _random_states(self) -> list[Any]:
        weights = {id(weight) for weight in self.weights}
        return [variable for variable in self.variables if id(variable) not in weights]


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """Names the arguments of a method; `None` if that cannot be done."""
    signature = inspect.signature(function)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:  # The call itself says it better.
        return None
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    arguments.pop(next(iter(signature.parameters)))  # `self`
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name)
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and arguments.pop(parameter.name):
            return None
    return arguments


def check_callbacks(callbacks: Any) -> None:
    """Raises an error that teaches if a callback of Keras cannot work with several optimizers.

    Args:
        callbacks: A callback, several of them, or `None`.

    Raises:
        NotImplementedError: If there is one.
    """
    for callback in keras.tree.flatten(callbacks):
        if isinstance(callback, _WITH_ONE_OPTIMIZER):
            raise NotImplementedError(
                f"{type(callback).__name__} wants one `model.optimizer`, and here are several, in "
                "`gan.optimizers`. For rates, take `training.callbacks.LearningRateDecay`, compile "
                "with a schedule, or set each optimizer's `learning_rate` in a callback of your "
                "own; for averages of weights, take `ema=` and `gan.translators`."
            )


# Told before the training: they would fail at the end of its first epoch, or do nothing.
_WITH_ONE_OPTIMIZER = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.SwapEMAWeights,
)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def two_domains(data: Any) -> tuple[Any, Any]:
    """Takes apart what `train_step`, `train_on_batch` and `fit` give to one step.

    Args:
        data: `(imgs_A, imgs_B)`, as Keras may have wrapped it.

    Returns:
        `imgs_A` and `imgs_B`.

    Raises:
        ValueError: If it is something else.
    """
    imgs_A, imgs_B, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError(_NO_WEIGHTS)
    pair = imgs_A if imgs_B is None else (imgs_A, imgs_B)
    if len(pair) != 2:
        raise ValueError(
            f"A step takes the images of both domains, `(imgs_A, imgs_B)`. Received: {len(pair)} "
            "in the place of 2"
        )
    return pair[0], pair[1]
