import contextlib
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers import (
    InstanceNormalization,
    LeanConv2D,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
    convolution,
    kernels_prepared_once,
    upsampling,
)

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "instance_norm.npz")
# At a mean of 100, tensorflow-addons itself is 4.4e-5 (y), 7.2e-5 (dx) and 8.2e-4 (dgamma) off the
# float64 result: it subtracts after it has scaled.
ERROR_OF_GOLDEN = {"large_offset": (1e-4, 2e-4, 2e-3)}


def as_numpy(tensor):
    return np.asarray(tensor)


def test_instance_normalization_by_hand():
    # Channel 0: 1 3 5 7, mean 4, variance 5. Channel 1: constant, so 0 before the offset.
    x = np.array([[[[1, 2], [3, 2]], [[5, 2], [7, 2]]]], "float32")
    layer = InstanceNormalization(epsilon=4.0)
    layer.build(x.shape)
    layer.gamma.assign([6, 1])
    layer.beta.assign([10, -1])
    # √(5 + 4) = 3, so (x − 4) / 3 · 6 + 10.
    expected = [[[[4, -1], [8, -1]], [[12, -1], [16, -1]]]]
    np.testing.assert_allclose(as_numpy(layer(x)), expected, rtol=1e-6)


def test_each_image_has_its_own_statistics(random_images):
    x = random_images(3, 5, 4, 2)
    x[1] *= 100
    layer = InstanceNormalization()
    together = as_numpy(layer(x))
    alone = np.concatenate([as_numpy(layer(image[None])) for image in x])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["cases"].tolist())
def test_instance_normalization_is_that_of_tensorflow_addons(case):
    golden = {
        name: GOLDEN[f"{case}/{name}"]
        for name in "x gamma beta epsilon cotangent y dx dgamma dbeta".split()
    }
    affine = golden["gamma"].size > 0
    layer = InstanceNormalization(float(golden["epsilon"]), center=affine, scale=affine)
    layer.build(golden["x"].shape)
    if affine:
        layer.gamma.assign(golden["gamma"])
        layer.beta.assign(golden["beta"])
    x = tf.constant(golden["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y * golden["cotangent"])
    dx, *of_weights = tape.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])
    y_error, dx_error, dgamma_error = ERROR_OF_GOLDEN.get(case, (1e-5, 2e-5, 1e-5))
    np.testing.assert_allclose(as_numpy(y), golden["y"], rtol=0, atol=y_error)
    np.testing.assert_allclose(as_numpy(dx), golden["dx"], rtol=1e-5, atol=dx_error)
    if affine:
        dgamma, dbeta = map(as_numpy, of_weights)
        np.testing.assert_allclose(dgamma, golden["dgamma"], rtol=1e-5, atol=dgamma_error)
        np.testing.assert_allclose(dbeta, golden["dbeta"], rtol=1e-5, atol=1e-5)


