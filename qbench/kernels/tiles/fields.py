"""The arguments of a tile, by name: what the objects that bind a product and the kernel both read."""

from __future__ import annotations

POINTERS = (
    "lhs", "rhs", "out", "residual", "lhs_rows", "out_rows", "residual_rows", "k_offsets",
    "correction", "scale", "offset", "shift", "table",
)  # fmt: skip
FLOATS = ("low", "high", "residual_scale")
INTS = (
    "sum_correction", "pixels", "channels", "k_groups", "k_groups_a_scale", "panel_bytes", "block_rows", "split_panels",
)  # fmt: skip
FIELDS = (*POINTERS, *FLOATS, *INTS)
"""The words of a tile's arguments, in order; `pixels` are the rows of one image, `block_rows` see `driver`."""
