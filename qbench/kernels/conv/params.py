"""What an epilogue takes for each output channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.fixed_point import FixedPoint
from qbench.kernels.conv.reference import Floats


@dataclass(frozen=True, slots=True, eq=False)
class ChannelParams:
    """Per output channel (and group): see `qbench.kernels.tiles.tile`. Arrays are padded to whole panels by `bound`.

    `correction` int32 and `scale` float32 have shape (channels,), or (groups, channels) when grouped: see `folded`.
    With `fixed` codes are computed in whole numbers, and `scale` and `offset` are not read.
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


def folded(params: ChannelParams) -> ChannelParams:
    """Return the parameters with the corrections of groups in the offset: summed in float64, rounded once.

    A correction a group would cost as many bytes as its scale, and a load and an addition for each group of a tile.
    """
    if not params.group_size:
        return params
    owed = (params.correction.astype(np.float64) * params.scale.astype(np.float64)).sum(axis=0)
    offset = (params.offset.astype(np.float64) + owed).astype(np.float32)
    return replace(params, correction=np.zeros_like(params.correction), offset=offset)
