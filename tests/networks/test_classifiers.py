"""Networks that label images."""

import keras
import numpy as np
import pytest

from cyclegan_keras.config.classifiers import LeNetConfig, StridedConfig
from cyclegan_keras.inference.safe_loading.model_files import load_model
from cyclegan_keras.inference.saving import save_generator
from cyclegan_keras.networks.classifiers import build_classifier, build_feature_discriminator


def test_lenet_has_as_many_weights_as_the_literatures():
    # Caffe's LeNet, which this is but for dropout, has 431,080.
    assert build_classifier((28, 28, 1), 10).count_params() == 431_080


def test_the_strided_network_is_that_of_the_code():
    network = build_classifier((32, 32, 3), 10, StridedConfig())
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.output.shape[1:] for layer in convolutions] == [
        (16, 16, 64),
        (8, 8, 128),
        (4, 4, 256),
    ]
    weights = 25 * 3 * 64 + 25 * 64 * 128 + 25 * 128 * 256  # kernels
    weights += 5 * (64 + 128 + 256)  # biases, and batch normalization
    weights += 4096 * 512 + 512 + 512 * 10 + 10
    assert network.count_params() == weights
    rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.1, 0.3, 0.5]


@pytest.mark.parametrize(("size", "halvings"), [(32, 3), (48, 3), (64, 4), (128, 5)])
def test_larger_images_are_halved_more_often(size, halvings):
    network = build_classifier((size, size, 3), 4, StridedConfig(cf=2))
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == halvings
    assert convolutions[-1].output.shape[-1] == 8


@pytest.mark.parametrize("config", [LeNetConfig(cf=2), StridedConfig(cf=2)])
def test_a_seed_decides_weights_and_dropout(config, random_images):
    imgs = random_images(2, 32, 40, 1)
    networks = [build_classifier((32, 40, 1), 3, config, seed) for seed in (0, 0, 1)]
    calls = [[np.asarray(c(imgs, training=True)) for _ in range(2)] for c in networks]
    np.testing.assert_array_equal(calls[0], calls[1])
    assert calls[0][0].shape == (2, 3)
    assert not np.array_equal(calls[0][0], calls[0][1])
    assert not np.array_equal(networks[0](imgs), networks[2](imgs))


@pytest.mark.parametrize("config", [LeNetConfig(cf=2), StridedConfig(cf=2)])
def test_it_is_saved_in_layers_of_keras_and_loaded(config, random_images, tmp_path):
    network = build_classifier((32, 32, 3), 3, config, 0, "c_source")
    save_generator(network, tmp_path / "c.keras")
    imgs = random_images(2, 32, 32, 3)
    for load in (load_model, keras.models.load_model):
        np.testing.assert_allclose(load(tmp_path / "c.keras")(imgs), network(imgs), atol=1e-6)


def test_scores_are_in_full_precision(dtype_policy):
    dtype_policy("mixed_bfloat16")
    network = build_classifier((32, 32, 3), 3, StridedConfig(cf=2))
    assert network.output.dtype == build_feature_discriminator(3, 4).output.dtype == "float32"
    assert network.layers[1].compute_dtype == "bfloat16"


def test_a_discriminator_of_scores_has_two_hidden_layers():
    d = build_feature_discriminator(10, seed=0)
    assert d.count_params() == 10 * 500 + 500 + 500 * 500 + 500 + 500 * 2 + 2


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"at least 28 pixels.*\(27, 28, 3\)"):
        build_classifier((27, 28, 3), 3)
    with pytest.raises(ValueError, match="num_classes=1"):
        build_classifier((28, 28, 3), 1)
