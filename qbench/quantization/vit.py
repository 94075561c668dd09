"""`vit`: two ranges for what comes out of a gelu or a softmax, a power of two apart.

A gelu's negative numbers reach -0.17 and its positive ones many times that; most shares of a softmax are tiny and a few
near 1. Of b bits one says which range it is, b - 1 the place in it, n = 2^(b-1):

    gelu:     -s1 i, i = 1 .. n, s1 = |min| / n,  and  s2 i, i = 0 .. n - 1
    softmax:   s1 i, i = 0 .. n - 1,              and  s2 i, i = 1 .. n, s2 = 1 / n
    s2 = 2^m s1,   m = 0 .. 16 of the least squared error over the histogram of what was seen

Where the range that the method chose loses less, it stays. The codes of two are no uniform ones, so layers that read
them are computed in float32 with what they stand for, and the row says `simulated`, or `mixed`. Inside an attention
shares have no tensor, and stay as they are. Source: Yuan et al. 2022, "PTQ4ViT: Post-training quantization for vision
transformers with twin uniform quantization", section 3.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.formats import Codebook, Uniform
from qbench.core.granularity import Dynamic, PerTensor
from qbench.core.spec import LayerSpec, QuantSpec
from qbench.core.tensor import QParams
from qbench.graph import QuantizedNetwork, Softmax, Unary
from qbench.methods import ActivationStats, dequantize, quantize
from qbench.methods.fitting.level_tables import full_table
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place

GELUS = ("gelu", "gelu_tanh")
SHIFTS = range(17)


class Vit:
    """Give outputs of gelu and softmax two ranges, a power of two apart (computed in float32: the row says so)."""

    name: ClassVar[str] = "vit"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "after"
    needs_samples: ClassVar[bool] = False

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why activations of a spec have no two ranges, or None."""
        kind = spec.activations.format
        dynamic = isinstance(spec.activations.granularity, Dynamic)
        if spec.activations.is_float or (isinstance(kind, Uniform) and kind.bits > 1 and not dynamic):
            return None
        return f"vit: gives two ranges to uniform activations of 2 bits or more, not to {spec.activations.token}"

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other parameters of the tensors that come out of gelus and softmaxes."""
        found: dict[str, QParams] = {}
        count = 0
        for node in quantized.network.nodes:
            is_gelu = isinstance(node, Unary) and node.function in GELUS
            params = quantized.activations.get(node.output)
            if params is not None and (is_gelu or isinstance(node, Softmax)):
                count, stats = count + 1, seen.stats()[node.output]
                twin = two_ranges(stats, params.spec.format.bits, negative=is_gelu)
                if squared_error(stats, twin) < squared_error(stats, params):
                    found[node.output] = twin
        said = f"vit: two ranges for {len(found)} of {count} outputs of gelu or softmax, where one range loses more"
        activations = {**quantized.activations, **found}
        return replace(quantized, activations=activations, remarks=(*quantized.remarks, said))


def two_ranges(stats: ActivationStats, bits: int, *, negative: bool) -> QParams:
    """Return the table of least squared error.

    Args:
        stats: of the tensor.
        bits: of its codes, 2 or more.
        negative: whether the narrow range is that of negative numbers, as behind a gelu, or lies within the other one.
    """
    spec = QuantSpec(Codebook(bits, "twin"), PerTensor())
    one, zero = np.asarray(1.0, np.float32), np.asarray(0.0, np.float32)
    tables = [full_table(_levels(stats, bits, shift, negative=negative), bits) for shift in SHIFTS]
    found = [QParams(spec, one, zero, table) for table in tables]
    return found[int(np.argmin([squared_error(stats, params) for params in found]))]


def squared_error(stats: ActivationStats, params: QParams) -> float:
    """Return what codes lose of the numbers that were seen, to the width of a histogram's bin."""
    values, counts = stats.points()
    reals = dequantize(quantize(values.astype(np.float32), params), params)
    return float(counts @ np.square(reals - values))


def _levels(stats: ActivationStats, bits: int, shift: int, *, negative: bool) -> Doubles:
    """Return the levels of both ranges, s2 = 2^shift s1."""
    count = 2 ** (bits - 1)
    whole = np.arange(count, dtype=np.float64)
    if negative:
        narrow = max(-stats.minimum, 1e-30) / count
        return np.concatenate([-narrow * (whole + 1), narrow * 2.0**shift * whole])
    wide = 1.0 / count
    return np.concatenate([wide * 2.0**-shift * whole, wide * (whole + 1)])
