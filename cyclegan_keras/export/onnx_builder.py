"""Collects the nodes and weights of an ONNX graph, and gives them their names."""

import dataclasses
import hashlib
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Dimensions of images: Keras has the channels last, ONNX has them second.
_OF_IMAGES = {0: 0, 1: 2, 2: 3, 3: 1}

# Smaller weights, such as biases, stay float32: they would save nothing.
_LARGE = 1024


@dataclasses.dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: Of the tensor in the ONNX graph.
        shape: As Keras has it, channels last; of four dimensions, it is `(batch, channels, height,
            width)` in the graph.
    """

    name: str
    shape: tuple[int | None, ...]

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def axis(self, axis: int) -> int:
        """Returns the place in the graph of a dimension of Keras's."""
        return _OF_IMAGES[axis % 4] if self.rank == 4 else axis % self.rank

    def axes(self, axes: Any) -> list[int]:
        """Returns the places in the graph of one dimension, several, or all (`None`)."""
        if axes is None:
            axes = range(self.rank)
        return sorted(self.axis(int(axis)) for axis in np.ravel(axes))

    def along_channels(self, vector: Any) -> np.ndarray:
        """Shapes one number for each channel so that it is broadcast over this tensor."""
        vector = np.asarray(vector, np.float32).reshape(-1)
        return vector.reshape(-1, 1, 1) if self.rank == 4 else vector


# What a node takes: a tensor of the graph, by itself or by its name, or constant numbers.
Input = Value | str | np.ndarray | float


class Builder:
    """An ONNX graph in the making.

    Args:
        float16: Whether to store large weights in half precision. They are computed with in float32
            all the same.
    """

    def __init__(self, float16: bool = False) -> None:
        self.float16 = float16
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[Any, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, *inputs: Input, name: str | None = None, **attributes: Any) -> str:
        """Adds a node.

        Args:
            kind: The operator of ONNX.
            *inputs: What it takes.
            name: Of its output; `None` makes one up.
            **attributes: Of the operator; those that are `None` are left out.

        Returns:
            The name of its output.
        """
        names = [self._name_of(value) for value in inputs]
        name = self._new_name(kind.lower()) if name is None else name
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **given))
        return name

    def integers(self, *values: int) -> str:
        """Adds constant whole numbers, such as axes, and returns their name."""
        return self._constant(np.asarray(values, np.int64))

    def _name_of(self, value: Input) -> str:
        if isinstance(value, Value):
            return value.name
        if isinstance(value, str):
            return value
        return self._constant(np.asarray(value, np.float32))

    def _constant(self, array: np.ndarray) -> str:
        array = np.ascontiguousarray(array).reshape(array.shape)
        # A layer that is called twice has its weights in the file once.
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = self._store(array)
        return self._constants[key]

    def _store(self, array: np.ndarray) -> str:
        name = self._new_name("weights" if array.size > 1 else "constant")
        is_half = self.float16 and array.dtype == np.float32 and array.size >= _LARGE
        if not is_half:
            self.initializers.append(numpy_helper.from_array(array, name))
            return name
        self.initializers.append(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
        return self.add("Cast", f"{name}_half", name=name, to=onnx.TensorProto.FLOAT)

    def _new_name(self, stem: str) -> str:
        number = self._counts[stem] = self._counts.get(stem, 0) + 1
        return f"{stem}_{number}"
