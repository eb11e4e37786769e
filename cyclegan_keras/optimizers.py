"""Adam in one pass over memory, and one optimizer for each model."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.replicas import mean_over_all, share


@keras.saving.register_keras_serializable(package=PACKAGE)
class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, with TensorFlow's fused kernel for each variable.

    The arithmetic is that of `keras.optimizers.Adam`. Keras spells it out in a dozen operations,
    each of which reads and writes the whole variable; with many weights and few pixels, that is a
    large part of a step.

    Args:
        **kwargs: Of `keras.optimizers.Adam`. With `amsgrad` it computes as Keras does.

    Reference:
        [Kingma & Ba, 2014](https://arxiv.org/abs/1412.6980).
    """

    # What is the same for all variables in a step, by type; a step has a hundred of them.
    _shared: dict[str, dict[str, Any]] | None = None

    def _backend_update_step(self, *args: Any) -> None:
        self._shared = {}
        try:
            super()._backend_update_step(*args)
        finally:
            self._shared = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable by one step."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        shared = {} if self._shared is None else self._shared
        if dtype not in shared:
            shared[dtype] = self._numbers(learning_rate, dtype)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            grad=ops.cast(gradient, dtype),
            **shared[dtype],
        )

    def _numbers(self, learning_rate: Any, dtype: str) -> dict[str, Any]:
        step = ops.cast(self.iterations + 1, dtype)
        return {
            "beta1_power": ops.power(ops.cast(self.beta_1, dtype), step),
            "beta2_power": ops.power(ops.cast(self.beta_2, dtype), step),
            "lr": ops.cast(learning_rate, dtype),
            "beta1": tf.constant(self.beta_1, dtype),
            "beta2": tf.constant(self.beta_2, dtype),
            "epsilon": tf.constant(self.epsilon, dtype),
        }

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        """As Keras does, with the momentum computed once."""
        if not self.use_ema:
            return
        momenta: dict[str, tuple[Any, Any]] = {}
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is None:
                continue
            dtype = variable.dtype
            if dtype not in momenta:
                # The first average is the variable itself.
                not_first = ops.cast(ops.not_equal(self.iterations, 0), dtype)
                momentum = ops.multiply(not_first, self.ema_momentum)
                momenta[dtype] = momentum, ops.subtract(1, momentum)
            momentum, rest = momenta[dtype]
            average.assign(ops.add(ops.multiply(momentum, average), ops.multiply(rest, variable)))


def keep_optimizers_apart(model: keras.Model) -> None:
    """Lets a model's `compile` copy an optimizer that already trains another model.

    So one optimizer may be given to several models, as listings 9.2 and 9.3 of the book do. An
    optimizer has moments for the variables of one model only; each further model gets its own
    moments, its own step and its own loss scale. The learning rate stays one for all of them.

    Args:
        model: A built model; its `compile` is replaced.
    """
    compile_model = model.compile

    @functools.wraps(compile_model)
    def compile_apart(optimizer: Any = "rmsprop", *args: Any, **kwargs: Any) -> None:
        if isinstance(optimizer, keras.optimizers.Optimizer) and trains_another(optimizer, model):
            optimizer = own_copy(optimizer)
        compile_model(optimizer, *args, **kwargs)
        build_optimizer(model)

    # Of this one model. Keras would not compile a loaded model of a class that overrides it.
    model.compile = compile_apart


def build_optimizer(model: keras.Model) -> None:
    """Makes a compiled model's optimizer ready for its variables, so that it can be no other's.

    Args:
        model: The model.

    Raises:
        ValueError: If the optimizer trains another model.
    """
    optimizer = model.optimizer
    if optimizer is None:
        raise ValueError(f"{model.name!r} must be compiled with an optimizer. Received: None")
    if trains_another(optimizer, model):
        raise ValueError(
            f"The optimizer of {model.name!r} trains another model already. Give it one of its "
            f"own: `{model.name}.compile(optimizer=...)`."
        )
    meet_before_moving(optimizer)
    if not optimizer.built:  # Built again, it would forget its loss scale.
        optimizer.build(model.trainable_variables)


