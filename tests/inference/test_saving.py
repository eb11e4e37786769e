import json

import keras
import numpy as np
import pytest

from cyclegan_keras.inference import saving
from cyclegan_keras.inference.rebuilding import operations_of
from cyclegan_keras.networks import build_unet_generator


def test_a_model_is_saved_whole_or_not_at_all(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "m.keras"
    saving.save_whole(model, path)
    before = path.read_bytes()

    class Fails:
        variables = ()

        def save(self, partial):
            partial.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        saving.save_whole(Fails(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_a_copy_in_full_precision_has_the_same_weights(dtype_policy, random_images):
    full = build_unet_generator((32, 32, 3), gf=2, name="g_AB")
    assert saving.in_full_precision(full) is full
    dtype_policy("mixed_float16")
    half = build_unet_generator((32, 32, 3), gf=2, name="g_AB")
    half.set_weights(full.get_weights())
    dtype_policy("float32")
    copy = saving.in_full_precision(half)
    assert copy.name == "g_AB"
    x = random_images(2, 32, 32, 3)
    np.testing.assert_array_equal(np.asarray(copy(x)), np.asarray(full(x)))
    assert not np.array_equal(np.asarray(half(x)), np.asarray(full(x)))


def test_networks_in_a_network_are_in_full_precision_too(dtype_policy):
    dtype_policy("mixed_float16")
    inner = build_unet_generator((32, 32, 3), gf=2)
    img = keras.Input((32, 32, 3))
    whole = keras.Model(img, inner(img), name="g_AB")
    copy = saving.in_full_precision(whole)
    assert {op.compute_dtype for op in operations_of(whole) if op.weights} == {"float16"}
    assert {op.compute_dtype for op in operations_of(copy) if op.weights} == {"float32"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_with_a_weight_that_is_no_number_is_never_saved(value, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="g_AB")
    saving.save_translators({"g_AB": model}, tmp_path)
    before = (tmp_path / "g_AB.keras").read_bytes()
    model.set_weights([np.array([[1.0], [value]]), np.zeros(1)])
    with pytest.raises(
        ValueError, match=r"g_AB is not saved, because its weights '.*kernel' are not finite"
    ):
        saving.save_translators({"g_AB": model}, tmp_path)
    assert (tmp_path / "g_AB.keras").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_translators_are_replaced_together_or_not_at_all(tmp_path):
    good, bad = (
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name=name)
        for name in ("g_AB", "g_BA")
    )
    saving.save_translators({"g_AB": good, "g_BA": bad}, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    good.set_weights([np.ones((2, 1)), np.zeros(1)])
    bad.set_weights([np.full((2, 1), np.nan), np.zeros(1)])
    with pytest.raises(ValueError, match="g_BA is not saved"):
        saving.save_translators({"g_AB": good, "g_BA": bad}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_metrics_are_json(tmp_path):
    saving.save_metrics({"epochs": 2, "truth_AB": 0.1}, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"epochs": 2, "truth_AB": 0.1}
