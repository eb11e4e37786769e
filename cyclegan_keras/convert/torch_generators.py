"""Generators of PyTorch repositories: recognized by the names and shapes of their weights.

The order of a state dict is that of the layers, whatever their numbers are.
"""

import dataclasses
import itertools
import re
from typing import Any

import keras
import numpy as np
from keras import layers

from cyclegan_keras._text import counted
from cyclegan_keras.layers import (
    InstanceNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)

State = dict[str, np.ndarray]

# As PyTorch has it by default.
EPSILON = 1e-5
KNOWN = "ResNet and U-Net generators of pytorch-CycleGAN-and-pix2pix, and PyTorch-GAN's ResNet"


@dataclasses.dataclass
class _Module:
    """A layer with weights, and where it stands."""

    name: str
    weights: State

    @property
    def kernel(self) -> np.ndarray | None:
        kernel = self.weights.get("weight")
        return kernel if kernel is not None and kernel.ndim == 4 else None


def is_generator(state: State) -> bool:
    """Whether these may be the weights of a generator: its last kernel makes an image."""
    modules = [m for m in _modules(state) if m.kernel is not None]
    if len(modules) < 6:
        return False
    first, last = modules[0].kernel, modules[-1].kernel
    assert first is not None
    assert last is not None
    is_unet = first.shape[2:] == last.shape[2:] == (4, 4)
    is_resnet = first.shape[2:] == last.shape[2:] == (7, 7)
    return (is_resnet and last.shape[0] == first.shape[1]) or (
        is_unet and last.shape[1] == first.shape[1]
    )


def build(state: State, norm: str | None = None) -> tuple[keras.Model, str]:
    """Builds the generator that a state dict is of, with its weights.

    Args:
        state: Of one network.
        norm: What is done where there are running statistics and factors: `"batch"` uses the
            statistics, `"instance"` takes those of each image.

    Returns:
        The generator, and what it is.

    Raises:
        ValueError: If it is no such network, or its norm is ambiguous.
    """
    modules = _modules(state)
    kernels = [m.kernel for m in modules if m.kernel is not None]
    if not is_generator(state):
        shapes = ", ".join(str(kernel.shape) for kernel in kernels[:2]) or "no kernel"
        raise ValueError(f"it is none of the known generators ({KNOWN}); it begins with {shapes}")
    network = _Network(modules, _norm_of(modules, norm))
    if kernels[0].shape[2] == 7:
        return network.resnet()
    return network.unet()


def _modules(state: State) -> list[_Module]:
    modules: dict[str, _Module] = {}
    for name, value in state.items():
        path, _, weight = name.removeprefix("module.").rpartition(".")
        modules.setdefault(path, _Module(path, {})).weights[weight] = value
    return list(modules.values())


def _norm_of(modules: list[_Module], norm: str | None) -> str:
    norms = [m for m in modules if m.kernel is None]
    has_factors = any("weight" in m.weights for m in norms)
    has_statistics = any("running_mean" in m.weights for m in norms)
    if norm not in (None, "batch", "instance"):
        raise ValueError(f"--norm must be batch or instance for PyTorch. Received: --norm {norm}")
    if has_factors and has_statistics:
        if norm is None:
            raise ValueError(
                "its norms have factors and running statistics: give --norm batch if it translates "
                "by these statistics (eval mode), or --norm instance if by those of each image"
            )
        return norm
    if norm == "batch":
        raise ValueError("--norm batch needs factors and running statistics, which it has not")
    if norms or any("bias" in m.weights for m in modules[:-1]):
        return "instance"
    return "none"


