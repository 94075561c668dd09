"""The loop over tiles: one compiled function for each (product, epilogue, target, vectors).

The factory closes over strings and whole numbers only, so Numba's disk cache hits on the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from qbench.kernels.jit import jit
from qbench.kernels.tiles.targets import target_of
from qbench.kernels.tiles.tile import tile

Kernel = Callable[..., Any]


@cache
def tiled(product: str, epilogue: str, target: str, vectors: int, spread: int = 1) -> Kernel:
    """Return the compiled `run(arrays, scalars, channels, k_groups, k_groups_a_scale, panel_bytes, m_begin, m_end)`.

    Args:
        product: name for `products.product_of`, e.g. `u8_s8`.
        epilogue: `u8`, `f32` or `s32`, then any of `+residual`, `+sum`, `+floor`, `+grouped`.
        target: name of an instruction set in `targets.TARGETS`.
        vectors: rhs vectors of a tile; a panel of the packed rhs has `vectors * lanes / spread` columns.
        spread: neighbouring lanes that share a column; see `products`.
    """
    facts = target_of(target)
    lanes, dot = facts.lanes, facts.dot
    rows = facts.tile_rows(product, vectors, grouped="grouped" in epilogue, sums="sum" in epilogue)
    width = lanes * vectors // spread

    def run(
        arrays: Any,
        scalars: Any,
        channels: int,
        k_groups: int,
        k_groups_a_scale: int,
        panel_bytes: int,
        m_begin: int,
        m_end: int,
    ) -> None:
        for panel in range(channels // width):
            for m in range(m_begin, m_end, rows):
                place = (m, m_end - 1, panel * panel_bytes, panel * width, channels, k_groups, k_groups_a_scale)
                tile(arrays, scalars, place, product, dot, lanes, rows, vectors, spread, epilogue)  # type: ignore[call-arg]

    return jit(run)
