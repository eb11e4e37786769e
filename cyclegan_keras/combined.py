"""The model through which the generators are trained."""

from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras.layers import PACKAGE

OUTPUTS = ("valid_A", "valid_B", "reconstr_A", "reconstr_B", "img_A_id", "img_B_id")


@keras.saving.register_keras_serializable(package=PACKAGE)
class Combined(keras.Model):
    """A model of six outputs whose trainable variables are the generators' alone.

    The classic way, `trainable = False` on the compiled discriminators, leaves them untrained for
    ever under Keras 3, which reads that flag when it traces and not when it compiles. So nothing is
    frozen here: this model just does not count the discriminators' variables among those it trains.

    Reference:
        *GANs in Action*, listing 9.3.
    """

    @classmethod
    def connect(
        cls,
        img_shape: tuple[int, int, int],
        g_AB: keras.Model,
        g_BA: keras.Model,
        d_A: keras.Model,
        d_B: keras.Model,
    ) -> "Combined":
        """Connects the four networks.

        Args:
            img_shape: `(height, width, channels)`.
            g_AB: Generator from A to B, named "g_AB".
            g_BA: Generator from B to A, named "g_BA".
            d_A: Discriminator of A.
            d_B: Discriminator of B.

        Returns:
            The model from `[img_A, img_B]` to `valid_A = d_A(g_BA(img_B))`, `valid_B`,
            `reconstr_A = g_BA(g_AB(img_A))`, `reconstr_B`, `img_A_id = g_BA(img_A)`, `img_B_id`.
        """
        img_A, img_B = keras.Input(img_shape, name="img_A"), keras.Input(img_shape, name="img_B")
        fake_B, fake_A = g_AB(img_A), g_BA(img_B)
        outputs = [d_A(fake_A), d_B(fake_B), g_BA(fake_B), g_AB(fake_A), g_BA(img_A), g_AB(img_B)]
        # Without names of their own, outputs of a network that is called more than once are all
        # reported under one name, and the cycle losses show the identity losses.
        named = [
            layers.Identity(dtype=output.dtype, name=name)(output)
            for name, output in zip(OUTPUTS, outputs, strict=True)
        ]
        return cls([img_A, img_B], named, name="combined")

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables of `g_AB` and `g_BA`."""
        generators = (self.get_layer("g_AB"), self.get_layer("g_BA"))
        return [variable for g in generators for variable in g.trainable_variables]

    @property
    def trainable_weights(self) -> list[Any]:
        """The same as `trainable_variables`."""
        return self.trainable_variables

    def compile(self, *args: Any, loss_weights: Any = None, **kwargs: Any) -> None:
        """Compiles as any Keras model does, and keeps the weights for `weigh`.

        Args:
            *args: Of `keras.Model.compile`.
            loss_weights: One weight for each of the six losses, in the order of the outputs.
            **kwargs: Of `keras.Model.compile`.
        """
        super().compile(*args, loss_weights=loss_weights, **kwargs)
        self.loss_weights = loss_weights

    def losses_of(self, imgs_A: Any, imgs_B: Any, outputs: list[Any]) -> dict[str, Any]:
        """Measures the six losses that the model was compiled with.

        Args:
            imgs_A: Real images of A.
            imgs_B: Real images of B.
            outputs: What the model makes of them, in the order of its outputs.

        Returns:
            A dict from the outputs' names to scalars, unweighted.
        """
        valid_A, valid_B = (ops.ones_like(scores) for scores in outputs[:2])
        targets = [valid_A, valid_B, imgs_A, imgs_B, imgs_A, imgs_B]
        losses = [keras.losses.get(loss) for loss in self.loss]
        return {
            name: ops.mean(loss(target, output))
            for name, loss, target, output in zip(OUTPUTS, losses, targets, outputs, strict=True)
        }

    def weigh(self, losses: dict[str, Any]) -> Any:
        """Returns the weighted sum of the losses, the number that the generators minimise."""
        weights = self.loss_weights or [1.0] * len(OUTPUTS)
        return sum(weight * losses[name] for name, weight in zip(OUTPUTS, weights, strict=True))
