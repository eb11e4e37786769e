import itertools

import keras
import numpy as np
import pytest

from cyclegan_keras import load_generator, save_generator
from cyclegan_keras.config.pix2pixhd import CoarseToFineConfig
from cyclegan_keras.export import onnx_graph
from cyclegan_keras.networks import treats_images_alone
from cyclegan_keras.networks.coarse_to_fine import global_generator, levels_of

COLORS = [[255, 0, 0], [0, 200, 30], [20, 0, 255]]
SMALL = {"gf": 2, "halvings": 2, "num_blocks": 1, "enhancer_blocks": 1}


def parameters(*layers: tuple[int, int, int]) -> int:
    """Of convolutions with biases: kernel size, channels before, filters."""
    return sum(size * size * before * filters + filters for size, before, filters in layers)


def of_global(channels: int, gf: int, halvings: int, blocks: int) -> int:
    filters = [gf * 2**level for level in range(halvings + 1)]
    sizes = list(itertools.pairwise(filters))
    halving = [(3, one, other) for one, other in sizes]
    doubling = [(3, other, one) for one, other in sizes]
    residual = [(3, filters[-1], filters[-1])] * (2 * blocks)
    return parameters((7, channels, gf), *halving, *residual, *doubling, (7, gf, 3))


def of_enhancer(channels: int, gf: int, blocks: int) -> int:
    residual = [(3, 2 * gf, 2 * gf)] * (2 * blocks)
    outer = [(7, channels, gf), (3, gf, 2 * gf), (3, 2 * gf, gf), (7, gf, 3)]
    return parameters(*outer, *residual)


def colors_of(count: int) -> list[list[int]]:
    return [[number, 0, 0] for number in range(count)]


def check_parameters(gf: int) -> None:
    # 35 classes of Cityscapes and their boundaries.
    config = CoarseToFineConfig().with_settings(labels=colors_of(35), gf=gf)
    whole = config.build((None, None, 3))
    coarse = global_generator(whole, config)
    assert coarse.count_params() == of_global(36, 2 * gf, 4, 9)
    head = parameters((7, 2 * gf, 3))
    own = whole.count_params() - (coarse.count_params() - head)
    assert own == of_enhancer(36, gf, 3)


def test_parameters_are_those_of_the_papers_layers():
    check_parameters(gf=2)
    # As published: 182.5 million.
    assert of_global(36, 64, 4, 9) == 182_546_755


@pytest.mark.slow
def test_parameters_are_those_of_the_published_generators():
    check_parameters(gf=32)


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": COLORS},
        {"labels": "image", "skips": True, "blended_output": True},
        pytest.param({"labels": "image"}, marks=pytest.mark.slow),
        pytest.param(
            {"labels": COLORS, "upsampling": "resize", "padding": "reflect", "norm": "pixel"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"labels": COLORS, "num_blocks": 0, "enhancer_blocks": 0, "norm": "none"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_images_of_any_size_come_out_as_large_and_the_global_ones_half(settings, random_images):
    config = CoarseToFineConfig(**SMALL).with_settings(**settings)
    whole = config.build((None, None, 3), seed=0)
    coarse = global_generator(whole, config, seed=1)
    assert treats_images_alone(whole)
    images = random_images(1, 24, 40, 3)
    assert whole(images).shape == (1, 24, 40, 3)
    assert coarse(images).shape == (1, 12, 20, 3)
    assert np.abs(whole(images)).max() <= 1


def test_the_same_seed_gives_the_same_weights():
    config = CoarseToFineConfig(**SMALL).with_settings(labels=COLORS)
    one, same, other = (config.build((24, 24, 3), seed=seed) for seed in (3, 3, 4))
    for mine, theirs in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 0


def test_sides_must_be_halved_as_often_as_the_networks_do():
    config = CoarseToFineConfig(**SMALL)
    assert config.factor(64)[0] == 8
    with pytest.raises(ValueError, match=r"divisible by 8.*\(24, 28, 3\)"):
        config.build((24, 28, 3))


def test_gray_label_maps_have_the_luma_of_the_colours(random_images):
    assert levels_of([(255, 0, 0), (7, 7, 7)], 1) == [[76], [7]]
    config = CoarseToFineConfig(**SMALL).with_settings(labels=COLORS)
    assert config.build((24, 24, 1))(random_images(1, 24, 24, 1)).shape == (1, 24, 24, 1)
    same = CoarseToFineConfig(**SMALL).with_settings(labels=[[76, 76, 76], [255, 0, 0]])
    with pytest.raises(ValueError, match="same gray"):
        same.build((24, 24, 1))


@pytest.fixture(scope="module")
def generator():
    config = CoarseToFineConfig(**SMALL).with_settings(labels=COLORS)
    return config.build((24, 40, 3), seed=0)


def test_it_is_saved_in_layers_of_keras_and_loaded_safely(generator, random_images, tmp_path):
    path = tmp_path / "g_AB.keras"
    save_generator(generator, path)
    images = random_images(2, 24, 40, 3)
    loaded = load_generator(path)
    np.testing.assert_allclose(loaded(images), generator(images), rtol=0, atol=1e-6)
    plain = keras.saving.load_model(path, custom_objects={}, safe_mode=True)
    modules = {type(layer).__module__.partition(".")[0] for layer in plain._flatten_layers()}
    assert modules == {"keras"}
    np.testing.assert_allclose(plain(images), generator(images), rtol=0, atol=1e-5)


def test_it_is_written_as_onnx_for_any_size(generator, random_images):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    session = onnxruntime.InferenceSession(onnx_graph.to_onnx(generator).SerializeToString())
    images = random_images(2, 24, 40, 3)
    (found,) = session.run(None, {"image": images})
    np.testing.assert_allclose(found, generator(images), rtol=0, atol=1e-5)
    (larger,) = session.run(None, {"image": random_images(1, 32, 48, 3)})
    assert larger.shape == (1, 32, 48, 3)


@pytest.mark.slow
def test_it_is_written_for_litert(generator, random_images, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    from cyclegan_keras.export import runtimes, tensorflow_formats

    path = tmp_path / "g.tflite"
    path.write_bytes(tensorflow_formats.to_litert(generator))
    images = random_images(1, 24, 40, 3)
    np.testing.assert_allclose(runtimes.litert(path)(images), generator(images), rtol=0, atol=1e-5)
