"""Settings by which a step is computed otherwise: the same numbers but for rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers.forms import form_of
from tests.tiny import Tiny, convolution

SHAPE = (32, 32, 3)


class Asks(Tiny):
    """Notes the form that a convolution would take inside of its step."""

    def build_generator(self):
        img = keras.Input(SHAPE)
        return keras.Model(img, convolution(3, 1, "tanh", 0)(img))

    def _step(self, imgs_A, imgs_B):
        self.form = form_of(tf.zeros((1, 8, 8, 3)), (4, 4, 3, 8))
        return super()._step(imgs_A, imgs_B)


@pytest.mark.parametrize(("exact", "form"), [(False, "patches"), (True, "plain")])
def test_a_step_with_exact_convolutions_has_none_but_plain_ones(
    exact, form, random_images, untraced
):
    gan = Asks(SHAPE, seed=0, exact_convolutions=exact)
    gan.train_step((random_images(1, *SHAPE), random_images(1, *SHAPE, seed=1)))
    assert gan.form == form


def test_a_step_compiled_by_xla_is_the_same(random_images):
    losses = []
    for jit in (False, True):
        gan = Asks(SHAPE, seed=0, jit=jit)
        for seed in (0, 2):
            imgs = random_images(1, *SHAPE, seed=seed), random_images(1, *SHAPE, seed=seed + 1)
            logs = gan.train_step(imgs)
        losses.append({name: float(value) for name, value in logs.items()})
        assert gan._traced.of("")._jit_compile == jit
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert np.isfinite([*losses[1].values()]).all()
