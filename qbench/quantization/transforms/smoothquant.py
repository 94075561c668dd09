"""`smoothquant`: scale moves from activations with outliers into the weights that read them.

For every tensor x that enters layers W, with channel j of range max|x_j|,

    s_j = max|x_j|^a / max|W_j|^(1 - a),   W x = (W diag(s)) (diag(1 / s) x)

where W_j is all that reads channel j. With a = 0.5 both sides get the range sqrt(max|x_j| max|W_j|). Factors go into
the layer norm or the layer that writes x, a layer norm of the layers' own where others read x too; where none can take
them the tensor stays as it is, and the row says why.
Source: Xiao et al. 2023, "SmoothQuant: Accurate and efficient post-training quantization for large language models",
equation 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.errors import QBenchError, UnsuitableError
from qbench.graph import QuantizedNetwork
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.transforms.links import Plain, Rescaling, by_input, linked, told

ALPHA = 0.5


@dataclass(frozen=True, slots=True)
class SmoothQuant:
    """Move scale from activations into weights, channel by channel: smoothquant(alpha), alpha 0..1, 0.5 by itself."""

    alpha: float = ALPHA
    name: ClassVar[str] = "smoothquant"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "before"
    needs_samples: ClassVar[bool] = True

    @property
    def word(self) -> str:
        """The word in recipes."""
        return self.name if self.alpha == ALPHA else f"{self.name}({self.alpha:g})"

    def tuned(self, value: str) -> SmoothQuant:
        """Return the stage with another alpha; raise QBenchError unless it is 0..1."""
        try:
            alpha = float(value)
        except ValueError:
            alpha = -1.0
        if not 0.0 <= alpha <= 1.0:
            raise QBenchError(f"expected alpha in 0..1, got '{value}'")
        return SmoothQuant(alpha)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: the network stays in float32."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other weights and the same function; raise UnsuitableError where no tensor can."""
        network = quantized.network
        found, refused = linked(network)
        if not found:
            raise UnsuitableError(f"network '{network.name}': {told(self.word, 0, refused)}")
        moved = Rescaling(network)
        for link in found:
            moved.move(link, factors(moved.layers(link.readers), seen.channels()[link.tensor].maximum, self.alpha))
        said = told(self.word, len(found), refused)
        return replace(quantized, network=moved.network(), remarks=(*quantized.remarks, said))


def factors(layers: list[Plain], size: Doubles, alpha: float) -> Doubles:
    """Return s (c,) of a tensor whose channels have the size `size` (c,); 1 where a channel or its weights are 0."""
    most = np.max([np.abs(by_input(layer)).max(axis=(1, 2)) for layer in layers], axis=0)
    alive = (size > 0) & (most > 0)
    scale = np.where(alive, size, 1.0) ** alpha / np.where(alive, most, 1.0).astype(np.float64) ** (1.0 - alpha)
    return np.asarray(np.where(alive, scale, 1.0))
