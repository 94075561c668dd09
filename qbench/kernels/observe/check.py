"""Observation against its law: odd shapes, borders, zeros of both signs, and numbers of every size."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import Layout, aligned
from qbench.kernels.observe.operation import Histogram, Watch
from qbench.kernels.observe.reference import Seen, grid_errors_f64, seen_f32
from qbench.kernels.program import run_task

SHAPES = ((2, 3, 5, 3), (3, 4, 3, 16), (2, 1, 1, 64), (1, 7, 2, 17), (3, 2, 3, 40), (2, 1, 9, 33), (4, 1, 1, 1))
"""Samples of (h, w, channels)."""


def check_observe(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of observe_f32."""
    count = 0
    for shape in SHAPES:
        for name, x in _values(shape).items():
            count += 1
            found, law = _observed(x), seen_f32(x)
            wrong = difference(found, law)
            if wrong:
                return count, f"{shape} {name}: {wrong}"
    return count, ""


def difference(found: Seen, law: Seen) -> str:
    """Return the first part in which what was found is not the law, "" for none; of damaged numbers all but one."""
    if not law.finite:
        return "" if not found.finite else "finite"
    each = (field.name for field in fields(Seen))
    return next((name for name in each if not np.array_equal(getattr(found, name), getattr(law, name))), "")


def _values(shape: tuple[int, int, int, int]) -> dict[str, npt.NDArray[np.float32]]:
    draw = np.random.default_rng(1)
    plain = draw.standard_normal(shape, np.float32)
    sizes = np.exp2(draw.integers(-149, 127, shape)).astype(np.float32) * np.sign(plain)
    signs = np.where(plain > 0, np.float32(0), np.float32(-0.0))
    damaged = plain.copy()
    damaged.flat[-1] = np.nan if shape[3] % 2 else -np.inf
    growing = plain * np.float32(1000) ** np.arange(len(plain), dtype=np.float32)[:, None, None, None]
    return {
        "normal": plain, "relu": np.maximum(plain, 0), "negative": -np.abs(plain) - 1, "sizes": sizes, "zeros": signs,
        "damaged": damaged, "growing": growing, "one number": np.full(shape, 3, np.float32),
    }  # fmt: skip


def _observed(x: npt.NDArray[np.float32]) -> Seen:
    """Return what is seen of an array in a buffer with a border, in two passes."""
    n, height, width, channels = x.shape
    layout = Layout(n, height, width, channels, -(-channels // 16) * 16, 4, (1, 2, 0, 1))
    layout = replace(layout, words=channels) if channels == 3 else layout
    buffer = aligned(layout.size_bytes)
    watch, whole = Watch(layout, n), buffer.view(np.float32)
    task = watch.task(buffer)
    for first, last in ((0, n // 2), (n // 2, n)):
        if first < last:
            whole[:] = 1e30  # beside the interior lies what must not be seen
            layout.interior(whole)[: last - first] = x[first:last]
            run_task(task, images=last - first)
    return watch.seen()


def check_errors(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of grid_errors_f64."""
    draw, count = np.random.default_rng(2), 0
    for size in (1, 2, 7, 4097):
        values = np.unique(draw.standard_normal(size) * 2.0 ** draw.integers(-3, 4, size))
        histogram = Histogram(values, mass := draw.integers(0, 1000, len(values)).astype(np.float64))
        for levels in (2, 3, 7, 8, 9, 16, 127, 128, 136, 256):
            count += 1
            steps = np.abs(values).max() * np.array([3.0, 1.0, 0.1, 2.0**-20]) / levels
            grids = np.stack([steps, np.rint(levels * np.array([0, 0.5, 0.9, 1.0]))], axis=1)
            if not np.array_equal(histogram.errors(grids, levels), grid_errors_f64(grids, values, mass, levels)):
                return count, f"{size} values, {levels} levels"
    return count, ""
