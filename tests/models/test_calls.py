import keras
import numpy as np
import pytest

from cyclegan_keras.layers import InstanceNormalization
from cyclegan_keras.models.calls import call_on_each
from cyclegan_keras.networks import treats_images_alone

SHAPE = (4, 4, 3)


@pytest.mark.parametrize("with_batch_norm", [False, True])
def test_batches_go_through_a_network_at_once_only_if_nothing_changes(
    with_batch_norm, random_images
):
    inputs = keras.Input(SHAPE)
    norm = keras.layers.BatchNormalization if with_batch_norm else InstanceNormalization
    network = keras.Model(inputs, norm()(inputs))
    batches = [place + random_images(2 + place, *SHAPE, seed=place) for place in range(3)]
    expected = [np.asarray(network(imgs, training=True)) for imgs in batches]
    assert treats_images_alone(network) != with_batch_norm
    results = call_on_each(network, *batches)
    for ours, separately in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(ours), separately, rtol=0, atol=1e-5)
