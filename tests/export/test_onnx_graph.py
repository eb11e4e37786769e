import collections
import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from cyclegan_keras import to_onnx
from cyclegan_keras.export.walking import with_any_size
from tests.export import networks

pytestmark = pytest.mark.integration

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install onnx onnxruntime")
ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")

# Of values in [-1, 1] or scores of a few units, rounded in another order.
TOLERANCE = 3e-5


def run(proto, images: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(["translation"], {"image": images})[0]


def assert_equal(model: keras.Model, images: np.ndarray, proto=None) -> None:
    wanted = ops.convert_to_numpy(model(images, training=False))
    received = run(to_onnx(model) if proto is None else proto, images)
    assert received.shape == wanted.shape
    np.testing.assert_allclose(received, wanted, rtol=0, atol=TOLERANCE)
    assert wanted.std() > 0.01  # Else it would not show.


@pytest.mark.parametrize("name", networks.GENERATORS)
def test_generators_compute_the_same_in_every_size(name, random_images):
    model = networks.generator(name)
    proto = to_onnx(model)
    assert_equal(model, random_images(2, 32, 32, 3), proto)
    assert_equal(with_any_size(model), random_images(1, 64, 96, 3), proto)


@pytest.mark.parametrize("name", networks.DISCRIMINATORS)
def test_discriminators_compute_the_same_in_every_size(name, random_images):
    model = networks.discriminator(name)
    proto = to_onnx(model)
    assert_equal(model, random_images(2, 32, 32, 3), proto)
    # Odd sizes are padded unevenly where the stride is 2, which is for sizes that are not known.
    if name == "book":
        assert_equal(with_any_size(model), random_images(1, 45, 71, 3), proto)


def test_gray_generators_and_float64_and_half_precision_ones_are_written(
    random_images, dtype_policy
):
    assert_equal(networks.generator("resnet", (32, 32, 1)), random_images(1, 32, 32, 1))
    float32 = networks.generator("unet_residual")
    for policy in ("float64", "mixed_bfloat16"):
        dtype_policy(policy)
        model = networks.generator("unet_residual")
        model.set_weights(float32.get_weights())
        assert_equal(float32, random_images(1, 32, 32, 3), to_onnx(model))


# The number of nodes decides how fast small pictures are, and a doubled one is a mistake.
@pytest.mark.parametrize(
    ("name", "most"),
    [("unet", 102), ("deep_unet", 103), ("resnet", 87), ("resnet_fast", 92), ("resnet_resize", 26)],
)
def test_graphs_stay_small(name, most):
    graph = to_onnx(networks.generator(name)).graph
    assert len(graph.node) <= most
    kinds = collections.Counter(node.op_type for node in graph.node)
    assert kinds["Transpose"] == 2  # Only at the ends.
    assert "InstanceNormalization" not in kinds  # It loses digits in large pictures.


def test_parts_of_tensors(random_images):
    img = keras.Input((16, 16, 6))
    parts = [img[..., :2], img[..., -2:], img[:, :, :, 2:4], img[:, 1:-1, 2:][..., :2]]
    parts[3] = keras.ops.pad(parts[3], [(0, 0), (1, 1), (0, 2), (0, 0)])
    model = keras.Model(img, keras.ops.concatenate(parts, axis=-1))
    proto = to_onnx(model)
    images = random_images(1, 16, 16, 6)
    wanted = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_array_equal(run(proto, images), wanted)
    with pytest.raises(ValueError, match="Take slices without steps"):
        to_onnx(keras.Model(img, img[..., ::2]))


def test_layers_of_others_compute_the_same_at_odd_sizes(random_images):
    img = keras.Input((None, None, 3))
    x = layers.Rescaling([0.5, 1, 2], offset=0.1)(img)
    x = layers.Conv2D(8, (3, 5), strides=(2, 1), padding="same", activation="silu")(x)
    x = layers.Conv2D(8, 3, padding="same", groups=2, dilation_rate=2, activation="gelu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.SeparableConv2D(8, 3, activation="mish")(x)
    x = layers.GroupNormalization(2)(x)
    x = layers.LayerNormalization()(x)
    gate = layers.Reshape((1, 1, 8))(layers.Dense(8, "sigmoid")(layers.GlobalAveragePooling2D()(x)))
    x = layers.Multiply()([x, gate])
    x = layers.Average()([x, layers.Dense(8, "softsign")(x)])
    pooled = (
        layers.MaxPooling2D(2, padding="same")(x),
        layers.AveragePooling2D(2, padding="same")(x),
    )
    x = layers.Concatenate()(list(pooled))
    x = layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 3)))(x)
    x = layers.Cropping2D(((0, 2), (1, 0)))(x)
    x = ops.pad(x, [(0, 0), (1, 1), (2, 0), (0, 0)], mode="reflect")
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, activation="elu"))(x)
    x = (
        x * np.asarray([1, 2, 3, 4], "float32")
        - ops.square(x) / 3
        + ops.mean(x, axis=-1, keepdims=True)
    )
    model = networks.with_drawn_weights(keras.Model(img, layers.UpSampling2D(3)(x)))
    proto = to_onnx(model)
    for size in ((19, 23), (32, 20)):
        assert_equal(model, random_images(2, *size, 3), proto)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_transposed_convolutions_are_aligned(kernel, strides, padding, random_images):
    img = keras.Input((8, 8, 2))
    layer = layers.Conv2DTranspose(3, kernel, strides=strides, padding=padding)
    assert_equal(
        networks.with_drawn_weights(keras.Model(img, layer(img))), random_images(1, 8, 8, 2)
    )


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
def test_doubling_with_every_kernel(kernel, random_images):
    img = keras.Input((9, 7, 2))
    x = layers.Conv2D(3, kernel, padding="same")(layers.UpSampling2D(2)(img))
    model = networks.with_drawn_weights(keras.Model(img, x))
    proto = to_onnx(model)
    assert [node.op_type for node in proto.graph.node].count("Resize") == 0
    assert_equal(model, random_images(1, 9, 7, 2), proto)


