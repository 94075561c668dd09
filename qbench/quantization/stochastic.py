"""`stochastic`: up with the probability of the remainder, so that the mean over draws is the weight itself.

    code = floor(W / s + z + u),    u uniform in [0, 1), drawn from the seed and the layer's place

Beside nearest it shows what a rounding without bias costs: its error has twice the power. Source: Gupta et al. 2015,
"Deep learning with limited numerical precision", 3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats, QTensor
from qbench.graph import QuantizedNetwork, depth_weights
from qbench.methods import fake_quantize
from qbench.quantization.equal_steps import EqualSteps, equal_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place


class Stochastic:
    """Round up or down at random, without bias."""

    name: ClassVar[str] = "stochastic"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = False

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights of `spec` have no up and down, or None."""
        return equal_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other codes under the same scales."""
        layers = {layer.name: depth_weights(layer) for layer in quantized.network.layers}
        weights = {
            name: drawn(layers[name], codes, np.random.default_rng((seed, place)))
            for place, (name, codes) in enumerate(quantized.weights.items())
        }
        return replace(quantized, weights=weights)


def drawn(rows: Floats, codes: QTensor, generator: np.random.Generator) -> QTensor:
    """Return drawn codes of weights (channels, depth); what lies on the grid, or beyond it, keeps its code."""
    steps = EqualSteps.of(codes.params, rows.shape[1])
    found = np.floor(steps.places(rows) + generator.random(rows.shape))
    fixed = fake_quantize(rows, codes.params) == rows
    return QTensor(np.where(fixed, codes.codes, steps.tensor(found).codes), codes.params)
