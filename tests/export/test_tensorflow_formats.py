import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from cyclegan_keras.export import runtimes, tensorflow_formats
from cyclegan_keras.export.walking import with_any_size
from tests.export import networks

pytestmark = pytest.mark.integration

# Each conversion takes seconds; these two have nearly every layer that LiteRT wants otherwise.
EVERY_DAY = ("resnet", "resnet_fast")
KINDS = [
    name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow)
    for name in networks.GENERATORS
]
TOLERANCE = 3e-5


def assert_equal(run: runtimes.Run, model: keras.Model, random_images) -> None:
    any_size = with_any_size(model)
    for shape in ((2, 32, 32, 3), (1, 64, 96, 3), (1, 32, 32, 3)):
        images = random_images(*shape)
        wanted = ops.convert_to_numpy(any_size(images, training=False))
        received = run(images)
        assert received.shape == wanted.shape
        np.testing.assert_allclose(received, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", KINDS)
def test_litert_computes_the_same_in_every_size(name, random_images, tmp_path: pathlib.Path):
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install ai-edge-litert")
    model = networks.generator(name)
    file = tmp_path / "g.tflite"
    file.write_bytes(tensorflow_formats.to_litert(model))
    assert_equal(runtimes.litert(file), model, random_images)


@pytest.mark.parametrize(
    "name",
    [n if n == "resnet_fast" else pytest.param(n, marks=pytest.mark.slow) for n in EVERY_DAY],
)
def test_a_saved_model_computes_the_same_in_every_size(name, random_images, tmp_path: pathlib.Path):
    model = networks.generator(name)
    tensorflow_formats.write_saved_model(model, tmp_path / "g")
    assert_equal(runtimes.saved_model(tmp_path / "g"), model, random_images)
    signature = tf.saved_model.load(str(tmp_path / "g")).signatures["serving_default"]
    assert [*signature.structured_outputs] == ["translation"]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"float16": True}, {"int8": True}])
def test_litert_files_in_fewer_bits_are_smaller_and_nearly_the_same(
    settings, random_images, tmp_path: pathlib.Path
):
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install ai-edge-litert")
    model = networks.generator("deep_unet")
    whole, small = tmp_path / "whole.tflite", tmp_path / "small.tflite"
    whole.write_bytes(tensorflow_formats.to_litert(model))
    small.write_bytes(tensorflow_formats.to_litert(model, **settings))
    assert small.stat().st_size < 0.75 * whole.stat().st_size
    images = random_images(1, 32, 32, 3)
    difference = np.abs(runtimes.litert(whole)(images) - runtimes.litert(small)(images))
    assert 0 < difference.mean() < 0.05


def test_a_layer_made_for_one_size_is_reported(tmp_path: pathlib.Path):
    img = keras.Input((8, 8, 3))
    model = keras.Model(img, keras.layers.Reshape((8, 8, 3))(keras.layers.Reshape((64, 3))(img)))
    with pytest.raises(ValueError, match="any size") as error:
        tensorflow_formats.write_saved_model(model, tmp_path / "g")
    assert "\n" not in str(error.value)
