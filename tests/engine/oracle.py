"""A float64 interpretation of a quantized network: reals of codes in, exact sums, codes by the law of rounding out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary
from qbench.core.tensor import QParams, QTensor
from qbench.engine.windows import dense_ohwi, window_of
from qbench.graph.network import Conv, Flatten, Linear, Network, Pool
from qbench.kernels.conv.reference import windows
from qbench.methods import fake_quantize

Reals = npt.NDArray[np.float64]


def pad_of(params: QParams | None) -> float:
    """Return the real that padding stands for: 0, but +scale where binary codes have no 0."""
    signed_binary = params is not None and isinstance(params.spec.format, Binary) and not params.zero_point
    return float(params.scale) if params is not None and signed_binary else 0.0


def run(
    network: Network, weights: Mapping[str, QTensor], activations: Mapping[str, QParams], x: npt.NDArray[np.float32]
) -> Reals:
    """Return float64 logits; every tensor but the output is quantized by its parameters."""

    def settle(name: str, values: Reals) -> Reals:
        if name not in activations:
            return values
        return fake_quantize(values.astype(np.float32), activations[name]).astype(np.float64)

    tensors = {network.input: settle(network.input, x.transpose(0, 2, 3, 1).astype(np.float64))}
    for node in network.nodes:
        source = tensors[node.input] if not hasattr(node, "inputs") else None
        if isinstance(node, Conv | Linear):
            tensor = weights.get(node.name)
            depth = dense_ohwi(node, None if tensor is None else tensor.dequantize()).astype(np.float64)
            values = (
                windows(source, window_of(node), pad_of(activations.get(node.input))) @ depth.reshape(len(depth), -1).T
                + node.bias
            )
            if isinstance(node, Conv) and node.residual:
                values = values + tensors[node.residual]
            if node.activation:
                values = np.clip(values, node.activation.low, node.activation.high)
            tensors[node.output] = values if node.output == network.output else settle(node.output, values)
        elif isinstance(node, Pool):
            assert node.kind == "global_average"
            tensors[node.output] = settle(node.output, source.mean(axis=(1, 2), keepdims=True))
        else:
            assert isinstance(node, Flatten)
            tensors[node.output] = source
    return tensors[network.output].reshape(len(x), -1)
