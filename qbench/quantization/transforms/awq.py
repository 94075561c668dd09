"""`awq`: channels of weights that large activations meet are scaled up before rounding, by as much as helps most.

For every tensor x that enters layers W,

    s_j = (E|x_j|)^a,   a of 0, 0.05 .. 0.95 with the least  sum over W of E ||(Q(W diag(s)) diag(1 / s) - W) x||^2

with Q the layer's own format and granularity under the range of `minmax`, and E x x^T from the calibration samples.
s is divided by sqrt(max s min s), so that neither side grows by itself. `awq(data-free)` looks at no samples: a layer
norm's channel is a normal number of mean `offset` and deviation `scale`, a layer's of mean b and deviation |w| (inputs
of variance 1), behind a relu where there is one; channels are then taken as independent.
Source: Lin et al. 2024, "AWQ: Activation-aware weight quantization", equations 4 and 5; the data-free form is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import FLOAT, LayerSpec, QuantSpec
from qbench.errors import QBenchError, UnsuitableError
from qbench.graph import ChannelAffine, Conv, LayerNorm, Linear, QuantizedNetwork, depth_weights
from qbench.methods import METHODS, Method
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.transforms.links import Link, Plain, Rescaling, Writer, linked, times_inputs, told

GRID = 20
SAMPLES = 64
FREE = "data-free"
_LEAST = 1e-4
"""Of E|x_j|, relative to the largest: a channel that is hardly ever seen is not divided by nothing."""


@dataclass(frozen=True, slots=True)
class Awq:
    """Scale up weights that large activations meet, by a searched power: awq, or awq(data-free) without samples."""

    free: bool = False
    name: ClassVar[str] = "awq"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "before"
    reads_specs: ClassVar[bool] = True

    @property
    def needs_samples(self) -> bool:
        """Whether it looks at calibration samples."""
        return not self.free

    @property
    def word(self) -> str:
        """The word in recipes."""
        return f"{self.name}({FREE})" if self.free else self.name

    def tuned(self, value: str) -> Awq:
        """Return the stage that looks at no samples; raise QBenchError for any other word."""
        if value != FREE:
            raise QBenchError(f"expected {FREE}, got '{value}'")
        return Awq(free=True)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights of a spec cannot be searched for, or None."""
        why = None if spec.weights.is_float else _method().supports(LayerSpec(spec.weights, FLOAT))
        return f"awq searches with the range of minmax: {why}" if why else None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other weights and the same function; raise UnsuitableError where no tensor can."""
        network = quantized.network
        specs = {name: spec.weights for name, spec in quantized.specs.items() if not spec.weights.is_float}
        found, refused = linked(network)
        found = [link for link in found if any(name in specs for name in link.readers)]
        if not found and specs:
            raise UnsuitableError(f"network '{network.name}': {told(self.word, 0, refused)}")
        moved = Rescaling(network)
        for link in found:
            layers = [layer for layer in moved.layers(link.readers) if layer.name in specs]
            size, grams = self._shown(moved.writer(link), link, layers, seen)
            scale = _best(layers, specs, size, grams)
            if np.any(scale != 1.0):
                moved.move(link, scale)
        said = told(self.word, len(found), refused)
        return replace(quantized, network=moved.network(), remarks=(*quantized.remarks, said))

    def _shown(
        self, writer: Writer, link: Link, layers: list[Plain], seen: Observations
    ) -> tuple[Doubles, list[Doubles]]:
        """Return E|x_j| (c,) of a link's tensor, and E x x^T of each layer that reads it."""
        if self.free:
            mean_abs, squares = _expected(writer)
            return mean_abs, [_diagonal(layer, squares) for layer in layers]
        before = {layer.name: layer for layer in seen.network.layers}
        shared = all(isinstance(layer, Linear) for layer in layers)  # they see the same rows
        grams = [seen.gram(before[layer.name], samples=SAMPLES) for layer in (layers[:1] if shared else layers)]
        return seen.channels()[link.tensor].mean_abs, grams * (len(layers) if shared else 1)


def _method() -> Method:
    found: Method = METHODS.part("minmax")
    return found


def _best(layers: list[Plain], specs: dict[str, QuantSpec], mean_abs: Doubles, grams: list[Doubles]) -> Doubles:
    """Return s (c,) of the power that loses least; the smallest of equals, so 1 where nothing helps."""
    size = np.maximum(mean_abs, _LEAST * max(float(mean_abs.max(initial=0.0)), 1e-30))
    best, least = np.ones(len(size)), math.inf
    for step in range(GRID):
        scale = size ** (step / GRID)
        scale = scale / math.sqrt(float(scale.max()) * float(scale.min()))
        lost = sum(_lost(layer, scale, specs[layer.name], gram) for layer, gram in zip(layers, grams, strict=True))
        if lost < least:
            best, least = scale, lost
    return np.asarray(best)


def _lost(layer: Conv | Linear, scale: Doubles, spec: QuantSpec, gram: Doubles) -> float:
    """Return E ||(Q(W diag(s)) diag(1 / s) - W) x||^2."""
    rows = depth_weights(times_inputs(layer, scale))
    along = depth_weights(times_inputs(replace(layer, weight=np.ones_like(layer.weight)), scale)).astype(np.float64)
    found = _method().quantize_weights(rows, spec).dequantize()
    errors = ((found.astype(np.float64) - rows) / along).reshape(len(gram), -1, rows.shape[1])
    return float(np.einsum("gok,gok->", np.matmul(errors, gram), errors))


def _diagonal(layer: Conv | Linear, squares: Doubles) -> Doubles:
    """Return what `gram` would be of independent channels with E x_j^2 = squares (c,), without padding."""
    ones = replace(layer, weight=np.ones_like(layer.weight))
    along = depth_weights(times_inputs(ones, squares)).astype(np.float64)
    groups = layer.groups if isinstance(layer, Conv) else 1
    each = along.reshape(groups, -1, along.shape[1])[:, 0]
    return np.stack([np.diag(row) for row in each])


def _expected(writer: Writer) -> tuple[Doubles, Doubles]:
    """Return E|x_j| and E x_j^2 (c,) of what a node writes, as far as its own numbers say."""
    if isinstance(writer, LayerNorm | ChannelAffine):
        mean, deviation = writer.offset.astype(np.float64), np.abs(writer.scale).astype(np.float64)
    else:
        mean = writer.bias.astype(np.float64)
        deviation = np.sqrt(np.square(writer.weight.reshape(len(writer.weight), -1), dtype=np.float64).sum(axis=1))
    deviation = np.maximum(deviation, 1e-30)
    at = mean / deviation
    density = np.exp(-0.5 * at**2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1.0 + np.asarray([math.erf(value / math.sqrt(2)) for value in at]))
    positive, squares = mean * below + deviation * density, mean**2 + deviation**2  # E max(x, 0), E x^2
    if isinstance(writer, LayerNorm) or writer.activation is None:
        return 2 * positive - mean, squares
    return positive, squares * below + mean * deviation * density
