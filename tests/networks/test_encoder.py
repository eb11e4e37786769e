"""The features that contrastive losses compare, and their projections."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import DeepUNetConfig, PatchGANConfig, ResNetConfig, UNetConfig
from cyclegan_keras.layers import LeanConv2D
from cyclegan_keras.networks.encoder import encoder_outputs
from cyclegan_keras.networks.projection import build_projection_heads


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        (ResNetConfig(gf=2, num_blocks=7), [(64, 3), (32, 4), (16, 8), (16, 8), (16, 8)]),
        (
            ResNetConfig(gf=2, num_blocks=2, skips=True, blend=True, norm="pixel"),
            [(64, 3), (32, 4), (16, 8), (16, 8), (16, 8)],
        ),
        (ResNetConfig(gf=2, num_blocks=1), [(64, 3), (32, 4), (16, 8), (16, 8)]),
        (ResNetConfig(gf=2, num_blocks=0), [(64, 3), (32, 4), (16, 8)]),
        (UNetConfig(gf=2), [(64, 3), (32, 2), (16, 4), (8, 8), (4, 16)]),
        (DeepUNetConfig(gf=2), [(64, 3), (32, 2), (16, 4), (8, 8), (4, 16)]),
    ],
)
def test_every_generator_has_features(config, shapes):
    outputs = encoder_outputs(config.build((64, 64, 3)))
    assert [(x.shape[1], x.shape[-1]) for x in outputs] == shapes
    assert all(x.shape[1] == x.shape[2] for x in outputs)


def test_the_first_and_the_fifth_block_count_or_the_last_one():
    for num_blocks, number in ((9, 5), (5, 5), (3, 3)):
        g = ResNetConfig(gf=1, num_blocks=num_blocks).build((32, 32, 3))
        blocks = [layer for layer in g.layers if isinstance(layer, keras.layers.Add)]
        assert len(blocks) == num_blocks
        *_, first, last = encoder_outputs(g)
        assert first is blocks[0].output
        assert last is blocks[number - 1].output


def test_each_sees_as_much_of_the_image_as_the_docstring_says():
    g = ResNetConfig(gf=1, num_blocks=9, norm="none").build((128, 128, 3))
    for variable in g.trainable_variables:
        variable.assign(np.ones(variable.shape))
    encoder = keras.Model(g.inputs, encoder_outputs(g))
    img = tf.fill((1, 128, 128, 3), 1e-3)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(img)
        middles = [x[0, x.shape[1] // 2, x.shape[2] // 2, 0] for x in encoder(img)]
    widths = [
        int(np.any(tape.gradient(middle, img)[0, :, :, 0] != 0, axis=0).sum()) for middle in middles
    ]
    assert widths == [1, 9, 13, 29, 93]


def test_a_network_without_features_is_refused():
    img = keras.Input((32, 32, 3))
    flat = keras.Model(img, LeanConv2D(3, 3, padding="same")(img), name="g_AB")
    with pytest.raises(ValueError, match=r"when they halve it.*Received: 'g_AB', which has none"):
        encoder_outputs(flat)

    class Own(keras.Model):
        def call(self, imgs):
            return imgs

    with pytest.raises(ValueError, match="must be a functional"):
        encoder_outputs(Own(name="g_AB"))


def test_the_published_sizes():
    g = ResNetConfig(num_blocks=9).build((256, 256, 3))
    channels = [x.shape[-1] for x in encoder_outputs(g)]
    assert channels == [3, 128, 256, 256, 256]
    # As in tests/benchmarks/test_fastcut.py, which counts them by hand.
    assert g.count_params() == 11_378_179
    assert PatchGANConfig().build((256, 256, 3)).count_params() == 2_764_737
    heads = build_projection_heads(channels, seed=0)
    assert heads.count_params() == 560_384
    kernels = [np.asarray(w) for w in heads.weights if w.ndim == 2]
    for kernel in kernels:
        fans = sum(kernel.shape)
        assert kernel.std() == pytest.approx(0.02 * (2 / fans) ** 0.5, rel=0.1)
    assert not np.array_equal(kernels[-1], kernels[-2])
    assert not any(np.any(w) for w in heads.weights if w.ndim == 1)
