"""`nvfp4`: blocks of 16 4-bit floats, each under an 8-bit float, all of those under one float32 scale of the tensor.

    scale of a block = e4m3(max |w| / 6 / g) g,   g = max |w| of the tensor / (6 * 448)

so that the largest block's scale is the largest e4m3 number; of the two e4m3 numbers around max |w| / 6 / g the one
that leaves the smaller error is taken. Source: NVIDIA, "Introducing NVFP4 for efficient and accurate low-precision
inference", 2025.
"""

from __future__ import annotations

from typing import ClassVar

from qbench.core.granularity import ScaledGroup, ScaleFormat
from qbench.core.spec import LayerSpec, QuantSpec
from qbench.core.tensor import Floats, QParams
from qbench.methods.fitting.level_tables import level_params, slice_maximum
from qbench.methods.fitting.minifloats import E2M1
from qbench.methods.minifloat import SmallFloats

BLOCK = 16


class NvFloats(SmallFloats):
    """4-bit floats in blocks of 16 under two levels of scales."""

    group_scales: ClassVar[ScaleFormat] = "e4m3"

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        if not spec.weights.is_float and spec.weights.granularity != ScaledGroup(BLOCK, "e4m3"):
            token = spec.weights.granularity.token
            return (
                super().supports(spec) or f"{self.name}: shares a scale by {BLOCK} numbers, as g{BLOCK}, not '{token}'"
            )
        return super().supports(spec)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table, and for each block the scale that covers it; which e4m3 says it is settled behind this."""
        return level_params(spec, slice_maximum(weights, spec) / self.levels[-1], self.levels)


NVFP4 = NvFloats("nvfp4", E2M1)
