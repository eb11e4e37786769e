import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers import LeanConv2D, UpsampleConv2D
from cyclegan_keras.layers.forms import form_of, plain_convolutions


def images(*shape, dtype="float32"):
    return tf.zeros(shape, dtype)


# In the order of the table: what fits a rule just so, and what no longer does.
CASES = [
    (((1, 16, 32, 96), (3, 3, 96, 96)), {}, "winograd"),
    (((1, 18, 34, 96), (3, 3, 96, 96)), {"padding": "valid"}, "winograd"),
    (((1, 17, 34, 96), (3, 3, 96, 96)), {"padding": "valid"}, "plain"),  # 480 results
    (((1, 16, 16, 96), (3, 3, 96, 96)), {}, "patches"),
    (((1, 32, 32, 95), (3, 3, 95, 96)), {}, "plain"),
    (((1, 32, 32, 96), (3, 3, 96, 95)), {}, "plain"),
    (((1, 32, 32, 96), (5, 5, 96, 96)), {}, "plain"),
    (((1, 32, 32, 96), (3, 3, 96, 96)), {"strides": 2}, "plain"),
    (((1, 40, 40, 48), (4, 4, 48, 3)), {}, "rows"),
    (((1, 2, 2, 48), (7, 7, 48, 1)), {}, "rows"),
    (((1, 40, 40, 48), (3, 3, 48, 3)), {}, "plain"),
    (((1, 40, 40, 48), (4, 4, 48, 3)), {"strides": 2}, "plain"),
    (((1, 40, 40, 47), (4, 4, 47, 3)), {}, "plain"),
    (((1, 40, 40, 48), (4, 4, 48, 4)), {}, "plain"),
    (((1, 16, 16, 3), (4, 4, 3, 8)), {"strides": 2}, "all patches"),
    (((2, 16, 16, 3), (4, 4, 3, 8)), {"strides": 2}, "patches"),
    (((1, 8, 8, 3), (4, 4, 3, 8)), {}, "patches"),
    (((4, 8, 8, 3), (4, 4, 3, 8)), {}, "patches"),
    (((5, 8, 8, 3), (4, 4, 3, 8)), {}, "plain"),
    (((1, 8, 8, 3), (3, 3, 3, 8)), {"strides": 2}, "plain"),  # 2 does not divide 3
    (((1, 8, 8, 3), (4, 4, 3, 8)), {"padding": "valid"}, "plain"),
    (((1, 8, 8, 3), (4, 4, 3, 7)), {"doubles": True}, "adjoint"),
    (((1, 8, 8, 3), (4, 4, 3, 8)), {"doubles": True}, "regrouped"),
    (((9, 7, 9, 3), (4, 4, 3, 8)), {"doubles": True}, "plain"),
]


@pytest.mark.parametrize(("shapes", "settings", "expected"), CASES)
def test_the_form_on_a_cpu(shapes, settings, expected):
    shape, kernel = shapes
    assert form_of(images(*shape), kernel, **settings, device="CPU") == expected
    assert form_of(images(*shape), kernel, **settings, device="GPU") == "plain"
    with plain_convolutions():
        assert form_of(images(*shape), kernel, **settings, device="CPU") == "plain"
    with plain_convolutions(False):
        assert form_of(images(*shape), kernel, **settings, device="CPU") == expected


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_two_forms_are_for_float32(dtype):
    assert form_of(images(1, 40, 40, 48, dtype=dtype), (4, 4, 48, 3), device="CPU") == "plain"
    assert form_of(images(1, 32, 32, 96, dtype=dtype), (3, 3, 96, 96), device="CPU") == "plain"
    doubles = images(1, 8, 8, 3, dtype=dtype)
    assert form_of(doubles, (4, 4, 3, 8), doubles=True, device="CPU") == "regrouped"


def test_sizes_that_are_not_known():
    for batch, height, expected in ((None, 32, "winograd"), (None, None, "plain")):
        x = keras.Input((height, 16, 96), batch_size=batch)
        assert form_of(x, (3, 3, 96, 96), device="CPU") == expected
    x = keras.Input((16, 16, 3))  # A batch of any size may have many pixels.
    assert form_of(x, (4, 4, 3, 8), 2, device="CPU") == "plain"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LeanConv2D(96, 3, padding="same"), (1, 24, 24, 96)),
        (LeanConv2D(4, 4, strides=2, padding="same"), (1, 8, 8, 3)),
        (LeanConv2D(3, 7), (1, 8, 9, 48)),
        (LeanConv2D(1, 4, padding="same"), (2, 5, 6, 48)),
        (UpsampleConv2D(8), (1, 8, 8, 3)),
        (UpsampleConv2D(4), (1, 8, 8, 3)),
    ],
)
def test_layers_are_computed_in_their_form(layer, shape, random_images, monkeypatch):
    x = tf.constant(random_images(*shape))
    layer.build(x.shape)

    def computed():
        def with_gradient():
            y = layer(x)
            return y, tf.gradients(y, x)[0]

        function = tf.function(with_gradient).get_concrete_function()
        return function(), sorted(op.type for op in function.graph.get_operations())

    values, ops = computed()
    with plain_convolutions():
        plain, plain_ops = computed()
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    on_gpu, gpu_ops = computed()
    assert plain_ops == gpu_ops != ops
    for value, same, also in zip(values, plain, on_gpu, strict=True):
        np.testing.assert_array_equal(same, also)
        np.testing.assert_allclose(value, same, rtol=0, atol=5e-5 * np.abs(same).max())
