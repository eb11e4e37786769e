"""The detail that discriminators see beside images."""

import keras
import numpy as np
import pytest

from cyclegan_keras import PatchGANConfig, TrainConfig
from cyclegan_keras.layers import AddDetail


@pytest.mark.parametrize("size", [3, 5])
def test_detail_is_what_differs_from_the_pixels_around_it(size):
    imgs = np.random.default_rng(0).uniform(-1, 1, (2, 5, 4, 3))
    found = np.asarray(AddDetail(4.0, size, dtype="float64")(imgs))
    sides = (size // 2,) * 2
    mirrored = np.pad(imgs, [(0, 0), sides, sides, (0, 0)], mode="reflect")
    places = range(size)
    around = sum(mirrored[:, i : i + 5, j : j + 4] for i in places for j in places) / size**2
    np.testing.assert_array_equal(found[..., :3], imgs)
    np.testing.assert_allclose(found[..., 3:], 4 * (imgs - around), atol=1e-14)


def test_smooth_images_have_no_detail():
    rows = np.linspace(-1, 1, 8)[np.newaxis, :, np.newaxis, np.newaxis]
    imgs = np.tile(rows, (1, 1, 6, 1))
    detail = np.asarray(AddDetail(8.0, dtype="float64")(imgs))[..., 1]
    np.testing.assert_allclose(detail[:, 1:-1], 0, atol=1e-14)


def test_a_discriminator_with_detail_has_twice_the_channels_in_its_first_layer():
    plain, detailed = (
        PatchGANConfig(df=2, receptive_field=16, detail=detail).build((16, 16, 3), 1)
        for detail in (0.0, 8.0)
    )
    assert detailed.input_shape == plain.input_shape == (None, 16, 16, 3)
    assert detailed.count_params() - plain.count_params() == 4 * 4 * 3 * 2
    again = keras.Model.from_config(detailed.get_config())
    again.set_weights(detailed.get_weights())
    imgs = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(again.predict_on_batch(imgs), detailed.predict_on_batch(imgs))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_detail_is_not_lost_in_half_precision(policy, dtype_policy):
    dtype_policy(policy)
    d = PatchGANConfig(df=2, receptive_field=16, detail=16.0).build((8, 8, 1), 1)
    assert d.layers[2].compute_dtype == policy.removeprefix("mixed_")
    imgs = np.full((1, 8, 8, 1), 0.9, "float32")
    imgs[0, 4, 4, 0] += 1 / 127.5
    (detail,) = (layer for layer in d.layers if isinstance(layer, AddDetail))
    seen = np.asarray(detail(imgs))[0, 4, 4, 1]
    np.testing.assert_allclose(seen, 16 / 127.5 * (1 - 1 / 9), rtol=1e-4)


def test_a_negative_gain_is_refused():
    with pytest.raises(ValueError, match="detail=-1"):
        PatchGANConfig(detail=-1.0)


def test_a_pixel_is_in_the_middle_of_its_surroundings():
    with pytest.raises(ValueError, match=r"`d_detail_size` must be odd.*d_detail_size=4"):
        PatchGANConfig(detail=8.0, detail_size=4)
    wide = PatchGANConfig(df=2, receptive_field=16, detail=8.0, detail_size=15)
    assert wide.build((8, 8, 3), 1).output_shape == (None, 2, 2, 1)
    with pytest.raises(ValueError, match=r"8.*d_detail_size=15"):
        wide.build((7, 7, 3), 1)
    with pytest.raises(ValueError, match="at least 101, because d_detail_size=201"):
        TrainConfig(image_size=64, d_detail_size=201)
    assert PatchGANConfig(receptive_field=16, detail_size=15).least == 6  # Detail is left out.


def _seen(detail: float) -> float:
    """Trains a discriminator to tell faint grain, and returns how far its scores then differ."""
    rng = np.random.default_rng(0)
    plain = np.ones((32, 16, 16, 3)) * rng.uniform(-1, 1, (32, 1, 1, 3))
    grainy = plain + rng.choice([-2, 2], plain.shape) / 127.5
    imgs = np.concatenate([plain, grainy]).astype("float32")
    model = PatchGANConfig(df=8, receptive_field=16, norm="pixel", detail=detail).build(
        (16, 16, 3), 1
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    wanted = np.repeat([0.0, 1.0], 32)[:, np.newaxis, np.newaxis, np.newaxis]
    wanted = np.broadcast_to(wanted, (64, *model.output_shape[1:]))
    model.fit(imgs, wanted, batch_size=8, epochs=12, verbose=0)
    scores = model.predict(imgs, verbose=0).mean(axis=(1, 2, 3))
    return float(scores[32:].mean() - scores[:32].mean())


@pytest.mark.integration
def test_a_discriminator_learns_to_see_faint_grain_by_its_detail_alone():
    keras.utils.set_random_seed(0)
    assert _seen(0.0) < 0.1
    assert _seen(16.0) > 0.7