def meet_before_moving(optimizer: Any) -> None:
    """Lets an optimizer take the mean of all replicas' gradients first of all.

    Keras adds them up last, behind the clipping and the look for gradients that are not finite. In
    half precision, each replica would then decide by itself whether to leave out a step.

    Args:
        optimizer: Any of Keras's. Outside a step on several replicas, it is what it was.
    """
    apply = optimizer.apply
    if getattr(apply, "meets", False):
        return

    @functools.wraps(apply)
    def apply_mean(grads: Any, trainable_variables: Any = None) -> None:
        if share() is not None:
            grads = mean_over_all(grads)
        apply(grads, trainable_variables)

    def as_they_are(grads_and_vars: Any) -> Any:
        return sum_up(grads_and_vars) if share() is None else list(grads_and_vars)

    inner = _innermost(optimizer)
    sum_up = inner._all_reduce_sum_gradients
    apply_mean.meets = True  # type: ignore[attr-defined]
    # Not by `setattr`: Keras would track it.
    object.__setattr__(optimizer, "apply", apply_mean)
    object.__setattr__(inner, "_all_reduce_sum_gradients", as_they_are)


def apply_means(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    """Moves variables by gradients that are means over the whole batch already.

    Args:
        optimizer: Any of Keras's, of a model that `build_optimizer` has seen.
        gradients: From `mean_over_all`, and changed since, such as clipped.
        variables: As many.
    """
    apply = optimizer.apply
    (apply.__wrapped__ if getattr(apply, "meets", False) else apply)(gradients, variables)


def trains_another(optimizer: Any, model: keras.Model) -> bool:
    """Whether an optimizer was built for variables among which are not all of a model's.

    Args:
        optimizer: Any of Keras's, built or not.
        model: A built model.

    Returns:
        Whether it cannot train the model.
    """
    inner = _innermost(optimizer)
    own = {id(variable) for variable in inner._trainable_variables}
    return inner.built and not own.issuperset(id(v) for v in model.trainable_variables)


def own_copy(optimizer: Any) -> Any:
    """Makes another optimizer with the same settings, the same learning rate, and no state.

    Args:
        optimizer: Any of Keras's. A later change of its learning rate, if that is a number, is one
            of the copy's as well.

    Returns:
        The copy, not yet built.

    Raises:
        TypeError: If the optimizer's `get_config` does not say all that it takes to make another.
    """
    kind, config = type(optimizer), optimizer.get_config()
    if hasattr(optimizer, "inner_optimizer"):
        return kind(**{**config, "inner_optimizer": own_copy(optimizer.inner_optimizer)})
    try:
        copy = kind.from_config({**config, "learning_rate": 0.0})
    except TypeError as error:
        raise TypeError(
            f"One optimizer was given to several models, and {kind.__name__} cannot be copied "
            f"({error}). Give each model one of its own."
        ) from error
    copy._untrack_variable(copy._learning_rate)
    copy._learning_rate = optimizer._learning_rate
    return copy


def reset_optimizer(optimizer: Any) -> None:
    """Lets an optimizer begin anew: with no moments, and with step 0.

    Moving averages begin again with the next step, too. The learning rate stays, and so does the
    scale of the loss, which depends on the networks and not on what is remembered of their steps.

    Args:
        optimizer: Any of Keras's, built.
    """
    inner = _innermost(optimizer)
    for variable in inner.variables:
        if variable is not inner._learning_rate:
            variable.assign(ops.zeros_like(variable))


def moving_averages(optimizer: Any) -> dict[int, Any]:
    """Finds the moving averages that an optimizer takes of what it trains.

    Args:
        optimizer: Any of Keras's.

    Returns:
        The average of each variable, by the variable's `id`; nothing without `use_ema`, or before
        the first step.
    """
    inner = _innermost(optimizer)
    if not inner.use_ema or not int(ops.convert_to_numpy(inner.iterations)):
        return {}
    variables, averages = inner._trainable_variables, inner._model_variables_moving_average
    return {id(v): average for v, average in zip(variables, averages, strict=True)}


def _innermost(optimizer: Any) -> Any:
    """The optimizer that moves variables: mixed precision puts one around it that scales losses."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer
