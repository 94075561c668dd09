"""The words of a Winograd task's arguments, and what its products are."""

from __future__ import annotations

from qbench.kernels.product import parse_product
from qbench.kernels.winograd.transforms import KINDS

PRODUCT = parse_product("s16_s16")
"""The product of transformed codes and weights."""
UNPACKED = "vnni"
"""How weights are packed on every target: in bytes as dot instructions take them."""
POINTERS = (
    "lhs", "rhs", "out", "residual", "windows", "out_rows", "residual_rows", "lhs_rows", "sum_rows", "k_offsets",
    "correction", "scale", "offset", "shift", "table", "zeros", "scratch",
)  # fmt: skip
FLOATS = ("low", "high", "residual_scale")
INTS = (
    "units", "group", "block", "tiles", "channels", "depth", "row_bytes", "pixel_bytes", "k_groups", "panel_bytes",
    "tap_bytes", "lhs_position_bytes", "rhs_position_bytes", "sum_position_bytes", "rhs_at", "sums_at", "part_bytes",
    "rows_at_once",
)  # fmt: skip
OF_KINDS = ("tiles", "window", "pixel", "row")
FIELDS = (*POINTERS, *FLOATS, *INTS, *(f"{name}_{kind}" for kind in range(len(KINDS)) for name in OF_KINDS))
"""All words, in order.

An image has `units`: its tiles where all are of one kind, else itself, so that a unit has `tiles` tiles. A thread's
share are whole `group`s of units, a block is of `block` units. `windows` are the offset of each tile's first code,
`out_rows` and `residual_rows` those of its pixels, kind by kind: a unit has `tiles_k` of kind k, the first of which has
the window `window_k` and the pixel `pixel_k`, and in a block the row `row_k`.

`rhs` are packed codes, `tap_bytes` from one tap to the next in a panel. A thread has `part_bytes` of the
scratch: the transformed codes of a block's tiles, then (`rhs_at`) one panel's transformed weights, then (`sums_at`) its
sums for `rows_at_once` tiles; each of them position by position, `..._position_bytes` apart. `lhs_rows`, `sum_rows` and
`k_offsets` are where a tile and a k-group lie in those. `depth` are the channels of the lhs, padded, and `k_groups`
half of them; `zeros` a correction of nothing.
"""
