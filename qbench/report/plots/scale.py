"""The score axis. Of shares that are right it is stretched near fp32, where tenths of a point matter, else plain.

The height is minus the square root of the distance from the top, so that one point of loss at the top takes as much
room as the nine points from 16 to 25 lower down.
Up is always better: the axis of a score of which less is better points down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from qbench.metrics import Task
from qbench.report.style import GREEN, INK
from qbench.report.view import RunView
from qbench.report.words import significant

NOTE = "The vertical axis is stretched near fp32 (square root of the loss)."
_PLAIN_MARGIN = 0.06


def note(task: Task) -> str:
    """Return what a reader must know of the axis: NOTE, or what it shows."""
    return NOTE if task.binary else f"The vertical axis shows {task.title} in {task.primary.unit}; up is better."


def stretch(axes: Axes, values: Sequence[float], *, task: Task, fp32: float | None) -> None:
    """Set the scale over all values, of shares stretched, with ticks that keep 11 points apart."""
    known = [*values, *([fp32] if fp32 is not None else [])]
    if not task.binary:
        low, high = min(known), max(known)
        margin = _PLAIN_MARGIN * (high - low) or 1.0
        axes.set_ylim(*((low - margin, high + margin) if task.higher else (high + margin, low - margin)))
        return
    top, low = max(known) + 0.12, min(known)

    def forward(y: Any) -> Any:
        return -np.sqrt(np.maximum(top - np.asarray(y, dtype=float), 0.0))

    def inverse(height: Any) -> Any:
        return top - np.square(np.minimum(np.asarray(height, dtype=float), 0.0))

    bottom = max(low - 0.04 * (top - low) - 0.5, 0.0 if low >= 0.5 else -1.0)
    axes.set_yscale("function", functions=(forward, inverse))
    axes.set_ylim(bottom, top)
    ticks = _ticks(bottom, top, axes)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.yaxis.set_minor_locator(NullLocator())


def reference_lines(axes: Axes, view: RunView) -> list[tuple[float, float, str, str]]:
    """Draw fp32's score and the worst that keeps the target across a panel; return their ends, for `label_ends`."""
    fp32, kept = view.fp32_score, view.kept_score
    if fp32 is None or kept is None:
        return []
    axes.axhline(fp32, color=INK, linewidth=0.9, zorder=1.5)
    axes.axhline(kept, color=GREEN, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    right = axes.get_xlim()[1]
    number = f"{fp32:.1f}" if view.task.binary else significant(fp32)
    return [
        (right, fp32, f"fp32 {number}", INK),
        (right, kept, f"{100 * view.header.suite.target_keep:g} % of it", GREEN),
    ]


def _ticks(bottom: float, top: float, axes: Axes) -> list[float]:
    height = axes.get_window_extent().height * 72.0 / axes.figure.dpi
    full = np.sqrt(top - bottom)
    chosen: list[float] = []
    taken: list[float] = []
    steps = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
    candidates = sorted({round(k * s, 2) for s in steps for k in range(int(100 / s) + 1)}, key=_roundness)
    for value in candidates:
        if not bottom <= value <= top - 0.05 or (value % 5 and value < top - 8):
            continue
        place = height * (1 - float(np.sqrt(top - value)) / full)
        if all(abs(place - other) >= 17 for other in taken):
            chosen.append(value)
            taken.append(place)
    return sorted(chosen)


def _roundness(value: float) -> tuple[int, float]:
    for rank, step in enumerate((20.0, 10.0, 5.0, 2.0, 1.0, 0.5)):
        if abs(value / step - round(value / step)) < 1e-9:
            return rank, -value
    return 9, -value
