"""`mxfp4`, `mxfp8`, `mxint8`: blocks of 32 numbers that share a scale of one byte, a power of two.

    scale = 2**(floor(log2 max |w|) - emax)

with emax the exponent of the element's largest number (2 for e2m1, 8 for e4m3, 0 for int8 in 64ths). What lies beyond
the largest number then is clipped, by at most a quarter of it. 4 bits run on table kernels, int8 on those of bytes;
e4m3 has no integer form. Activations are uniform. Source: Open Compute Project, "OCP microscaling formats (MX)
specification", version 1.0, sections 5.3 and 6.3.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from qbench.core.formats import NumberFormat, Uniform
from qbench.core.granularity import ScaledGroup, ScaleFormat
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform, weight_uniform
from qbench.core.tensor import Floats, QParams
from qbench.errors import QBenchError
from qbench.methods.absmax import AbsMax
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.level_tables import level_params, slice_maximum
from qbench.methods.fitting.minifloats import E2M1, E4M3, unit_of
from qbench.methods.fitting.slices import Doubles, absolute_maximum
from qbench.methods.minifloat import SmallFloats

BLOCK = 32
_SIXTY_FOURTH = -6
"""An int8 element counts in 2**-6: its largest magnitude is just below 2."""


def block_scale(maximum: Doubles, exponent: int) -> Doubles:
    """Return 2**(floor(log2 maximum) - exponent) of each block, 0 for a block of zeros."""
    _, above = np.frexp(maximum)
    return np.where(maximum > 0, np.ldexp(1.0, np.maximum(above - 1 - exponent, -119)), 0.0)


def _block_reason(name: str, spec: LayerSpec) -> str | None:
    wanted = ScaledGroup(BLOCK, "e8m0")
    if spec.weights.is_float or spec.weights.granularity == wanted:
        return None
    return f"{name}: shares a power of two by {BLOCK} numbers, as g{BLOCK}, not '{spec.weights.granularity.token}'"


class BlockFloats(SmallFloats):
    """Small floats in blocks of 32 under a power of two."""

    group_scales: ClassVar[ScaleFormat] = "e8m0"

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the uniform format: one scale of a whole tensor is no block."""
        return activation_uniform(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return super().supports(spec) or _block_reason(self.name, spec)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table and the scale of every block by the rule."""
        largest = slice_maximum(weights, spec).astype(np.float64)
        scale = block_scale(largest, self.kind.largest_exponent) * unit_of(self.kind)
        return level_params(spec, scale, self.levels)


class BlockIntegers(AbsMax):
    """Bytes in blocks of 32 under a power of two."""

    name = "mxint8"
    group_scales: ClassVar[ScaleFormat] = "e8m0"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return signed bytes; raise QBenchError for another width."""
        if bits != 8:
            raise QBenchError(f"{self.name}: has numbers of 8 bits, not of {bits}")
        return weight_uniform(bits)

    def takes_weights(self, number_format: NumberFormat) -> bool:
        """Return whether weights can have the format."""
        return isinstance(number_format, Uniform) and number_format == weight_uniform(8)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return super().supports(spec) or _block_reason(self.name, spec)

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the step of every block by the rule."""
        return block_scale(absolute_maximum(rows), -_SIXTY_FOURTH)


MXFP4, MXFP8, MXINT8 = BlockFloats("mxfp4", E2M1), BlockFloats("mxfp8", E4M3), BlockIntegers()