def test_instance_normalization_keeps_the_digits_of_far_off_images(random_images):
    # float32 numbers near 1000 are 6e-5 apart, so the mean, over a deviation of 0.29, can be no
    # better than some 1e-3. The variance as mean(x²) − mean(x)² would be off by 0.1 and more.
    x = (1000 + 0.5 * random_images(2, 16, 16, 3)).astype("float32")
    mean, variance = (f(x.astype("float64"), axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    expected = (x - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(as_numpy(InstanceNormalization()(x)), expected, rtol=0, atol=3e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_instance_normalization_measures_in_float32(policy, random_images):
    # In float16, the squares of these differences overflow (65504 is the largest number).
    x = 1000 * random_images(1, 8, 8, 2)
    half = keras.DTypePolicy(policy).compute_dtype
    layer = InstanceNormalization(dtype=policy)
    y = layer(tf.cast(x, half))
    assert y.dtype == half
    assert layer.gamma.dtype == layer.beta.dtype == "float32"
    expected = as_numpy(InstanceNormalization()(tf.cast(tf.cast(x, half), "float32")))
    np.testing.assert_allclose(as_numpy(tf.cast(y, "float32")), expected, rtol=1e-2, atol=1e-2)


def test_reflection_padding_by_hand():
    x = np.arange(1, 7, dtype="float32").reshape(1, 2, 3, 1)
    y = as_numpy(ReflectionPadding2D(1)(x))[0, :, :, 0]
    expected = [[5, 4, 5, 6, 5], [2, 1, 2, 3, 2], [5, 4, 5, 6, 5], [2, 1, 2, 3, 2]]
    np.testing.assert_array_equal(y, expected)
    y = as_numpy(ReflectionPadding2D([[1, 0], [0, 2]])(x))[0, :, :, 0]
    np.testing.assert_array_equal(y, [[4, 5, 6, 5, 4], [1, 2, 3, 2, 1], [4, 5, 6, 5, 4]])


def test_reflection_padding_is_twice_differentiable(random_images):
    # Padding is a matrix P. Of Σ w·(Px)³, the gradient is Pᵀ(3w·(Px)²); its product with v has the
    # gradient Pᵀ(6w·(Px)·(Pv)).
    x, v = (random_images(1, 4, 5, 1, seed=seed) for seed in (0, 1))
    weight = random_images(1, 8, 9, 1, seed=2)
    places = np.pad(np.arange(20).reshape(4, 5), 2, mode="reflect")
    matrix = np.eye(20)[places.ravel()]
    px, pv = (matrix @ array.ravel() for array in (x, v))
    layer, x = ReflectionPadding2D(2), tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(weight * layer(x) ** 3)
        first = inner.gradient(loss, x)
        product = tf.reduce_sum(first * v)
    second = outer.gradient(product, x)
    expected = matrix.T @ (3 * weight.ravel() * px**2)
    np.testing.assert_allclose(as_numpy(first).ravel(), expected, rtol=1e-5, atol=1e-5)
    expected = matrix.T @ (6 * weight.ravel() * px * pv)
    np.testing.assert_allclose(as_numpy(second).ravel(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_reflection_padding_computes_in_half(policy, random_images):
    y = ReflectionPadding2D(1, dtype=policy)(random_images(1, 4, 4, 2))
    assert y.dtype == keras.DTypePolicy(policy).compute_dtype
    np.testing.assert_array_equal(as_numpy(y[:, 0, 1:5]), as_numpy(y[:, 2, 1:5]))


def test_reflection_padding_wants_more_pixels_than_it_reflects(random_images):
    for x in (random_images(1, 3, 8, 1), keras.Input((8, 3, 1)), random_images(4, 4, 1)):
        with pytest.raises(ValueError, match=r"larger than the padding.* Received: input_shape="):
            ReflectionPadding2D(3)(x)
    assert ReflectionPadding2D(3)(random_images(1, 4, 4, 1)).shape == (1, 10, 10, 1)
    padding = ((1, 2), (3, 4))
    shape = ReflectionPadding2D(padding).compute_output_shape((None, None, 8, 2))
    assert shape == (None, None, 15, 2)
    # Where the size is known only when images come, TensorFlow tells.
    any_size = tf.function(ReflectionPadding2D(3), input_signature=[tf.TensorSpec([1, None, 8, 1])])
    with pytest.raises(tf.errors.InvalidArgumentError, match="padding"):
        any_size(random_images(1, 3, 8, 1))


def test_pixel_normalization_is_that_of_keras(random_images):
    x = tf.constant(random_images(2, 3, 4, 5, dtype="float64"))
    weights = random_images(2, 3, 4, 5, seed=1, dtype="float64")
    results = []
    for make in (PixelNormalization, keras.layers.RMSNormalization):
        layer = make(epsilon=1e-3, dtype="float64")
        layer.build(x.shape)
        layer.scale.assign(random_images(5, seed=2))
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x)
                loss = tf.reduce_sum(weights * y**2)
            gradients = tape.gradient(loss, [x, layer.scale.value])
            slope = sum(tf.reduce_sum(each**2) for each in gradients)
        results.append([y, *gradients, *outer.gradient(slope, [x, layer.scale.value])])
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(as_numpy(ours), as_numpy(plain), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_pixel_normalization_measures_in_float32(policy, random_images):
    x = 300 * random_images(1, 4, 4, 2)  # Its square is more than float16 holds.
    ours, plain = (
        as_numpy(make(dtype=policy)(x))
        for make in (PixelNormalization, keras.layers.RMSNormalization)
    )
    assert ours.dtype == plain.dtype
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("padding", [-1, 1.5, "same", (1, 2), ((1, 2),), ((1, 2), (3, -4))])
def test_reflection_padding_refuses_what_is_no_padding(padding):
    with pytest.raises(ValueError, match=r"\(top, bottom\), \(left, right\).* Received: padding="):
        ReflectionPadding2D(padding)


def test_upsample_conv_by_hand():
    # One pixel becomes 2×2; padding is one before and two after, so the first output row meets
    # kernel rows 1 and 2, the second one rows 0 and 1; columns alike.
    layer = UpsampleConv2D(1)
    layer.build((1, 1, 1, 1))
    layer.kernel.assign(np.arange(16).reshape(4, 4, 1, 1))
    layer.bias.assign([0.5])
    expected = [[5 + 6 + 9 + 10, 4 + 5 + 8 + 9], [1 + 2 + 5 + 6, 0 + 1 + 4 + 5]]
    y = as_numpy(layer(np.full((1, 1, 1, 1), 2.0, "float32")))
    np.testing.assert_allclose(y[0, :, :, 0], 2 * np.array(expected) + 0.5)


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 5, 7, 2), (3, 1, 2, 4), (1, 21, 23, 2)])
@pytest.mark.parametrize(
    ("activation", "size", "padding"),
    [(None, 4, "zeros"), ("relu", 4, "zeros"), (None, 3, "reflect")],
)
def test_upsample_conv_is_upsampling_then_convolution(
    shape, activation, size, padding, random_images
):
    mirrors = padding == "reflect"
    if mirrors and shape[1] == 1:
        pytest.skip("One row has no mirror image.")
    x = tf.constant(random_images(*shape))
    layer = UpsampleConv2D(5, size, activation=activation, padding=padding)
    layer.build(shape)
    layer.kernel.assign(random_images(size, size, shape[-1], 5, seed=3))
    layer.bias.assign(random_images(5, seed=1))
    conv = keras.layers.Conv2D(5, size, padding="same", activation=activation)
    conv.build((shape[0], 2 * shape[1], 2 * shape[2], shape[3]))
    conv.set_weights(layer.get_weights())
    up = keras.layers.UpSampling2D(2, interpolation="nearest")
    pad, crop = ReflectionPadding2D(1), keras.layers.Cropping2D(2)
    plain = (lambda x: crop(conv(up(pad(x))))) if mirrors else (lambda x: conv(up(x)))
    results = []
    for function, weights in ((layer, layer), (plain, conv)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y * random_images(*y.shape, seed=2))
        gradients = tape.gradient(loss, [x, weights.kernel.value, weights.bias.value])
        results.append([y, *gradients])
    for ours, plain in zip(*results, strict=True):
        scale = np.abs(as_numpy(plain)).max()
        np.testing.assert_allclose(as_numpy(ours), as_numpy(plain), rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize(("padding", "size"), [("reflect", 2), ("reflect", 6), ("same", 3)])
def test_upsample_conv_refuses_what_it_cannot_pad(padding, size):
    with pytest.raises(ValueError, match=r"`padding` must be .*Received: "):
        UpsampleConv2D(1, size, padding=padding)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_upsample_conv_computes_in_half_and_keeps_float32_weights(policy, random_images):
    layer = UpsampleConv2D(3, dtype=policy)
    y = layer(random_images(1, 4, 4, 2))
    assert y.dtype == keras.DTypePolicy(policy).compute_dtype
    assert layer.kernel.dtype == layer.bias.dtype == "float32"


@pytest.mark.parametrize(
    "layer",
    [
        InstanceNormalization(epsilon=1e-5, center=False, name="norm"),
        PixelNormalization(1e-4, name="pixel"),
        ReflectionPadding2D(((1, 2), (3, 4)), name="pad"),
        UpsampleConv2D(6, 3, activation="tanh", kernel_initializer="he_normal", name="up"),
        UpsampleConv2D(6, 3, padding="reflect", name="up"),
    ],
)
def test_layers_come_back_from_their_configuration(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    shape = (None, 8, None, 6)
    assert layer.compute_output_shape(shape)[-1] == 6
    assert again.compute_output_shape(shape) == layer.compute_output_shape(shape)


@pytest.mark.parametrize("layer", [InstanceNormalization(), UpsampleConv2D(2)])
def test_layers_refuse_what_is_no_image(layer):
    with pytest.raises(ValueError, match="height, width, channels"):
        layer.build((None, 8, 3))


@pytest.mark.parametrize(
    "make",
    [lambda: UpsampleConv2D(4, name="up"), lambda: LeanConv2D(96, 3, padding="same", name="conv")],
)
def test_kernels_are_prepared_once_inside_and_anew_outside(make, random_images, monkeypatch):
    prepared = []
    for module, name in ((upsampling, "regroup"), (convolution, "transformed")):
        way = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda k, way=way, **more: prepared.append(k) or way(k, **more)
        )
    x = tf.constant(random_images(1, 24, 24, 96))
    inputs = keras.Input((24, 24, 96))
    layer = make()
    model = keras.Model(inputs, layer(inputs))
    kernel = layer.kernel
    prepared.clear()
    gradients = []
    for number, scope in enumerate((contextlib.nullcontext(), kernels_prepared_once(model))):
        with tf.GradientTape() as tape, scope:
            loss = tf.reduce_sum(model(x) ** 2) + tf.reduce_sum(model(2 * x) ** 2)
        gradients.append(tape.gradient(loss, kernel.value))
        assert len(prepared) == (2, 3)[number]
    scale = np.abs(gradients[0]).max()
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=0, atol=1e-5 * scale)
    before = as_numpy(model(x))
    kernel.assign(2 * kernel)
    np.testing.assert_allclose(as_numpy(model(x)), 2 * before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": "same"},
        {"padding": "same", "activation": "relu"},
        {"strides": (2, 1), "padding": "same"},
        {"dilation_rate": 2, "padding": "same"},
        {"groups": 2, "padding": "same"},
        {"strides": 2, "padding": "valid"},
        {"kernel_size": (4, 2), "strides": 2, "padding": "same"},
        {"kernel_size": (3, 5), "padding": "same"},
    ],
)
def test_lean_convolution_is_keras_convolution(options, random_images):
    x = tf.constant(random_images(2, 9, 8, 4))
    results = []
    options = {"kernel_size": 4, **options}
    for layer in (LeanConv2D(6, **options), keras.layers.Conv2D(6, **options)):
        layer.build(x.shape)
        layer.set_weights([random_images(*layer.kernel.shape, seed=1), random_images(6)])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * random_images(*y.shape, seed=2))
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])])
    np.testing.assert_array_equal(as_numpy(results[0][0]), as_numpy(results[1][0]))
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(as_numpy(ours), as_numpy(plain), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 2, 3), (2, 5, 4, 1), (1, 1, 7, 2)])
def test_transposed_convolution_is_keras_own_without_first_row_and_column(shape, random_images):
    layer = TransposedConv2D(4, activation="relu", bias_initializer="ones")
    plain = keras.layers.Conv2DTranspose(4, 3, strides=2, activation="relu")
    x = tf.constant(random_images(*shape))
    results = []
    for model in (layer, plain):
        model.build(shape)
        model.set_weights(layer.get_weights())
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x) if model is layer else model(x)[:, 1:, 1:]
            loss = tf.reduce_sum(y**2)
        weights = [weight.value for weight in model.trainable_weights]
        results.append([y, *tape.gradient(loss, [x, *weights])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-5)
    assert results[0][0].shape == (shape[0], 2 * shape[1], 2 * shape[2], 4)
    assert layer.compute_output_shape((None, None, 3, shape[3])) == (None, None, 6, 4)


def test_transposed_convolution_takes_any_size_and_comes_back_from_a_file(tmp_path, random_images):
    img = keras.Input((None, None, 3))
    model = keras.Model(img, TransposedConv2D(2, use_bias=False, name="up")(img))
    assert model.output_shape == (None, None, None, 2)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    x = random_images(2, 3, 5, 3)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))
    assert again(x).shape == (2, 6, 10, 2)
