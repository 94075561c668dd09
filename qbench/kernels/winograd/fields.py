"""The words of a Winograd task's arguments, and what its products are."""

from __future__ import annotations

PRODUCT = "s16_s16"
"""The product of transformed codes and weights."""
UNPACKED = "vnni"
"""How weights are packed on every target: in bytes as dot instructions take them."""
POINTERS = (
    "lhs", "rhs", "out", "residual", "windows", "out_rows", "residual_rows", "lhs_rows", "sum_rows", "k_offsets",
    "correction", "scale", "offset", "shift", "table", "zeros", "scratch",
)  # fmt: skip
FLOATS = ("low", "high", "residual_scale")
INTS = (
    "tiles", "channels", "depth", "row_bytes", "pixel_bytes", "k_groups", "panel_bytes", "tap_bytes",
    "lhs_position_bytes", "rhs_position_bytes", "sum_position_bytes", "rhs_at", "sums_at", "part_bytes", "block",
    "rows_at_once",
)  # fmt: skip
FIELDS = (*POINTERS, *FLOATS, *INTS)
"""All words, in order.

`tiles` are those of one image, `windows` the offset of each one's first code, `out_rows` and `residual_rows` those of
its 16 pixels. `rhs` are packed codes, `tap_bytes` from one tap to the next in a panel. A thread has `part_bytes` of the
scratch: the transformed codes of `block` tiles, then (`rhs_at`) one panel's transformed weights, then (`sums_at`) its
sums for `rows_at_once` tiles; each of them position by position, `..._position_bytes` apart. `lhs_rows`, `sum_rows` and
`k_offsets` are where a tile and a k-group lie in those. `depth` are the channels of the lhs, padded, and `k_groups`
half of them; `zeros` a correction of nothing.
"""
