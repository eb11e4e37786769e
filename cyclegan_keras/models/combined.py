"""The model through which the generators are trained."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.losses import full_objective
from cyclegan_keras.models.checks import is_functional

OUTPUTS = ("valid_A", "valid_B", "reconstr_A", "reconstr_B", "img_A_id", "img_B_id")
GENERATORS = ("g_AB", "g_BA")  # What is trained, where nothing else is said.


@keras.saving.register_keras_serializable(package=PACKAGE)
class Combined(keras.Model):
    """A model of named outputs that trains some of its networks: the generators and their helpers.

    The classic way, `trainable = False` on the compiled discriminators, leaves them untrained for
    ever under Keras 3, which reads that flag when it traces and not when it compiles. So nothing is
    frozen here: this model just does not count the discriminators' variables among those it trains.

    Args:
        *args: Inputs and outputs, as of `keras.Model`; see `of`.
        trains: The names of the networks that it trains; those that it has not are left out.
        **kwargs: Of `keras.Model`.

    Reference:
        *GANs in Action*, listing 9.3.
    """

    def __init__(self, *args: Any, trains: Sequence[str] = GENERATORS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trains = tuple(trains)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` makes it of."""
        config = {**super().get_config(), "trains": list(self._trains)}
        _mark_shared_layers(self, config)
        return config

    @classmethod
    def of(cls, inputs: Any, outputs: dict[str, Any], trains: Sequence[keras.Model]) -> "Combined":
        """Makes one of networks that are connected already.

        Args:
            inputs: A `keras.Input`, or a list of them.
            outputs: By the name of the loss that each will have.
            trains: The networks that it trains, which must have names of their own: generators, and
                what helps them, such as an encoder. Discriminators are trained by themselves.

        Returns:
            The model, to be compiled.
        """
        named = _named([*outputs.values()], tuple(outputs))
        names = [network.name for network in trains]
        return cls(inputs, named, trains=names, name="combined")

    @classmethod
    def connect(
        cls,
        img_shape: tuple[int, int, int],
        g_AB: keras.Model,
        g_BA: keras.Model,
        d_A: keras.Model,
        d_B: keras.Model,
        further: Callable[[Any, Any], dict[str, Any]] | None = None,
    ) -> "Combined":
        """Connects the four networks.

        Args:
            img_shape: `(height, width, channels)`.
            g_AB: Generator from A to B, named "g_AB".
            g_BA: Generator from B to A, named "g_BA".
            d_A: Discriminator of A.
            d_B: Discriminator of B.
            further: Makes more outputs, by name, of the translations to A and to B.

        Returns:
            The model from `[img_A, img_B]` to `valid_A = d_A(g_BA(img_B))`, `valid_B`,
            `reconstr_A = g_BA(g_AB(img_A))`, `reconstr_B`, `img_A_id = g_BA(img_A)`, `img_B_id`.
        """
        img_A, img_B = keras.Input(img_shape, name="img_A"), keras.Input(img_shape, name="img_B")
        fake_B, fake_A = g_AB(img_A), g_BA(img_B)
        outputs = [d_A(fake_A), d_B(fake_B), g_BA(fake_B), g_AB(fake_A), g_BA(img_A), g_AB(img_B)]
        named = dict(zip(OUTPUTS, outputs, strict=True))
        if further is not None:
            named |= further(fake_A, fake_B)
        return cls.of([img_A, img_B], named, [g_AB, g_BA])

    @classmethod
    def connect_pair(
        cls, img_shape: tuple[int, int, int], g: keras.Model, d: keras.Model
    ) -> "Combined":
        """Connects the two networks of pix2pix.

        Args:
            img_shape: `(height, width, channels)`.
            g: The generator, named "g_AB" or "g_BA".
            d: The discriminator of pairs: source and target, one behind the other in the channels.

        Returns:
            The model from `source` to `valid = d([source, g(source)])` and `fake = g(source)`.
        """
        source = keras.Input(img_shape, name="source")
        fake = g(source)
        valid = d(layers.Concatenate()([source, fake]))
        return cls.of(source, {"valid": valid, "fake": fake}, [g])

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables of the networks that it trains, in the order in which these were named."""
        networks = self.trained_networks.values()
        # Each once: generators that share layers must not move these twice in a step.
        variables = {id(v): v for network in networks for v in network.trainable_variables}
        return list(variables.values())

    @property
    def trained_networks(self) -> dict[str, keras.Model]:
        """The networks that it trains, by name."""
        by_name = {layer.name: layer for layer in self.layers}
        return {name: by_name[name] for name in self._trains if name in by_name}

    @property
    def trainable_weights(self) -> list[Any]:
        """The same as `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        """All others: those of discriminators, which are trained elsewhere."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """All weights that this model does not train."""
        trained = {id(weight) for weight in self.trainable_weights}
        return [weight for weight in self.weights if id(weight) not in trained]

    @property
    def loss_weights(self) -> Any:
        """The weights of the losses, as they were given to `compile`."""
        # Where Keras takes them from: `compile` without a loss keeps those of before. Not from
        # `get_compile_config`, which reads the optimizer's variables: this is wanted while the step
        # is traced. Nor by an override of `compile`: Keras then compiles no loaded model.
        return None if self._compile_loss is None else self._compile_loss._user_loss_weights

    def full_objective(
        self, targets: dict[str, Any], outputs: dict[str, Any], added: Sequence[Any] = ()
    ) -> tuple[Any, dict[str, Any]]:
        """Measures what the generators minimise, by the losses and weights of `compile`.

        Args:
            targets: What the outputs should be, by name.
            outputs: What the model makes; those that are left out do not count.
            added: What the calls of the networks have added to the loss themselves, scalars.

        Returns:
            As `losses.full_objective`; the sum also has what is added, and the regularisation of
            the trained weights.
        """
        # Not `self.losses`, which are those of this model's own calls.
        own = [w.regularizer(w) for w in self.trainable_weights if w.regularizer is not None]
        return full_objective(
            targets,
            outputs,
            self._losses_by_name(),
            self._weights_by_name(),
            start=sum([*own, *(ops.sum(loss) for loss in added)]),
        )

    def wants(self, *names: str) -> bool:
        """Whether any of these outputs has a loss with a weight; others need not be computed.

        Args:
            *names: Of outputs.

        Returns:
            False if the weight of each is the number zero, or its loss `None`.
        """
        losses, weights = self._losses_by_name(), self._weights_by_name()
        return any(
            losses[name] is not None
            and (not isinstance(weights[name], int | float) or bool(weights[name]))
            for name in names
        )

    def _losses_by_name(self) -> dict[str, Any]:
        if self._compile_loss is None:
            raise ValueError("`combined` must be compiled with a loss. Received: loss=None")
        return self._for_each_output(self.loss)

    def _weights_by_name(self) -> dict[str, Any]:
        weights = self._for_each_output(self.loss_weights)
        return {name: 1.0 if weight is None else weight for name, weight in weights.items()}

    def _for_each_output(self, setting: Any) -> dict[str, Any]:
        """Reads a setting as Keras does: one for all outputs, one for each in order, or by name."""
        names = self.output_names
        if isinstance(setting, dict):
            missing = set(names) - set(setting)
            if missing:
                raise ValueError(
                    "`combined` must be compiled with a loss, and with a weight if any, for each "
                    f"of its outputs. Missing: {sorted(missing)}"
                )
            return {name: setting[name] for name in names}
        if isinstance(setting, list | tuple):
            if len(setting) != len(names):
                raise ValueError(
                    "`combined` must be compiled with a loss, and with a weight if any, for each "
                    f"of its {len(names)} outputs, {', '.join(names)}. Received: {setting}"
                )
            return dict(zip(names, setting, strict=True))
        return dict.fromkeys(names, setting)


def _mark_shared_layers(model: Any, config: dict[str, Any]) -> None:
    """Says which layers are in several of the networks, so that they are so again once loaded.

    Keras 3.15 says it of all but the first place that a layer is in, and then makes two of it.
    """
    places: dict[int, list[dict[str, Any]]] = {}

    def find(network: Any, config: dict[str, Any]) -> None:
        by_name = {operation.name: operation for operation in network.operations}
        for each in config["layers"]:
            layer, inner = by_name[each["name"]], each["config"]
            places.setdefault(id(layer), []).append(each)
            if is_functional(layer) and "input_layers" in inner:
                find(layer, inner)

    find(model, config)
    for number, found in places.items():
        if len(found) > 1:
            for each in found:
                each["shared_object_id"] = number


def _named(outputs: list[Any], names: tuple[str, ...]) -> list[Any]:
    """Gives outputs names of their own.

    Without them, outputs of a network that is called more than once are all reported under one
    name, and the cycle losses show the identity losses.
    """
    return [
        layers.Identity(dtype=output.dtype, name=name)(output)
        for name, output in zip(names, outputs, strict=True)
    ]
