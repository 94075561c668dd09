"""The arguments that every kernel of products takes, in three tuples, and their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.kernels.cuda.language.dialect import types

_BYTES, _INTS, _FLOATS = (types.CPointer(kind) for kind in (types.uint8, types.int32, types.float32))

ARRAYS = {
    "lhs": _BYTES, "rhs": _BYTES, "out": _BYTES, "residual": _BYTES, "lhs_rows": _INTS, "out_rows": _INTS,
    "residual_rows": _INTS, "k_offsets": _INTS, "correction": _INTS, "scale": _FLOATS, "offset": _FLOATS,
    "shift": _FLOATS, "sums": _INTS,
}  # fmt: skip
LIMITS = ("low", "high", "residual_scale")
SIZES = ("rows", "channels", "stored", "k_stages", "sum_correction")

SIGNATURE = types.void(
    types.Tuple(tuple(ARRAYS.values())),
    types.UniTuple(types.float32, len(LIMITS)),
    types.UniTuple(types.int32, len(SIZES)),
)
"""`stored` is the number of columns that are written, a multiple of four; `channels` those of whole tiles."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The whole numbers of a launch; see `SIGNATURE`."""

    rows: int
    channels: int
    stored: int
    k_stages: int
    sum_correction: int = 0

    def values(self) -> tuple[Any, ...]:
        """Return them in the kernel's order."""
        return (self.rows, self.channels, self.stored, self.k_stages, self.sum_correction)
