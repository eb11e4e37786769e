"""Adam in one pass over memory."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE


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

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable by one step."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=ops.cast(gradient, dtype),
        )
