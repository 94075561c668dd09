"""A strip's blocks of channels and its arguments, by name: what its kernel and the object that binds it both read."""

from __future__ import annotations

FULL, HALF, QUARTER = 64, 32, 16
"""Channels of a block."""
VECTORS = 4
"""Vectors of 32-bit sums of 64 channels."""
POINTERS = ("lhs", "rhs", "out", "correction", "scale", "offset", "shift")
FLOATS = ("low", "high")
INTS = (
    "out_height", "out_width", "lhs_image", "lhs_row", "lhs_pixel", "lhs_tap_row", "out_image", "out_row", "out_pixel",
    "channels", "block_bytes",
)  # fmt: skip
FIELDS = (*POINTERS, *FLOATS, *INTS)
"""The words of a task's arguments: strides are bytes; `lhs_row` from one output row's windows to the next's."""
