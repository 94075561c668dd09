"""Normalization of images against its law: odd sizes, borders that differ, guards around what is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.program import run_task
from qbench.kernels.tasks import task_of
from qbench.kernels.tokens import reference
from qbench.kernels.tokens.check import GUARD, NUMBERS, TOLERANCE

SIZES = ((2, 3, 5, 4), (1, 1, 1, 16), (2, 4, 3, 72), (1, 7, 9, 100))
"""(images, height, width, channels)."""
MEAN = 30.0
"""Far from 0: sums of squares of float32 numbers would not do."""


def check_image_norm(groups: int, variant: str) -> tuple[int, str]:
    """Return comparisons and the first mismatch of pixel_norm_f32 (0 groups) or group_norm_f32; reals and codes."""
    rng, count = np.random.default_rng(7), 0
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            a = (rng.standard_normal((n, h + 1, w + 2, c + 3)) * 3 + MEAN).astype(np.float32)
            out, codes = (np.full((n, h + 2, w + 1, c + 2), GUARD, kind) for kind in (np.float32, np.uint8))
            scale, shift = rng.uniform(0.5, 2.0, (2, c)).astype(np.float32)
            places = _place(a.shape, (1, 1)), _place(out.shape, (1, 0))
            arrays, given = (out.reshape(-1), codes.reshape(-1)), ((h, w, c), places, (scale, shift))
            last, inner = (np.float32(1e-5), NUMBERS, floor), a[:, 1:, 1:-1, :c]
            if groups:
                scratch = np.empty((n, 2, c)), np.empty((n, 2, c), np.float32)
                _run("group_norm_f32", (a.reshape(-1), *arrays, *given, *scratch, groups, *last), units=n)
                want = reference.group_norm(inner, scale, shift, 1e-5, groups)
            else:
                zeros = np.zeros(c, np.float32)
                _run("pixel_norm_f32", (a.reshape(-1), zeros, *arrays, *given, *last), units=n * h)
                want = reference.layer_norm(inner, scale, shift, 1e-5)
            if detail := _compared(out, codes, want, floor=floor):
                return count, f"{(n, h, w, c)} floor={floor}: {detail}"
    return count, ""


def _compared(out: Any, codes: Any, want: Any, *, floor: bool) -> str:
    h, w, c = want.shape[1:]
    place = np.s_[:, 1 : 1 + h, :w, :c]
    error = np.abs(out[place] - want).max() / np.abs(want).max()
    if not error <= TOLERANCE:
        return f"off by {error:.2g} of the largest number, expected at most {TOLERANCE:g}"
    t = out[place] * NUMBERS[0] + NUMBERS[1]
    expected = np.full_like(codes, GUARD)
    expected[place] = np.clip(np.floor(t) if floor else np.rint(t), 0, NUMBERS[2])
    if not np.array_equal(codes, expected):
        return "codes differ, or a guard changed"
    out[place] = GUARD
    return "" if np.all(out == GUARD) else "a guard changed"


def _run(kernel: str, arguments: tuple[Any, ...], *, units: int) -> None:
    run_task(task_of(f"qbench.kernels.tokens.image_norms:{kernel}", arguments, units=units))


def _place(shape: tuple[int, ...], corner: tuple[int, int]) -> tuple[int, int, int, int]:
    _, height, width, words = shape
    return height * width * words, width * words, words, (corner[0] * width + corner[1]) * words