class _Network:
    """Takes the modules one by one, and makes Keras layers with their weights."""

    def __init__(self, modules: list[_Module], norm: str) -> None:
        self.modules, self.norm = modules, norm
        self.kernels = [m for m in modules if m.kernel is not None]
        # Of each convolution, the norm that follows it.
        self.norm_after = {
            id(one): other.weights
            for one, other in itertools.pairwise(modules)
            if one.kernel is not None and other.kernel is None
        }
        self.pending: list[tuple[Any, list[np.ndarray]]] = []

    def convolution(self, module: _Module, layer: Any, x: Any) -> Any:
        kernel = module.kernel
        assert kernel is not None
        weights = [kernel.transpose(2, 3, 1, 0)]
        if "bias" in module.weights:
            weights.append(module.weights["bias"])
        elif layer.__class__ is UpsampleConv2D:
            weights.append(np.zeros(kernel.shape[0], kernel.dtype))
        return self.weighted(layer, weights, x)

    def weighted(self, layer: Any, weights: list[np.ndarray], x: Any) -> Any:
        y = layer(x)
        if [tuple(w.shape) for w in layer.weights] != [w.shape for w in weights]:
            raise ValueError(f"its weights do not fit together at a layer of {weights[0].shape}")
        layer.set_weights(weights)
        return y

    def normalize(self, module: _Module, x: Any) -> Any:
        if self.norm == "none":
            return x
        weights = self.norm_after.get(id(module), {})
        affine = [weights[name] for name in ("weight", "bias") if name in weights]
        if self.norm == "batch":
            statistics = [weights[name] for name in ("running_mean", "running_var")]
            return self.weighted(layers.BatchNormalization(epsilon=EPSILON), affine + statistics, x)
        has_affine = bool(affine)
        layer = InstanceNormalization(EPSILON, center=has_affine, scale=has_affine)
        return self.weighted(layer, affine, x)

    def conv(self, module: _Module, x: Any, **settings: Any) -> Any:
        kernel = module.kernel
        assert kernel is not None
        layer = layers.Conv2D(
            kernel.shape[0], kernel.shape[2], use_bias="bias" in module.weights, **settings
        )
        return self.convolution(module, layer, x)

    def resnet(self) -> tuple[keras.Model, str]:
        modules = self.kernels
        first = modules[0].kernel
        assert first is not None
        filters, channels = first.shape[:2]
        num_blocks = (len(modules) - 6) // 2
        if len(modules) % 2 or len({m.kernel.shape[2] for m in modules[1:-1]}) != 1:  # type: ignore[union-attr]
            raise ValueError("it is no ResNet of two halvings, blocks and two doublings")
        img = keras.Input((None, None, channels), name="img")
        x = self.conv(modules[0], ReflectionPadding2D(3)(img))
        x = layers.ReLU()(self.normalize(modules[0], x))
        for module in modules[1:3]:
            x = self.conv(module, layers.ZeroPadding2D(1)(x), strides=2)
            x = layers.ReLU()(self.normalize(module, x))
        for index in range(3, 3 + 2 * num_blocks, 2):
            one, two = modules[index : index + 2]
            change = self.conv(one, ReflectionPadding2D(1)(x))
            change = layers.ReLU()(self.normalize(one, change))
            change = self.normalize(two, self.conv(two, ReflectionPadding2D(1)(change)))
            x = layers.Add()([x, change])
        is_resized = self._is_resized(modules, 4 * filters)
        for module in modules[-3:-1]:
            x = self._double(module, is_resized, x)
            x = layers.ReLU()(self.normalize(module, x))
        x = self.conv(modules[-1], ReflectionPadding2D(3)(x))
        model = keras.Model(img, layers.Activation("tanh", name="translation")(x))
        how = "resized" if is_resized else "transposed"
        return model, (
            f"a ResNet of {counted(num_blocks, 'block')}, {filters} filters, {how} doublings, "
            f"any size divisible by 4, norm {self.norm}"
        )

    def _double(self, module: _Module, is_resized: bool, x: Any) -> Any:
        kernel = module.kernel
        assert kernel is not None
        if is_resized:
            return self.convolution(module, UpsampleConv2D(kernel.shape[0], 3), x)
        layer = TransposedConv2D(kernel.shape[1], use_bias="bias" in module.weights)
        return self.convolution(module, layer, x)

    def _is_resized(self, modules: list[_Module], inner: int) -> bool:
        kernel = modules[-3].kernel
        assert kernel is not None
        if kernel.shape[0] == inner:
            return False
        # PyTorch-GAN has Upsample, Conv2d, norm, ReLU; where a padding stands between, another
        # repository doubles linearly.
        numbers = [re.findall(r"\d+", m.name) for m in modules[-3:-1]]
        if not all(numbers) or int(numbers[1][-1]) - int(numbers[0][-1]) != 4:
            raise ValueError("its doublings are neither transposed convolutions nor PyTorch-GAN's")
        return True

    def unet(self) -> tuple[keras.Model, str]:
        modules = self.kernels
        depth = len(modules) // 2
        first = modules[0].kernel
        assert first is not None
        if len(modules) % 2 or not 5 <= depth <= 10:
            raise ValueError("it is no U-Net of as many halvings as doublings")
        if any(m.kernel.shape[2:] != (4, 4) for m in modules):  # type: ignore[union-attr]
            raise ValueError("it is no U-Net of 4x4 kernels")
        filters, channels = first.shape[:2]
        size = 2**depth
        img = keras.Input((size, size, channels), name="img")
        x, skips = img, []
        for level, module in enumerate(modules[:depth]):
            if level:
                skips.append(x)
                x = layers.LeakyReLU(negative_slope=0.2)(x)
            x = self.conv(module, x, strides=2, padding="same")
            if 0 < level < depth - 1:
                x = self.normalize(module, x)
        for level, module in enumerate(modules[depth:], start=1):
            kernel = module.kernel
            assert kernel is not None
            layer = layers.Conv2DTranspose(
                kernel.shape[1],
                4,
                strides=2,
                padding="same",
                use_bias="bias" in module.weights,
            )
            x = self.convolution(module, layer, layers.ReLU()(x))
            if level < depth:
                x = layers.Concatenate()([skips.pop(), self.normalize(module, x)])
        model = keras.Model(img, layers.Activation("tanh", name="translation")(x))
        return model, f"a U-Net-{size}, {filters} filters, {size}x{size} pixels, norm {self.norm}"
