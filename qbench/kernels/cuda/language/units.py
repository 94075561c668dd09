"""What the matrix instructions do, on the words of all lanes at once, for the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WARP = 32
Words = npt.NDArray[np.uint32]


def signed(value: int) -> int:
    """Return the signed 32-bit number with the low 32 bits of `value`."""
    return (int(value) + 2**31) % 2**32 - 2**31


def fragments_of(memory: npt.NDArray[np.uint8], addresses: list[Any]) -> list[Any]:
    """Return what ldmatrix.x4 gives every lane: `addresses` holds a list a lane, one address for each instruction."""
    rows = memory[np.asarray(addresses)[:, :, None] + np.arange(16)].view(np.uint32)
    lane, matrix = np.arange(WARP)[:, None], np.arange(4)[None, :]
    picked = rows[8 * matrix + lane // 4, :, lane % 4]
    return [[[signed(v) for v in picked[i, :, c]] for c in range(rows.shape[1])] for i in range(WARP)]


def product_of(kind: str, a: Words, b: Words) -> npt.NDArray[Any]:
    """Return the sums (rows, columns) of lhs words (rows, 8) by rhs words (columns, 8)."""
    if kind == "b1":
        both = a[:, None, :] & b[None, :, :]
        return np.asarray(np.bitwise_count(both).sum(axis=-1), np.int64)
    if kind == "f16":
        halves = (w.view(np.float16).astype(np.float32) for w in (a, b))
        left, right = halves
        return np.asarray(left @ right.T)
    left_type, right_type = (np.int8 if letter == "s" else np.uint8 for letter in kind.replace("8", ""))
    sums: npt.NDArray[Any] = a.view(left_type).astype(np.int64) @ b.view(right_type).astype(np.int64).T
    return sums


def left_of(lanes: list[Any]) -> Words:
    """Return a warp's 16 rows of 8 words; a lane hands in its four."""
    group, quad = np.arange(WARP) // 4, np.arange(WARP) % 4
    rows = np.zeros((16, 8), np.uint32)
    for part in range(4):
        rows[group + 8 * (part % 2), 4 * (part // 2) + quad] = [words[part] % 2**32 for words in lanes]
    return rows


def mma_of(kind: str, lanes: list[Any]) -> list[Any]:
    """Return every lane's accumulators; a lane hands in a list of (c, a, b)."""
    group, quad = np.arange(WARP) // 4, np.arange(WARP) % 4
    results: list[list[Any]] = [[] for _ in range(WARP)]
    for instruction in range(len(lanes[0])):
        a, b = left_of([lane[instruction][1] for lane in lanes]), np.zeros((8, 8), np.uint32)
        for part in range(2):
            b[group, 4 * part + quad] = [lane[instruction][2][part] % 2**32 for lane in lanes]
        sums = product_of(kind, a, b)
        for i, lane in enumerate(lanes):
            cells = [(group[i] + 8 * (t // 2), 2 * quad[i] + t % 2) for t in range(4)]
            old = lane[instruction][0]
            if kind == "f16":
                results[i].append([np.float32(o + sums[cell]) for o, cell in zip(old, cells, strict=True)])
            else:
                results[i].append([signed(o + int(sums[cell])) for o, cell in zip(old, cells, strict=True)])
    return results


def rows_of_atom(memory: npt.NDArray[np.uint8], address: int, rows: list[int]) -> Words:
    """Return 32 bytes of each row as the matrix unit sees them: address bits 4..6 are xored with bits 7..9."""
    where = np.array(rows)[:, None] * 128 + np.arange(32)[None, :] + address
    swizzled = where ^ ((where >> 7 & 7) << 4)
    return np.ascontiguousarray(memory[swizzled]).view(np.uint32)