def test_networks_in_networks_share_their_weights(random_images):
    inner = networks.generator("resnet")
    img = keras.Input((32, 32, 3))
    twice = keras.Model(img, inner(inner(img)))
    one, two = to_onnx(inner), to_onnx(keras.Sequential([keras.Input((32, 32, 3)), twice]))
    assert_equal(twice, random_images(1, 32, 32, 3), two)
    assert len(two.graph.initializer) == len(one.graph.initializer)


def test_float16_stores_large_weights_in_half_the_space(random_images):
    img = keras.Input((8, 8, 16))
    model = networks.with_drawn_weights(keras.Model(img, layers.Conv2D(64, 3)(img)))
    whole, half = to_onnx(model), to_onnx(model, float16=True)
    assert half.ByteSize() < 0.52 * whole.ByteSize()
    images = random_images(1, 8, 8, 16)
    difference = np.abs(run(whole, images) - run(half, images)).max()
    assert 0 < difference < 2e-3


def test_instance_norm_keeps_its_digits_in_large_pictures(random_images):
    img = keras.Input((None, None, 1))
    model = keras.Model(img, layers.GroupNormalization(-1, epsilon=1e-5)(img))
    images = 3 + random_images(1, 512, 512, 1)
    exact = images.astype("float64")
    exact = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)
    assert np.abs(run(to_onnx(model), images) - exact).max() < 2e-5


class Strange(keras.layers.Layer):
    def call(self, x):
        return x


def unwritable():
    img = keras.Input((32, 32, 3))
    both = [img, keras.Input((32, 32, 3))]
    yield "Strange", keras.Model(img, Strange()(img))
    yield "training=True", keras.Model(img, layers.Dropout(0.5)(img, training=True))
    yield "training=True", keras.Model(img, layers.BatchNormalization()(img, training=True))
    yield "my_activation", keras.Model(img, layers.Conv2D(3, 3, activation=my_activation)(img))
    yield "'Sort'", keras.Model(img, ops.sort(img))
    yield "bicubic", keras.Model(img, layers.UpSampling2D(2, interpolation="bicubic")(img))
    yield "reshapes", keras.Model(img, layers.Reshape((16, 64, 3))(img))
    yield "slopes for each pixel", keras.Model(img, layers.PReLU()(img))
    yield "functional or sequential", keras.Sequential([layers.Conv2D(3, 3)])
    yield "one input", keras.Model(both, layers.Add()(both))
    words = keras.Input((7,))
    yield "must take images", keras.Model(words, layers.Dense(3)(words))
    yield "several ranks", keras.Model(img, img + ops.mean(img, axis=(1, 2)))


def my_activation(x):
    return x


def test_what_cannot_be_written_is_named_in_one_line():
    for named, model in unwritable():
        with pytest.raises(ValueError, match=re.escape(named)) as error:
            to_onnx(model)
        assert "\n" not in str(error.value)
