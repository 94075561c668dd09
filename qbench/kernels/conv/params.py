"""What an epilogue takes for each output channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.fixed_point import FixedPoint
from qbench.kernels.conv.reference import Floats


@dataclass(frozen=True, slots=True, eq=False)
class ChannelParams:
    """Per output channel (and group): see `qbench.kernels.tiles.tile`. Arrays are padded to whole panels by `bound`.

    `correction` int32 and `scale` float32 have shape (channels,), or (groups, channels) when grouped. With `fixed`
    codes are computed in whole numbers, and `scale` and `offset` are not read.
    """

    correction: npt.NDArray[np.int32]
    scale: Floats
    offset: Floats
    shift: Floats | None = None
    sum_correction: int = 0
    residual_scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    group_size: int = 0
    fixed: FixedPoint | None = None
