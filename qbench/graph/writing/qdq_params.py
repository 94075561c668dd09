"""What the QDQ form asks of quantization parameters: checks, and the numbers as ONNX wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.errors import ModelError
from qbench.graph.network import Flatten, Layer, Network, Pool
from qbench.graph.weights import onnx_order

_BIAS_END = 2**31 - 1


def tensor_params(network: Network, known: Mapping[str, QParams], tensor: str) -> QParams:
    """Return a tensor's parameters, or those of the neighbour that passes the same values on or in.

    A maximum pool and a flatten change no value, so that what follows them decides, else what comes before them.
    """
    found = known.get(tensor) or _after(network, known, tensor) or _before(network, known, tensor)
    if found is None:
        raise ModelError(f"qdq: no activation parameters for tensor '{tensor}'")
    return found


def _passing(node: object) -> bool:
    return isinstance(node, Flatten) or (isinstance(node, Pool) and node.kind == "max")


def _after(network: Network, known: Mapping[str, QParams], tensor: str) -> QParams | None:
    for node in network.consumers(tensor):
        if _passing(node):
            found = known.get(node.output) or _after(network, known, node.output)
            if found is not None:
                return found
    return None


def _before(network: Network, known: Mapping[str, QParams], tensor: str) -> QParams | None:
    for node in network.nodes:
        if node.output == tensor and isinstance(node, Flatten | Pool) and _passing(node):
            return known.get(node.input) or _before(network, known, node.input)
    return None


def activation_scale(tensor: str, params: QParams) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Return a tensor's float32 scale and u8 zero point, both scalars; ModelError when they are not of that form.

    Signed codes are the same numbers with a zero point 128 higher.
    """
    number_format = params.spec.format
    if number_format == Uniform(8, signed=True, symmetric=False):
        spec = replace(params.spec, format=Uniform(8, signed=False, symmetric=False))
        return activation_scale(tensor, replace(params, spec=spec, zero_point=params.zero_point + np.float32(128)))
    if number_format != Uniform(8, signed=False, symmetric=False) or params.spec.granularity != PerTensor():
        raise ModelError(f"qdq: tensor '{tensor}': expected unsigned 8 bits per tensor, got a{params.spec.token}")
    if params.rounding != "nearest" or params.scale.size != 1:
        raise ModelError(f"qdq: tensor '{tensor}': expected one scale and rounding to nearest, got {params.rounding}")
    scale, zero_point = float(params.scale.reshape(())), float(params.zero_point.reshape(()))
    if not (np.isfinite(scale) and scale > 0 and zero_point in range(256)):
        raise ModelError(f"qdq: tensor '{tensor}': expected scale > 0, zero point 0..255, got {scale}, {zero_point}")
    return np.asarray(scale, np.float32), np.asarray(zero_point, np.uint8)


def weight_codes(layer: Layer, quantized: QTensor) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return a layer's s8 codes in ONNX order and their scale, () or (channels,); ModelError when they do not fit."""
    params = quantized.params
    number_format, granularity = params.spec.format, params.spec.granularity
    if not isinstance(number_format, Uniform | Ternary | Binary) or not isinstance(granularity, PerTensor | PerChannel):
        raise ModelError(f"qdq: layer '{layer.name}': w{params.spec.token} has no QDQ form; expected w8t or w8c")
    if number_format.qmax > 127 or np.any(params.zero_point) or not np.all(params.scale > 0):
        raise ModelError(f"qdq: layer '{layer.name}': expected signed weights, zero points of 0 and scales above 0")
    return onnx_order(layer, quantized.codes).astype(np.int8), params.scale


def with_bias(
    layer: Layer, quantized: QTensor, source_scale: float
) -> tuple[npt.NDArray[np.int8], Floats, npt.NDArray[np.int32], Floats]:
    """Return a layer's codes, their scale, its bias in 32-bit steps of both scales, and that step.

    A channel whose bias, together with the largest sum, is beyond 32 bits gets a wider scale: of weights that are so
    small beside their bias, half a step lost is below any step of what the layer writes.

    Args:
        layer: the layer; its bias is finite.
        quantized: its codes.
        source_scale: of the activations that enter it.

    Raises:
        ModelError: codes or bias have no such form.
    """
    codes, scale = weight_codes(layer, quantized)
    if not np.isfinite(layer.bias).all():
        raise ModelError(f"qdq: layer '{layer.name}': expected a bias of numbers, got {layer.bias.min():g}")
    step = scale.astype(np.float64) * source_scale
    room = max(1.0, _BIAS_END - 2.0 * 255 * 128 * codes[0].size)
    wider = np.maximum(1.0, np.abs(layer.bias.astype(np.float64)) / (step * room))
    if np.any(wider > 1.0):
        codes = np.rint(codes / wider.reshape(-1, *[1] * (codes.ndim - 1))).astype(np.int8)
        scale, step = (scale * wider).astype(np.float32), step * wider
    bias_scale = np.maximum(step.astype(np.float32), np.finfo(np.float32).tiny)
    bias = np.rint(layer.bias / bias_scale.astype(np.float64)).clip(-_BIAS_END - 1, _BIAS_END).astype(np.int32)
    return codes, scale, bias, bias_scale
