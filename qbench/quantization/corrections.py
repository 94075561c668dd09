"""Corrections after rounding, as stages: what rounding did to a layer's spread and to its mean is put back.

The mean of every tensor at every place is one sum over the calibration samples; what a layer's window sees on average,
padding included, follows from it. So one pass through the float network serves every spec and every method.

Source: Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.2, for
the mean; Banner et al. 2019, "Post training 4-bit quantization of convolutional networks", section 4, for spread and
mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.errors import QBenchError
from qbench.graph import QuantizedNetwork, depth_weights
from qbench.graph.network import Layer
from qbench.methods.correction import VERSION, bias_shift, variance_corrected
from qbench.quantization.equal_steps import moved_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.windows import mean_window


class Variance:
    """Give back the spread of every slice of weights: its scale times std(weights) / std(codes)."""

    name: ClassVar[str] = "variance"
    version: ClassVar[int] = VERSION
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = False

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why scales of a spec cannot be moved, or None."""
        return moved_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other scales."""
        weights = {
            layer.name: variance_corrected(depth_weights(layer), quantized.weights[layer.name])
            for layer in quantized.network.layers
            if layer.name in quantized.weights
        }
        return replace(quantized, weights=weights)


class Bias:
    """Take from every bias by how much rounding moved the mean of its channel."""

    name: ClassVar[str] = "bias"
    version: ClassVar[int] = VERSION
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: every spec has means."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other biases; raise QBenchError when a layer's input is not seen in calibration."""
        if not quantized.weights:
            return quantized
        network, means = quantized.network, seen.means()
        nodes = []
        for node in network.nodes:
            if isinstance(node, Layer) and node.name in quantized.weights:
                mean = means.get(network.unflattened(node.input))
                if mean is None:
                    raise QBenchError(
                        f"layer '{node.name}': its input was not calibrated, so its bias has no correction"
                    )
                shift = bias_shift(depth_weights(node), quantized.weights[node.name], mean_window(node, mean))
                node = replace(node, bias=(node.bias - shift).astype(np.float32))
            nodes.append(node)
        return replace(quantized, network=replace(network, nodes=tuple(nodes)))


class Both:
    """Correct the variance of weights, then the biases: other scales move means too."""

    name: ClassVar[str] = "both"
    version: ClassVar[int] = VERSION
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why scales of a spec cannot be moved, or None; every spec has means."""
        return moved_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other scales and biases."""
        return Bias().apply(Variance().apply(quantized, seen, seed=seed), seen, seed=seed)
