"""Descriptions of models that nobody vouches for: what they name, and how much they ask for."""

import json
import types
from typing import Any

import keras

MAX_DEPTH = 100
# Of the objects in a description, those of a model as often as it is called. The paper's ResNet
# has 336.
MAX_OBJECTS = 5_000

# Of Keras's own classes, those that images are translated with. None of them reads files, runs code
# that is in its settings, or keeps words. Elsewhere in Keras are some that do.
CLASSES = {
    "keras": "DTypePolicy Sequential",
    "keras.src.models.functional": "Functional",
    "keras.dtype_policies": "DTypePolicy",
    "keras.layers": """
        Activation ActivityRegularization AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add
        AdditiveAttention AlphaDropout Attention Average AveragePooling2D BatchNormalization
        CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Cropping2D Dense
        DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Flatten GaussianDropout
        GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization
        GroupQueryAttention Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum
        Minimum MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization ReLU
        RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D Softmax
        SpatialDropout1D SpatialDropout2D SpectralNormalization Subtract UnitNormalization
        UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D""",
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform
        Ones Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros""",
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    # What arithmetic on the outputs of layers becomes.
    "keras.src.ops.numpy": """
        Absolute Add Arctanh Argmin Clip Concatenate Divide Exp ExpandDims GetItem Less Log Maximum
        Mean Minimum Multiply Negative Pad Power Reshape Round Sqrt Square Squeeze Subtract Tanh
        Transpose TrueDivide Where""",
    "keras.src.ops.core": "Cast",
    "keras.src.ops.nn": "OneHot Relu Sigmoid Softmax",
}
ALLOWED = {(module, name) for module, names in CLASSES.items() for name in names.split()}

ACTIVATIONS = frozenset(
    """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
    sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink threshold""".split()
)

# What stands for a value that JSON has no word for.
TENSOR = "__keras_tensor__"
ARRAYS = ("__numpy__", "__tensor__")
VALUES = (TENSOR, "__slice__", "__ellipsis__", *ARRAYS)
DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")

_REGISTRABLE = (
    keras.Operation,
    keras.DTypePolicy,
    keras.constraints.Constraint,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
)


def checked(config: bytes) -> str:
    """Checks that the description of a model contains only known layers and the like.

    Known are some of Keras's, this package's, and those that the program has registered with
    `keras.saving.register_keras_serializable`. Compile settings of the model and of nested models
    are removed, because loading would use them.

    Args:
        config: The `config.json` of a `.keras` file.

    Returns:
        The same description, as JSON.

    Raises:
        ValueError: If it is no such description, names anything else, or describes more than any
            translator has. The message says what.
    """
    try:
        description = json.loads(config, parse_constant=_refuse_constant)
    except (RecursionError, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(f"its description is no JSON: {error}") from error
    if not isinstance(description, dict) or "class_name" not in description:
        raise ValueError("its description is not one of a Keras 3 model")
    if _count(description, MAX_DEPTH) > MAX_OBJECTS:
        raise ValueError(f"its description has more than {MAX_OBJECTS} objects")
    return json.dumps(description)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"its description has a number that is none: {name}")


def _count(value: Any, depth: int) -> int:
    """Checks a value recursively, and counts each object in it as often as it is called."""
    if not depth:
        raise ValueError(f"its description is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, list):
        return sum(_count(item, depth - 1) for item in value)
    if not isinstance(value, dict):
        return 0
    is_object = "class_name" in value
    if is_object:
        value.pop("compile_config", None)
        _check_object(value)
    nodes = value.get("inbound_nodes", [])
    _check_nodes(nodes)
    inside = sum(_count(item, depth - 1) for key, item in value.items() if key != "inbound_nodes")
    # A model in a model in a model, each called twice by the next one, takes little room in a file.
    return (is_object + inside) * max(1, len(nodes)) + _count(nodes, depth - 1)


def _check_object(value: dict[str, Any]) -> None:
    name, module = value["class_name"], value.get("module")
    registered_name = value.get("registered_name", name)
    texts = (name, module or "", registered_name or "")
    if not all(isinstance(text, str) for text in texts) or "config" not in value:
        raise ValueError("its description is not one of a Keras 3 model")
    if name in VALUES:
        _check_value(name, value["config"])
    elif "module" not in value:
        # Keras would take it for one of its former versions', and look elsewhere for the class.
        raise ValueError("its description is one of an older Keras")
    elif name == "function":
        _check_function(value["config"], module, registered_name)
    elif not _is_registered(registered_name) and (module, name) not in ALLOWED:
        raise ValueError(
            f"it names {name!r} of {module!r}, which is no layer for images that is known here. If "
            "it is your own, import it first, registered with "
            "`keras.saving.register_keras_serializable`"
        )


def _check_value(name: str, config: Any) -> None:
    # With other types, a number of few digits would make an array of any size.
    if name in ARRAYS and not (isinstance(config, dict) and config.get("dtype") in DTYPES):
        raise ValueError(f"its description has an array that is not of {', '.join(DTYPES)}")


def _check_function(name: Any, module: Any, registered_name: Any) -> None:
    if isinstance(name, str) and _registered(name) is not None:
        is_known = isinstance(_registered(name), types.FunctionType)
    else:
        # Keras looks for the one here and for the other there.
        is_known = (
            module in ("builtins", "keras.activations")
            and isinstance(name, str)
            and name in ACTIVATIONS
            and registered_name in (None, "function", name)
        )
    if not is_known:
        raise ValueError(f"it names the function {name!r} of {module!r}, which is no activation")


def _is_registered(name: str | None) -> bool:
    found = _registered(name)
    return isinstance(found, type) and issubclass(found, _REGISTRABLE)


def _registered(name: str | None) -> Any:
    return keras.saving.get_registered_object(name)


def _check_nodes(nodes: Any) -> None:
    """Checks that each call is on the output of a layer; others would run during loading."""
    if not isinstance(nodes, list) or not all(
        isinstance(node, dict) and node.keys() == {"args", "kwargs"} and _has_tensor(node)
        for node in nodes
    ):
        raise ValueError("a layer in its description is called on nothing, or as none is in Keras")


def _has_tensor(value: Any, depth: int = MAX_DEPTH) -> bool:
    if isinstance(value, dict) and "class_name" in value:
        return value["class_name"] == TENSOR
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return depth > 0 and any(_has_tensor(item, depth - 1) for item in items)
