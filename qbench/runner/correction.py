"""Corrections after weights are rounded, on a network: where their means come from, and what is put back in place.

The mean of every tensor at every place is one sum over the calibration images; what a layer's window sees on average,
padding included, follows from it. So one pass through the fp32 network serves every spec and every method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from qbench.core.tensor import Floats, QTensor
from qbench.engine import FloatSession
from qbench.errors import QBenchError
from qbench.graph import Conv, Layer, Network, depth_weights
from qbench.methods.correction import bias_shift, variance_corrected
from qbench.methods.slices import Doubles

_BATCH = 64


def mean_maps(network: Network, inputs: Floats, *, threads: int) -> dict[str, Doubles]:
    """Return the mean over float32 NCHW `inputs` of every tensor that enters a layer, float64 (h, w, c)."""
    sums: dict[str, Doubles] = {}

    def tap(name: str, values: Floats) -> None:
        total = values.sum(axis=0, dtype=np.float64)
        sums[name] = sums[name] + total if name in sums else total

    with FloatSession(network, threads=threads) as session:
        for start in range(0, len(inputs), _BATCH):
            session.run(inputs[start : start + _BATCH], tap=tap)
    return {name: total / len(inputs) for name, total in sums.items()}


def mean_window(layer: Layer, tensor: Doubles) -> Doubles:
    """Return what a layer's window holds on average, float64 (groups, depth), the depth in the order of its codes.

    Args:
        layer: a convolution or a linear layer.
        tensor: mean of its input, (h, w, c); a linear layer flattens it channel slowest, or takes its tokens' channels.
    """
    if not isinstance(layer, Conv):
        if tensor.size != layer.weight.shape[1]:  # one product for each token
            tokens: Doubles = tensor.reshape(-1, tensor.shape[-1])
            return np.asarray(tokens.mean(axis=0, keepdims=True))
        return tensor.transpose(2, 0, 1).reshape(1, -1) if tensor.ndim == 3 else tensor.reshape(1, -1)
    top, left, bottom, right = layer.pads
    padded = np.pad(tensor, ((top, bottom), (left, right), (0, 0)))
    (kh, kw), (step_y, step_x), (wide_y, wide_x) = layer.weight.shape[2:], layer.strides, layer.dilations
    height = (padded.shape[0] - wide_y * (kh - 1) - 1) // step_y + 1
    width = (padded.shape[1] - wide_x * (kw - 1) - 1) // step_x + 1
    taps = [
        padded[y * wide_y :: step_y, x * wide_x :: step_x][:height, :width].mean(axis=(0, 1))
        for y in range(kh)
        for x in range(kw)
    ]
    by_group = np.stack(taps).reshape(len(taps), layer.groups, -1)
    return np.ascontiguousarray(by_group.transpose(1, 0, 2).reshape(layer.groups, -1))


def corrected(
    network: Network, weights: Mapping[str, QTensor], maps: Mapping[str, Doubles], correction: str
) -> tuple[Network, dict[str, QTensor]]:
    """Return the network with its biases, and the codes with their scales, as `correction` wants them.

    Args:
        network: the fp32 network.
        weights: layer -> codes; layers that are not named stay as they are.
        maps: from `mean_maps`; empty where `correction` is `variance`.
        correction: `bias`, `variance`, or `both`: spreads first, since they move means too.

    Raises:
        QBenchError: a layer's input was not seen during calibration.
    """
    found = dict(weights)
    nodes = []
    for node in network.nodes:
        if isinstance(node, Layer) and node.name in weights:
            original = depth_weights(node)
            if correction in ("variance", "both"):
                found[node.name] = variance_corrected(original, weights[node.name])
            if correction in ("bias", "both"):
                seen = maps.get(network.unflattened(node.input))
                if seen is None:
                    raise QBenchError(
                        f"layer '{node.name}': its input was not calibrated, so its bias has no correction"
                    )
                shift = bias_shift(original, found[node.name], mean_window(node, seen))
                node = replace(node, bias=(node.bias - shift).astype(np.float32))
        nodes.append(node)
    return replace(network, nodes=tuple(nodes)), found
