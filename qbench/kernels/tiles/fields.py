"""The words of a tile's arguments."""

from __future__ import annotations

POINTERS = (
    "lhs", "rhs", "out", "residual", "lhs_rows", "out_rows", "residual_rows", "k_offsets",
    "correction", "scale", "offset", "shift", "table", "ranges",
)  # fmt: skip
FLOATS = ("low", "high", "residual_scale")
INTS = (
    "sum_correction", "pixels", "channels", "k_groups", "k_groups_a_scale", "panel_bytes", "scale_bytes", "block_rows",
    "split_panels", "k_table_bytes", "safe_ends",
)  # fmt: skip
FIELDS = (*POINTERS, *FLOATS, *INTS)
"""All words, in order; `pixels` are the rows of one image, `scale_bytes` the scales of a panel.

`block_rows`: see `driver`. `ranges` are `conv.ranges.Ranges.of_tiles` ("ranged"). Where each panel has its own k-groups
("split"), `k_offsets` are `pairs.GroupOrder.places`, `k_table_bytes` from one panel's to the next's, and `safe_ends` is
the address of `GroupOrder.ends`.
"""
