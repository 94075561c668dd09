"""`lowrank`: what rounding lost of a layer's weights is put beside it, as two thin layers.

    W - Q(W) ~ U V^T,   y = Q(W) x + U (V^T x) + b

with U V^T the `r` largest singular values of the error, shared evenly: U sqrt(S), sqrt(S) V^T. Both are rounded to 8
bits per channel, count in the sizes, and are steps of the session, so their time counts; V^T x stays in float32 and
makes U a layer of float32. A depthwise or grouped layer, and one that has not four times as many rows and columns as
the rank, keeps its rounding as it is, and the row says so. Not beside `bias`: it corrects a shift that this takes away.
Source: Yao et al. 2023, "ZeroQuant-V2: Exploring post-training quantization in LLMs", section 5 (LoRC).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import FLOAT, LayerSpec, parse_spec
from qbench.core.tensor import Floats
from qbench.errors import QBenchError
from qbench.graph import Add, Conv, Linear, Node, QuantizedNetwork, Recurrent, depth_weights
from qbench.graph.weights import onnx_order
from qbench.methods import METHODS, Method
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place

RANK = 8
FACTORS = parse_spec("w8c-a32").weights
"""What both factors are rounded to."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """Add what rounding lost, to a rank, as two thin layers of 8 bits: lowrank(16), 8 by itself."""

    rank: int = RANK
    name: ClassVar[str] = "lowrank"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = False

    @property
    def word(self) -> str:
        """The word in recipes."""
        return self.name if self.rank == RANK else f"{self.name}({self.rank})"

    def tuned(self, value: str) -> LowRank:
        """Return the stage of another rank; raise QBenchError unless it is 1..1024."""
        if not value.isdecimal() or not 1 <= int(value) <= 1024:
            raise QBenchError(f"expected a rank in 1..1024, got '{value}'")
        return LowRank(int(value))

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: every code stands for a number that an error can be taken from."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with two layers more beside each that has codes."""
        made, count, left = quantized, 0, 0
        for layer in quantized.network.layers:
            codes = quantized.weights.get(layer.name)
            if codes is None:
                continue
            if isinstance(layer, Recurrent) or not self._fits(layer):
                left += 1
                continue
            error = depth_weights(layer).astype(np.float64) - codes.dequantize()
            if np.any(error):
                made, count = _beside(made, layer, self._factors(error)), count + 1
        said = f"{self.word}: {count} layers" + (f"; {left} are grouped, recurrent or too small" if left else "")
        return replace(made, remarks=(*made.remarks, said))

    def _fits(self, layer: Conv | Linear) -> bool:
        rows, depth = len(layer.weight), layer.weight[0].size
        return min(rows, depth) >= 4 * self.rank and not (isinstance(layer, Conv) and layer.groups > 1)

    def _factors(self, error: Doubles) -> tuple[Floats, Floats]:
        """Return U (channels, rank) and V^T (rank, depth)."""
        left, sizes, right = np.linalg.svd(error, full_matrices=False)
        root = np.sqrt(sizes[: self.rank])
        signs = np.where(left[np.abs(left[:, : self.rank]).argmax(axis=0), np.arange(self.rank)] < 0, -1.0, 1.0)
        return (
            np.asarray(left[:, : self.rank] * root * signs, np.float32),
            np.asarray(right[: self.rank] * (root * signs)[:, None], np.float32),
        )


def _beside(quantized: QuantizedNetwork, layer: Conv | Linear, factors: tuple[Floats, Floats]) -> QuantizedNetwork:
    """Return the network in which U V^T x is added to what a layer computes."""
    up, down = factors
    network, names = quantized.network, tuple(f"{layer.name}:{word}" for word in ("rounded", "down", "up"))
    nodes: list[Node] = []
    for node in network.nodes:
        nodes += _parts(layer, up, down, names) if node.name == layer.name else [node]
    whole = network.shapes[layer.output]
    thin = (len(down), *whole[1:]) if isinstance(layer, Conv) else (*whole[:-1], len(down))
    shapes = {**network.shapes, names[0]: whole, names[1]: thin, names[2]: whole}
    method: Method = METHODS.part("minmax")
    codes = {name: method.quantize_weights(rows, FACTORS) for name, rows in zip(names[1:], (down, up), strict=True)}
    reads = quantized.specs[layer.name].activations if layer.name in quantized.specs else FLOAT
    specs = {names[1]: LayerSpec(FACTORS, reads), names[2]: LayerSpec(FACTORS, FLOAT)}
    return replace(
        quantized, network=replace(network, nodes=tuple(nodes), shapes=shapes),
        weights={**quantized.weights, **codes}, specs={**quantized.specs, **specs},
    )  # fmt: skip


def _parts(layer: Conv | Linear, up: Floats, down: Floats, names: tuple[str, ...]) -> list[Node]:
    """Return the layer that rounds, the two thin ones, and the sum, which writes what the layer wrote."""
    rounded, low, high = names
    nothing = np.zeros(len(down), np.float32)
    first = replace(layer, output=rounded, activation=None)
    total = Add(f"{layer.name}:sum", (rounded, high), layer.output, layer.activation)
    if isinstance(layer, Conv):
        thin: Conv | Linear = replace(
            layer, name=low, output=low, weight=_window(layer, down), bias=nothing, activation=None,
            residual=None, source="",
        )  # fmt: skip
        wide: Conv | Linear = Conv(high, low, high, up[:, :, None, None], np.zeros(len(up), np.float32))
    else:
        thin = Linear(low, layer.input, low, down, nothing)
        wide = Linear(high, low, high, up, np.zeros(len(up), np.float32))
    return [first, thin, wide, total]


def _window(layer: Conv, rows: Floats) -> Floats:
    """Return rows (rank, depth) as the weights of a convolution with the layer's window."""
    like = np.broadcast_to(layer.weight[:1], (len(rows), *layer.weight.shape[1:]))
    return onnx_order(replace(layer, weight=like), rows)
