import keras
import numpy as np
import pytest

from cyclegan_keras.metrics.backbones import efficientnet


@pytest.mark.slow
def test_the_scales_are_those_of_the_whole_network(random_images):
    keras.utils.set_random_seed(0)
    features, _ = efficientnet.build(img_res=(64, 96))
    scales = efficientnet.build_scales()
    own = {layer.name: layer for layer in features.layers}
    for layer in scales.layers:
        if layer.weights:
            layer.set_weights(own[layer.name].get_weights())
    images = random_images(1, 64, 96, 3)
    found = scales(images)
    assert [tuple(each.shape[1:]) for each in found] == [
        (32, 48, 16), (16, 24, 24), (8, 12, 40), (4, 6, 112), (2, 3, 320)
    ]  # fmt: skip
    head = keras.Model(own["_conv_head"].input, features.output)
    np.testing.assert_allclose(head(found[-1]), features(images), rtol=0, atol=1e-5)
    # The last of each size: behind it, images are halved.
    behind = keras.Model(own["_blocks.1._expand_conv"].input, own["_blocks.2._bn2"].output)
    assert behind(found[0]).shape[1:3] == (16, 24)
