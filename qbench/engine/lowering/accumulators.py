"""How large a layer's sums can become: a proof from its weights, and the narrowest accumulator that holds them.

    |sum of (a - za) (w - zw) + b / (sa sw)| <= max|a - za| * ||w - zw||_1 + |b| / (sa sw)

over any inputs, and for any part of the sum too, in any order; the largest channel counts, and where scales are grouped
the largest group. Codes as in `qbench.core.tensor`; levels count as the whole numbers that kernels multiply by.
Source: Colbert et al. 2023, "A2Q: Accumulator-aware quantization with guaranteed overflow avoidance", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.granularity import Dynamic, PerGroup
from qbench.core.tensor import QParams, QTensor, expand
from qbench.engine.lowering.numbers import NotIntegerError, s8_codes
from qbench.graph.network import Layer


@dataclass(frozen=True, slots=True)
class Bound:
    """What a layer's sums cannot exceed.

    Args:
        largest: magnitude, in units of the product of both scales.
    """

    largest: float

    @property
    def bits(self) -> int:
        """Bits of the narrowest signed accumulator that cannot overflow."""
        return int(np.ceil(np.log2(np.floor(self.largest) + 1))) + 1 if self.largest >= 1 else 2


def bound_of(layer: Layer, weights: QTensor | None, activations: QParams | None) -> Bound | None:
    """Return the bound of a layer's sums, or None where it has no whole codes on both sides."""
    if weights is None or activations is None or activations.scale.ndim:
        return None
    kind = activations.spec.format
    if not isinstance(kind, Uniform | Ternary | Binary):
        return None
    try:
        codes, zero = s8_codes(weights)
    except NotIntegerError:
        return None
    grain, depth = weights.spec.granularity, codes.shape[1]
    size = np.abs(codes.astype(np.float64) - expand(zero, depth, grain))
    step = np.broadcast_to(weights.params.scale, (len(codes), *weights.params.scale.shape[1:])).astype(np.float64)
    if isinstance(grain, PerGroup):
        norms = np.add.reduceat(size, np.arange(0, depth, grain.group_size), axis=1)
        step = step.min(axis=1)
    else:
        norms = size.sum(axis=1, keepdims=True)
    if isinstance(activations.spec.granularity, Dynamic):  # any code may be that of 0, and the bias is added behind
        return Bound(float(((kind.qmax - kind.qmin) * norms.max(axis=1)).max()))
    zero_point = float(activations.zero_point)
    most = max(kind.qmax - zero_point, zero_point - kind.qmin)
    bias = np.abs(layer.bias.astype(np.float64)) / (step.reshape(-1) * float(activations.scale))
    return Bound(float((most * norms.max(axis=1) + bias).max()))
