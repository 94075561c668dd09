"""The law of rounding, in readable NumPy. Kernels follow it bit by bit; nothing here chooses a scale.

| format | code of x, all in float32, with t = x * (float32(1) / scale) + zero_point |
|---|---|
| uniform | clip(rint(t)), ties to even; with floor rounding clip(floor(t)) |
| ternary | clip(rint(t + 1), 0, 2) - 1: codes are counted from 0, as kernels keep them |
| binary | 1 if t + 2 >= 2 else -1, so 0 becomes +1 |
| levels, nearest | the nearest level, a tie to the lower one |
| levels, floor | the last level on the way from 0 to x that is not beyond x (magnitudes round down) |

Floor takes a number that float32 cannot distinguish from a uniform code's real to that code or the one below; every
number a hundredth of a step above keeps it. Spare codes of a table of levels repeat the lowest level at its start; the
last of them is the canonical one, and the only one produced.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.granularity import Dynamic, PerTensor
from qbench.core.tensor import Floats, QParams, expand
from qbench.kernels.quantize.reference import dynamic_codes

Codes = npt.NDArray[np.int16]
Indices = npt.NDArray[np.intp]

_SHIFTS: dict[type, int] = {Ternary: 1, Binary: 2}  # kept inside the one sum: another order would round ties apart


def quantize(values: npt.NDArray[np.floating], params: QParams) -> Codes:
    """Return int16 codes (of 16 bits int32) of `values`: any shape per tensor, else (channels, depth)."""
    x = np.asarray(values, dtype=np.float32)
    scale, zero_point = _spread(params, x)
    number_format = params.spec.format
    with np.errstate(over="ignore", under="ignore"):  # a product beyond float32 saturates in the clip below
        if params.levels is not None:
            to_level = _floor_level if params.rounding == "floor" else _nearest_level
            return to_level(x, scale, params.levels).astype(np.int16)
        t = x * (np.float32(1) / scale) + (zero_point + np.float32(_SHIFTS.get(type(number_format), 0)))
    if isinstance(number_format, Binary):
        return np.asarray(np.where(t >= 2, 1, -1), dtype=np.int16)
    if isinstance(number_format, Ternary):
        return np.asarray(np.clip(np.rint(t), 0, 2) - 1, dtype=np.int16)
    if not isinstance(number_format, Uniform):
        raise ValueError(f"numbers in {number_format} have no codes without levels")
    rounded = np.floor(t) if params.rounding == "floor" else np.rint(t)
    kind = np.int16 if number_format.bits < 16 else np.int32
    return np.asarray(np.clip(rounded, number_format.qmin, number_format.qmax), dtype=kind)


def dequantize(codes: Codes, params: QParams) -> Floats:
    """Return float32 reals of codes of the shapes that `quantize` gives."""
    scale, zero_point = _spread(params, codes)
    with np.errstate(under="ignore"):
        if params.levels is not None:
            return np.asarray(params.levels[codes] * scale, dtype=np.float32)
        return np.asarray((codes.astype(np.float32) - zero_point) * scale, dtype=np.float32)


def fake_quantize(values: npt.NDArray[np.floating], params: QParams) -> Floats:
    """Return the float32 reals that `values` become: dequantize(quantize(values))."""
    return dequantize(quantize(values, params), params)


def fake_dynamic(values: Floats, params: QParams) -> Floats:
    """Return what numbers (n, ..., channels) become by scales that each sample, or row of channels, has of its own."""
    grain = params.spec.granularity
    rows = isinstance(grain, Dynamic) and grain.rows
    codes, scale, zero_point = dynamic_codes(values, 2**params.spec.format.bits - 1, rows=rows)
    return np.asarray((codes - zero_point) * scale, dtype=np.float32)


def _spread(params: QParams, values: npt.NDArray[np.generic]) -> tuple[Floats, Floats]:
    granularity = params.spec.granularity
    if isinstance(granularity, Dynamic):
        raise ValueError("dynamic scales are of samples or rows: see fake_dynamic")
    if isinstance(granularity, PerTensor):
        return params.scale, params.zero_point
    if values.ndim != 2:
        raise ValueError(f"scales per channel or per group need values of shape (channels, depth), got {values.shape}")
    depth = values.shape[1]
    return expand(params.scale, depth, granularity), expand(params.zero_point, depth, granularity)


def _lowest(levels: Floats) -> int:
    """The canonical code of the lowest level."""
    return int(np.count_nonzero(levels == levels[0])) - 1


def _nearest_level(x: Floats, scale: Floats, levels: Floats) -> Indices:
    if scale.ndim == 0:  # compare with the reals themselves, as kernels do
        levels = levels * scale
    else:
        x = x * (np.float32(1) / scale)
    middles = (levels[1:] + levels[:-1]) * np.float32(0.5)
    return np.maximum(np.searchsorted(middles, x), _lowest(levels))


def _floor_level(x: Floats, scale: Floats, levels: Floats) -> Indices:
    u = x * (np.float32(1) / scale)
    last, lowest = levels.size - 1, _lowest(levels)
    positive = x >= 0
    up, down = np.searchsorted(levels, u, side="right") - 1, np.searchsorted(levels, u, side="left")
    code = np.clip(np.where(positive, up, down), lowest, last)
    # u is rounded: compare x with the reals themselves, so that a real that sits on a level keeps that level's code
    step = np.where(positive, 1, -1)
    farther, nearer = np.clip(code + step, lowest, last), np.clip(code - step, lowest, last)
    reached = ((levels[farther] >= 0) == positive) & (np.abs(levels[farther] * scale) <= np.abs(x))
    missed = ((levels[code] >= 0) == positive) & (np.abs(levels[code] * scale) > np.abs(x))
    return np.where(reached, farther, np.where(missed, nearer, code))
