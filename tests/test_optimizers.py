import keras
import numpy as np
import pytest

from cyclegan_keras.optimizers import FusedAdam


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.01, "clipnorm": 0.5}, {"amsgrad": True}]
)
def test_the_fused_update_is_kerass(options, dtype, random_images):
    results = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        weights = [keras.Variable(random_images(5, 7, seed=s), dtype=dtype) for s in (1, 2)]
        optimizer = kind(2e-4, 0.5, **options)
        for step in range(5):
            gradients = [random_images(5, 7, seed=10 * step + s, dtype=dtype) for s in (1, 2)]
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
        results.append([np.asarray(v) for v in [*weights, *optimizer.variables]])
    for index, (ours, kerass) in enumerate(zip(*results, strict=True)):
        # In float32, the kernel's 1 − beta_2 is 1.3e-5 off, and so are the stored squares.
        rtol = 1e-12 if dtype == "float64" else (1e-6 if index < len(weights) else 2e-5)
        np.testing.assert_allclose(ours, kerass, rtol=rtol)


def test_two_steps_by_hand():
    # Adam's first step is the rate times the sign of the gradient. Then, with gradients 1 and -1
    # and both betas one half: m = 1/2 · 1/2 - 1/2 = -1/4 and v = 1/2 · 1/2 + 1/2 = 3/4, each over
    # 1 - 1/4, so m = -1/3, v = 1.
    weight = keras.Variable(np.array([10.0]), dtype="float64")
    optimizer = FusedAdam(0.3, beta_1=0.5, beta_2=0.5, epsilon=0.0)
    for gradient, expected in ((1.0, 9.7), (-1.0, 9.8)):
        optimizer.apply([keras.ops.convert_to_tensor([gradient], "float64")], [weight])
        np.testing.assert_allclose(np.asarray(weight), [expected], rtol=1e-6)


def test_it_comes_back_from_its_configuration():
    optimizer = FusedAdam(1e-3, 0.5)
    again = keras.optimizers.get(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is FusedAdam
    assert again.get_config() == optimizer.get_config()
