"""A strip's blocks of channels and its arguments, by name: what its kernel and the object that binds it both read."""

from __future__ import annotations

from qbench.kernels.tiles.targets import target_of

STRIPPED = {"x86_avx2": (14, 8, 7, 6, 5, 4), "x86_vnni": (8, 7, 6, 5, 4)}
"""The variants that have strips, and the pixels of a strip there: the most that divide a row. Elsewhere loops are
portable."""
VECTORS = 4
"""Vectors of 32-bit sums of a whole block."""
LEAST = 16
"""Channels of the least block: what layouts are padded to."""
POINTERS = ("lhs", "rhs", "out", "correction", "scale", "offset", "shift")
FLOATS = ("low", "high")
INTS = (
    "out_height", "out_width", "lhs_image", "lhs_row", "lhs_pixel", "lhs_tap_row", "out_image", "out_row", "out_pixel",
    "channels", "block_bytes",
)  # fmt: skip
LIMITS = "limits"
"""Address of a whole vector of `low` as bytes, and of one of `high`."""
FIELDS = (*POINTERS, *FLOATS, *INTS, LIMITS)
"""The words of a task's arguments: strides are bytes; `lhs_row` from one output row's windows to the next's."""


def blocks_of(variant: str) -> tuple[int, int, int]:
    """Return the channels of a whole block, and of the two that the rest is made of; 0 where one will do."""
    full = VECTORS * target_of(variant).lanes
    return full, full // 2, full // 4 if full // 4 >= LEAST else 0
