"""`bn_reestimate`: each channel of a layer gets back the mean and the spread that it had in float32.

Batch normalizations are folded into layers when a network is read, so there are no statistics to run anew. What they
would be run for is done to the layer itself, channel by channel: with x what it sees in float32 and x' what the
quantized layers before it give it,

    g_o = sqrt(Var(w_o x) / Var(Q(w_o) x')),   Q(w_o) <- g_o Q(w_o),   b_o <- b_o + E w_o x - g_o E Q(w_o) x'

The factor goes into the scales, so nothing is added when the network runs; it needs a scale for each channel or group.
Source: the re-estimation of batch normalization in Nagel et al. 2022, "Overcoming oscillations in quantization-aware
training", section 4.3, and Sun et al. 2019, "Hybrid 8-bit floating point training", without a network to train.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.granularity import PerTensor
from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats, QTensor
from qbench.graph import Layer, QuantizedNetwork, depth_weights
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.equal_steps import moved_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place

SAMPLES, ROWS = 128, 1 << 16
"""Calibration samples that are looked at, and windows of them for each layer."""
MOST = 2.0
"""Factors beyond it, or below its inverse, are cut: a channel that is hardly ever seen says nothing of its spread."""


class BnReestimate:
    """Give every channel of a layer the mean and spread of its float32 output, by scales and biases."""

    name: ClassVar[str] = "bn_reestimate"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights of a spec have no scale for each channel, or None."""
        if spec.weights.is_float or not isinstance(spec.weights.granularity, PerTensor):
            return moved_steps_reason(self.name, spec.weights)
        return "bn_reestimate: needs a scale for each channel or group of weights, not one per tensor"

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other scales and biases; raise QBenchError when a layer's input is not seen."""
        done: dict[str, QTensor] = {}
        nodes = {node.name: node for node in quantized.network.nodes}
        for layer in quantized.network.layers:
            if layer.name not in quantized.weights:
                continue
            network = replace(quantized.network, nodes=tuple(nodes.values()))
            prefix = replace(quantized, network=network, weights=done).dequantized()
            codes, rows = quantized.weights[layer.name], depth_weights(layer)
            mean, variance = _moments(seen, layer, rows)
            found, spread = _moments(seen.of(prefix), layer, codes.dequantize())
            alive = (variance > 0) & (spread > 0)
            factor = np.sqrt(np.where(alive, variance, 1.0) / np.where(alive, spread, 1.0))
            factor = np.clip(factor, 1.0 / MOST, MOST)
            done[layer.name] = _stretched(codes, factor)
            bias = (layer.bias + mean - factor * found).astype(np.float32)
            nodes[layer.name] = replace(layer, bias=bias)
        return replace(quantized, network=replace(quantized.network, nodes=tuple(nodes.values())), weights=done)


def _moments(seen: Observations, layer: Layer, rows: Floats) -> tuple[Doubles, Doubles]:
    """Return mean and variance of what rows (channels, depth) give of a layer's windows, without bias; (channels,)."""
    total = squares = np.zeros(len(rows))
    count = 0
    for windows in seen.windows(layer, samples=SAMPLES, most_rows=ROWS):
        groups, each, depth = windows.shape
        found = np.matmul(windows, rows.reshape(groups, -1, depth).transpose(0, 2, 1)).transpose(1, 0, 2)
        found = found.reshape(each, -1).astype(np.float64)
        total, squares, count = total + found.sum(axis=0), squares + np.square(found).sum(axis=0), count + each
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0.0)


def _stretched(codes: QTensor, factor: Doubles) -> QTensor:
    scale = codes.params.scale
    stretched = (scale * factor.reshape(-1, *[1] * (scale.ndim - 1))).astype(np.float32)
    return replace(codes, params=replace(codes.params, scale=stretched))
