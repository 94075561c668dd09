"""Picking, joining, enlarging and multiplying against their law; borders differ, and guards stay untouched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qbench.kernels.elementwise import channels, reference, spread

SIZES = ((1, 5, 7, 16), (2, 1, 1, 3), (1, 8, 8, 33))
GUARD = 77
CORNERS = ((1, 1), (0, 2))
Bytes = npt.NDArray[np.uint8]
Case = Callable[[np.random.Generator, tuple[int, int, int, int]], tuple[Bytes, Bytes]]


def check_channels(case: Case, variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of an operation: `case` gives what was written and what should be."""
    rng = np.random.default_rng(0)
    for count, size in enumerate(SIZES, 1):
        found, expected = case(rng, size)
        inner = found[:, : expected.shape[1], : expected.shape[2]]
        if not np.array_equal(inner[..., : expected.shape[3]], expected):
            return count, f"{size}"
        outside = found.astype(np.int64)
        outside[:, : expected.shape[1], : expected.shape[2], : expected.shape[3]] = GUARD
        if (outside != GUARD).any():
            return count, f"{size}: written beside the output"
    return len(SIZES), ""


def _bordered(
    rng: np.random.Generator, size: tuple[int, int, int, int], corner: tuple[int, int]
) -> tuple[Bytes, Bytes]:
    """Return a buffer with a border and the view of its inside."""
    n, h, w, c = size
    whole = rng.integers(0, 256, (n, h + 1, w + 2, c)).astype(np.uint8)
    return whole, whole[:, corner[0] : corner[0] + h, corner[1] : corner[1] + w]


def _out(n: int, h: int, w: int, c: int) -> Bytes:
    return np.full((n, h + 1, w + 1, c + 2), GUARD, np.uint8)


def _tables(rng: np.random.Generator, count: int) -> Bytes:
    return rng.integers(0, 256, (count, 256)).astype(np.uint8)


def channel_tables(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run channel_tables_u8_u8."""
    (n, h, w, c), (whole, inner) = size, _bordered(rng, size, CORNERS[0])
    out, tables = _out(*size), _tables(rng, c)
    channels.channel_tables_u8_u8(0, n * h, whole, out, (h, w, c), (CORNERS[0], (0, 0)), tables)
    return out, reference.channel_tables_u8_u8(inner, tables)


def select(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run select_u8_u8."""
    (n, h, w, c), (whole, inner) = size, _bordered(rng, size, CORNERS[0])
    chosen, table = rng.integers(0, c, max(1, c - 2)), _tables(rng, 1)[0]
    if c % 2:  # zeros in the middle and at the end
        chosen, table = np.concatenate([chosen, [-1, 0, -1]]), np.append(table, np.uint8(GUARD - 1))
    out = _out(n, h, w, len(chosen))
    channels.select_u8_u8(0, n * h, whole, out, (h, w), (CORNERS[0], (0, 0)), chosen, table)
    return out, reference.select_u8_u8(inner, chosen, table)


def concat(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run concat_u8_u8."""
    n, h, w, c = size
    widths = (c, 2, c + 1)
    given = [_bordered(rng, (n, h, w, width), CORNERS[i % 2]) for i, width in enumerate(widths)]
    out, tables = _out(n, h, w, sum(widths)), _tables(rng, 3)
    corners = (CORNERS[0], CORNERS[1], CORNERS[0], (0, 0))
    channels.concat_u8_u8(0, n * h, tuple(whole for whole, _ in given), out, (h, w), corners, widths, tables)
    return out, reference.concat_u8_u8([inner for _, inner in given], tables)


def resize(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run resize_u8_u8."""
    (n, h, w, c), (whole, inner) = size, _bordered(rng, size, CORNERS[1])
    table, factors = _tables(rng, 1)[0], (2, 3)
    out = _out(n, 2 * h, 3 * w, c)
    channels.resize_u8_u8(0, 2 * n * h, whole, out, (2 * h, 3 * w, c), (CORNERS[1], (0, 0)), factors, table)
    return out, reference.resize_u8_u8(inner, factors, table)


def mul(rng: np.random.Generator, size: tuple[int, int, int, int], *, gate: bool) -> tuple[Bytes, Bytes]:
    """Run mul_u8_u8_u8, of two images or of an image and a number per channel."""
    (n, h, w, c), (whole, inner) = size, _bordered(rng, size, CORNERS[0])
    other, factor = _bordered(rng, (n, 1, 1, c) if gate else size, CORNERS[1])
    numbers, limits, floor = (120.0, 3.0, 0.0071, 31.4), (np.float32(2), np.float32(240)), c == 3
    out = _out(*size)
    given = tuple(np.float32(value) for value in numbers)
    corners = (*CORNERS, (0, 0))
    channels.mul_u8_u8_u8(0, n * h, whole, other, out, (h, w, c), corners, given, limits, gate, floor)
    return out, reference.mul_u8_u8_u8(inner, factor, numbers, 2, 240, floor=floor)


def depth_to_space(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run depth_to_space_u8_u8, and hold the one of floats to it."""
    (n, h, w, c), block = size, 2
    whole, inner = _bordered(rng, (n, h, w, 4 * c), CORNERS[0])
    out, table, sizes = _out(n, 2 * h, 2 * w, c), _tables(rng, 1)[0], (2 * h, 2 * w, c)
    corners = (CORNERS[0], (0, 0))
    spread.depth_to_space_u8_u8(0, 2 * n * h, whole, out, sizes, corners, block, table)
    reals = np.full(out.shape, GUARD, np.float32)
    spread.depth_to_space_f32_f32(0, 2 * n * h, whole.astype(np.float32), reals, sizes, corners, block)
    expected = reference.depth_to_space(inner, block)
    if not np.array_equal(reals[:, : 2 * h, : 2 * w, :c], expected):
        return np.zeros_like(out), table[expected]
    return out, table[expected]


def interpolate(rng: np.random.Generator, size: tuple[int, int, int, int]) -> tuple[Bytes, Bytes]:
    """Run interpolate_u8_u8, and hold the one of floats to the law."""
    (n, h, w, c), (whole, inner) = size, _bordered(rng, size, CORNERS[1])
    coordinates = "align_corners" if c == 3 else "half_pixel"
    rows, columns = reference.neighbours(h, 2 * h + 1, coordinates), reference.neighbours(w, 3 * w, coordinates)
    sizes, corners = (2 * h + 1, 3 * w, c), (CORNERS[1], (0, 0))
    out, numbers = _out(n, *sizes), tuple(np.float32(value) for value in (0.7, 21.3, 200))
    units = n * sizes[0]
    spread.interpolate_u8_u8(0, units, whole, out, sizes, corners, rows, columns, numbers, c == 3)
    law, reals = reference.interpolate(inner, rows, columns), np.zeros(out.shape, np.float32)
    spread.interpolate_f32_f32(0, units, whole.astype(np.float32), reals, sizes, corners, rows, columns)
    t = law * numbers[0] + numbers[1]
    expected = np.clip(np.floor(t) if c == 3 else np.rint(t), 0, numbers[2]).astype(np.uint8)
    if not np.array_equal(reals[:, : sizes[0], : sizes[1], :c], law):
        return np.zeros_like(out), expected
    return out, expected
