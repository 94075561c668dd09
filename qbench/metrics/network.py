"""A quantized network as scores see it that need none of its answers: how far its weights moved, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qbench.core.tensor import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """One layer's weights: fp32's, what the codes mean, and the step between two codes; (channels, depth) each.

    `uniform` says whether the levels are equally far apart, so that an error in steps means anything.
    """

    original: Floats
    restored: Floats
    step: Floats
    uniform: bool


@dataclass(frozen=True, eq=False)
class Built:
    """What scores of the stage `network` are computed from.

    Args:
        layers: those whose weights are quantized.
        weights: number of weights of the whole network.
        theoretical_bytes: information in the codes; float32 weights count 4 bytes each.
        weight_bytes: packed codes with scales and zero points, and float32 weights.
        bias_bytes: all biases.
        resident_bytes: in memory, in the layout that the kernels read.
        integer_share: of the multiply-adds, 0..1.
    """

    layers: tuple[Restored, ...]
    weights: int
    theoretical_bytes: float
    weight_bytes: float
    bias_bytes: int
    resident_bytes: int
    integer_share: float

    @cached_property
    def together(self) -> Restored | None:
        """The weights of all quantized layers as one row, or None when there are none."""
        if not self.layers:
            return None
        columns = zip(*((one.original, one.restored, one.step) for one in self.layers), strict=True)
        original, restored, step = (np.concatenate([part.ravel() for part in column]) for column in columns)
        return Restored(original, restored, step, all(one.uniform for one in self.layers))
