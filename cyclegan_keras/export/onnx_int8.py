"""ONNX models whose convolutions multiply 8-bit integers."""

import contextlib
import logging
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import onnx

from cyclegan_keras.export.onnx_graph import IMAGE

# Operators that are quantized. Norms and activations stay in float32: they are where 8 bits hurt.
_QUANTIZED = ("Conv", "ConvTranspose")


def in_int8(model: onnx.ModelProto, images: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Quantizes the convolutions of a model, all but the first and the last.

    Weights get a scale for each filter; what they are multiplied with gets one for each
    convolution, from the range that it has on the given images.

    Args:
        model: From `to_onnx`, in float32.
        images: Batches such as the model will get, `(batch, height, width, channels)`, float32 in
            [-1, 1]; a batch may have another size than the one before.

    Returns:
        The quantized model.

    Raises:
        ValueError: If there are no convolutions between the first and the last.
    """
    from onnxruntime import quantization

    convolutions = [node.name for node in model.graph.node if node.op_type in _QUANTIZED]
    if len(convolutions) < 3:
        raise ValueError(
            "int8 leaves the first and the last convolution in float32, and the model has "
            f"{len(convolutions)} in all. Export it without int8."
        )

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._batches: Iterator[np.ndarray] = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self._batches, None)
            return None if batch is None else {IMAGE: batch}

    with tempfile.TemporaryDirectory(prefix="cyclegan-") as temporary:
        path = pathlib.Path(temporary) / "int8.onnx"
        with _without_advice():
            quantization.quantize_static(
                model,
                path,
                Reader(),
                op_types_to_quantize=list(_QUANTIZED),
                nodes_to_exclude=[convolutions[0], convolutions[-1]],
                per_channel=True,
                # Both signed: unsigned with signed would overflow on processors without VNNI.
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        quantized = onnx.load(path)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)
    return quantized


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Holds back the advice to optimize the graph first, which would change what is quantized."""
    logger = logging.getLogger()
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
