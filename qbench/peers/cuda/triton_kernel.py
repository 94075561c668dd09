"""The kernel of `triton_gemm`; importing it imports Triton. Depths are whole blocks."""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def int8_gemm(a, b, out, m, n, k, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, TALL: tl.constexpr):  # noqa: N803
    """Write out (m, n) = a (m, k) @ b (n, k).T in int32."""
    block = tl.program_id(0)
    tiles_n = tl.cdiv(n, COLUMNS)
    wide = TALL * tiles_n
    first = block // wide * TALL
    tall = tl.minimum(tl.cdiv(m, ROWS) - first, TALL)
    tile_m, tile_n = first + block % wide % tall, block % wide // tall
    rows = (tile_m * ROWS + tl.arange(0, ROWS)) % m
    columns = (tile_n * COLUMNS + tl.arange(0, COLUMNS)) % n
    depth = tl.arange(0, DEPTH)
    left = a + rows[:, None] * k + depth[None, :]
    right = b + columns[None, :] * k + depth[:, None]
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.int32)
    for _ in range(0, k, DEPTH):
        total = tl.dot(tl.load(left), tl.load(right), total, out_dtype=tl.int32)
        left += DEPTH
        right += DEPTH
    rows = tile_m * ROWS + tl.arange(0, ROWS)
    columns = tile_n * COLUMNS + tl.arange(0, COLUMNS)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(out + rows[:, None] * n + columns[None, :], total, mask=inside)
