"""Generators in TensorFlow checkpoints: those of two tutorials, by the order of their layers.

A checkpoint has variables by their places in the objects that were saved, such as
`generator_g/layer_with_weights-3/layer_with_weights-0/kernel`. The numbers are the order of the
layers that have weights, so that no description of the network is needed.

Reference:
    [TensorFlow's tutorial](https://www.tensorflow.org/tutorials/generative/cyclegan), with the
    U-Net of its [pix2pix](https://github.com/tensorflow/examples);
    [Keras's example](https://keras.io/examples/generative/cyclegan/).
"""

import pathlib
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cyclegan_keras._text import counted
from cyclegan_keras.layers import InstanceNormalization, ReflectionPadding2D

KNOWN = "the U-Net of TensorFlow's tutorials and the ResNet of Keras's CycleGAN example"
# As the layers of the two have it.
UNET_EPSILON, RESNET_EPSILON, BATCH_EPSILON = 1e-5, 1e-3, 1e-3
UNET_SLOPE = 0.3

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_PLACE = re.compile(r"(?:(.*?)/)?(layer_with_weights-\d+(?:/layer_with_weights-\d+)*)/(\w+)")
_FACTORS, _OFFSETS = ("gamma", "scale"), ("beta", "offset")

# For each layer, its variables by their names.
Weights = list[dict[str, np.ndarray]]


def prefix_of(path: pathlib.Path) -> pathlib.Path | None:
    """Finds the name that the files of a checkpoint share.

    Args:
        path: One of its files, or that name.

    Returns:
        The name, or `None` if it is no checkpoint.
    """
    prefix = path.with_name(re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name))
    return prefix if prefix.with_name(f"{prefix.name}.index").is_file() else None


def read(prefix: pathlib.Path) -> dict[str, Weights]:
    """Reads the networks in a checkpoint.

    Args:
        prefix: The name that its files share.

    Returns:
        By their names, the weights of networks whose layers are numbered; those of optimizers are
        left out.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        _check_sizes(prefix, shapes)
        found: dict[str, dict[tuple[int, ...], dict[str, np.ndarray]]] = {}
        for name in shapes:
            match = _PLACE.fullmatch(name.removesuffix(_VALUE))
            if match is None or not name.endswith(_VALUE) or "OPTIMIZER_SLOT" in name:
                continue
            place = tuple(int(number) for number in re.findall(r"\d+", match[2]))
            layer = found.setdefault(match[1] or "model", {}).setdefault(place, {})
            layer[match[3]] = np.asarray(reader.get_tensor(name))
    except (tf.errors.OpError, RuntimeError) as error:
        reason = str(getattr(error, "message", error)).splitlines()[0]
        raise ValueError(f"its checkpoint is damaged: {reason}") from None
    return {name: [each[place] for place in sorted(each)] for name, each in found.items()}


def _check_sizes(prefix: pathlib.Path, shapes: dict[str, list[int]]) -> None:
    """Keeps a description from asking for more memory than there are numbers."""
    files = prefix.parent.glob(f"{prefix.name.replace('[', '[[]')}.data-*")
    num_bytes = sum(file.stat().st_size for file in files)
    wanted = sum(int(np.prod(shape, dtype=object)) for shape in shapes.values())
    if wanted > num_bytes:
        raise ValueError(f"it names {wanted} numbers, and its data has {num_bytes} bytes")


def is_generator(weights: Weights) -> bool:
    """Whether these may be the weights of a generator: its last kernel makes an image.

    Args:
        weights: Of one network.

    Returns:
        Whether it is so.
    """
    kernels = [layer["kernel"] for layer in weights if _is_kernel(layer)]
    if len(kernels) < 6 or kernels[0].shape[:2] != kernels[-1].shape[:2]:
        return False
    if kernels[0].shape[:2] == (4, 4):
        return kernels[-1].shape[2] == kernels[0].shape[2]
    return kernels[0].shape[:2] == (7, 7) and kernels[-1].shape[3] == kernels[0].shape[2]


def build(weights: Weights, norm: str | None = None) -> tuple[keras.Model, str]:
    """Builds the generator that weights are of.

    Args:
        weights: Of one network.
        norm: What a batch norm does: `"batch"` uses the statistics that it kept, `"instance"` takes
            those of each image, as the tutorial of pix2pix translates.

    Returns:
        The generator, and what it is.

    Raises:
        ValueError: If it is no such network, or its norm is ambiguous.
    """
    if norm not in (None, "batch", "instance"):
        raise ValueError(
            f"--norm must be batch or instance for a checkpoint. Received: --norm {norm}"
        )
    if not is_generator(weights):
        raise ValueError(f"it is none of the known generators ({KNOWN})")
    network = _Network(weights, norm)
    is_unet = weights[0]["kernel"].shape[0] == 4
    img, x = network.unet() if is_unet else network.resnet()
    if network.rest:
        raise ValueError(f"{counted(len(network.rest), 'layer')} with weights are left over")
    model = keras.Model(img, layers.Activation("tanh", name="translation")(x))
    filters = weights[0]["kernel"].shape[3]
    return model, f"{network.description}, {filters} filters, norm {network.norm}"


def _is_kernel(layer: dict[str, np.ndarray]) -> bool:
    return layer.get("kernel", np.zeros(0)).ndim == 4


class _Network:
    """Takes the layers one by one.

    Attributes:
        rest: Those that are still to come.
        norm: What the norms are.
        description: What the network is, once it is made.
    """

    def __init__(self, weights: Weights, norm: str | None) -> None:
        self.rest = [*weights]
        self.description = ""
        has_statistics = any("moving_mean" in layer for layer in weights)
        if has_statistics and norm is None:
            raise ValueError(
                "it has batch norm: give --norm instance if it translates by the statistics of "
                "each image, as the tutorial does (training=True), or --norm batch if by those "
                "that were kept"
            )
        if norm == "batch" and not has_statistics:
            raise ValueError("--norm batch needs the statistics of batch norms, which it has not")
        self.norm = norm or "instance"

    def next_kernel(self) -> np.ndarray:
        """The kernel of the next layer."""
        if not self.rest or not _is_kernel(self.rest[0]):
            raise ValueError("its layers are not in the order of a known generator")
        return self.rest[0]["kernel"]

    def take(self, layer: Any, names: tuple[tuple[str, ...], ...], x: Any) -> Any:
        """Applies a layer with the next weights."""
        given = self.rest.pop(0)
        arrays = [given[name] for names_of in names for name in names_of if name in given]
        y = layer(x)
        if [tuple(weight.shape) for weight in layer.weights] != [each.shape for each in arrays]:
            raise ValueError(f"its weights do not fit together at a layer of {arrays[0].shape}")
        layer.set_weights(arrays)
        return y

    def conv(self, x: Any, transposed: bool = False, **settings: Any) -> Any:
        kernel = self.next_kernel()
        kind = layers.Conv2DTranspose if transposed else layers.Conv2D
        layer = kind(
            kernel.shape[2 if transposed else 3],
            kernel.shape[:2],
            use_bias="bias" in self.rest[0],
            **settings,
        )
        return self.take(layer, (("kernel",), ("bias",)), x)

    def normalize(self, x: Any, epsilon: float) -> Any:
        if not self.rest or _is_kernel(self.rest[0]):
            raise ValueError("a norm is missing where a known generator has one")
        names: tuple[tuple[str, ...], ...] = (_FACTORS, _OFFSETS)
        if "moving_mean" not in self.rest[0]:
            return self.take(InstanceNormalization(epsilon), names, x)
        if self.norm == "instance":
            return self.take(InstanceNormalization(BATCH_EPSILON), names, x)
        names = (*names, ("moving_mean",), ("moving_variance",))
        return self.take(layers.BatchNormalization(epsilon=BATCH_EPSILON), names, x)

    def unet(self) -> tuple[Any, Any]:
        kernels = [layer for layer in self.rest if _is_kernel(layer)]
        depth = len(kernels) // 2
        if len(kernels) % 2 or not 5 <= depth <= 10:
            raise ValueError("it is no U-Net of as many halvings as doublings")
        channels, size = self.next_kernel().shape[2], 2**depth
        twice: dict[str, Any] = {"strides": 2, "padding": "same"}
        img = x = keras.Input((size, size, channels), name="img")
        skips = []
        for level in range(depth):
            x = self.conv(x, **twice)
            if level:
                x = self.normalize(x, UNET_EPSILON)
            x = layers.LeakyReLU(negative_slope=UNET_SLOPE)(x)
            skips.append(x)
        skips.pop()
        for level in range(depth - 1):
            x = self.normalize(self.conv(x, transposed=True, **twice), UNET_EPSILON)
            if level < 3:
                x = layers.Dropout(0.5)(x)
            x = layers.Concatenate()([layers.ReLU()(x), skips.pop()])
        self.description = f"the tutorials' U-Net, {size}x{size} pixels"
        return img, self.conv(x, transposed=True, **twice)

    def resnet(self) -> tuple[Any, Any]:
        num_kernels = sum(_is_kernel(layer) for layer in self.rest)
        num_blocks = (num_kernels - 6) // 2
        if num_kernels % 2:
            raise ValueError("it is no ResNet of two halvings, blocks and two doublings")
        channels = self.next_kernel().shape[2]
        img = keras.Input((None, None, channels), name="img")

        def normalized(x: Any) -> Any:
            return self.normalize(x, RESNET_EPSILON)

        x = layers.ReLU()(normalized(self.conv(ReflectionPadding2D(3)(img))))
        for _ in range(2):
            x = layers.ReLU()(normalized(self.conv(x, strides=2, padding="same")))
        for _ in range(num_blocks):
            change = layers.ReLU()(normalized(self.conv(ReflectionPadding2D(1)(x))))
            change = normalized(self.conv(ReflectionPadding2D(1)(change)))
            x = layers.Add()([x, change])
        for _ in range(2):
            x = self.conv(x, transposed=True, strides=2, padding="same")
            x = layers.ReLU()(normalized(x))
        self.description = (
            f"the example's ResNet of {counted(num_blocks, 'block')}, any size divisible by 4"
        )
        return img, self.conv(ReflectionPadding2D(3)(x))
