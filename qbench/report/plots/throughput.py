"""Throughput by spec beside fp32, the int8 peer and the most that this machine can do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from qbench.core.trial import ON_INTEGERS
from qbench.metrics import speed
from qbench.report.plots.plot import Plot
from qbench.report.rivals import rivals
from qbench.report.rows import FP32, INT8, Row
from qbench.report.style import (
    BLUE,
    FAINT,
    GREY,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    Layout,
    Margins,
    narrower,
    panel_title,
    panels,
)
from qbench.report.view import WIDTHS, RunView
from qbench.report.words import rate, times

_PEERS = {FP32: INK, INT8: ORANGE}
_NAME_POINTS, _LETTER_IN = 9, 0.062
"""Height of a peer's name, one above the other, and width of a letter of a row's label."""


def plot(view: RunView) -> Plot | None:
    """Return images per second of every timed whole-network row at each batch size, or None when nothing was timed."""
    rows = _rows(view)
    if not rows or not view.batches:
        return None
    batch = view.batches[-1]
    title = _title(view, rows, batch)
    subtitle = (
        f"{view.header.model.name}, {view.workers}, all took turns in one run; medians with 95 % "
        "intervals, logarithmic. Triangle: what this machine's measured ceiling admits for all products of "
        "direct convolutions."
    )
    return Plot("throughput", title, subtitle, lambda layout: _draw(view, rows, layout, title, subtitle))


def _rows(view: RunView) -> list[Row]:
    rows = {row.label: row for row in reversed(view.timed) if not row.layer_times or row.images_per_s(view.batches[-1])}
    return sorted(rows.values(), key=lambda row: (row.is_baseline is False, WIDTHS.index(row.width), row.token))


def _title(view: RunView, rows: Sequence[Row], batch: int) -> str:
    """Return the fastest row that keeps the target, or the fastest of all, against the best library of each class."""
    kept = [row for row in rows if row.target == "kept" and not row.is_baseline]
    best = max(kept or rows, key=lambda row: _rate(row, batch))
    beside = [f"{times(one.speedup.value)} as many as {one.name}" for one in rivals(best, batch)]
    if not beside:
        return f"Throughput by width at batch {batch}"
    keeps = f", keeps {view.keep_text} of fp32" if kept else ""
    return f"{best.label} runs {rate(_rate(best, batch))} images per second, {', '.join(beside)} (batch {batch}{keeps})"


def _rate(row: Row, batch: int) -> float:
    found = row.images_per_s(batch)
    return (found.value or 0.0) if found else 0.0


def _draw(view: RunView, rows: Sequence[Row], layout: Layout, title: str, subtitle: str) -> Figure:
    height = 0.3 * len(rows) + 0.3
    names = _NAME_POINTS * len(view.references)
    label = 0.2 + _LETTER_IN * max(len(row.label) for row in rows)
    margins = Margins(height=height, left=max(1.45, label), right=0.95, top=0.37 + names / 72, bottom=0.4)
    margins = narrower(margins, layout, left=max(1.22, label), right=0.93)
    figure, axes = panels(
        layout, margins, count=len(view.batches), title=title, subtitle=subtitle, columns=min(2, layout.columns)
    )
    for batch, one in zip(view.batches, axes, strict=True):
        panel_title(one, f"batch {batch}, images per second", pad=8 + names)
        _draw_batch(one, rows, batch, view)
    return figure


def _draw_batch(axes: Axes, rows: Sequence[Row], batch: int, view: RunView) -> None:
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xscale("log")
    values: list[float] = []
    for place, row in enumerate(rows):
        found = row.images_per_s(batch)
        if found is None or found.value is None:
            continue
        limit = _ceiling(row, batch)
        values += [found.value, *([limit] if limit else [])]
        colour = GREY if row.is_baseline else BLUE if row.result.execution in ON_INTEGERS else PURPLE
        axes.plot([found.low or found.value, found.high or found.value], [place] * 2, color=colour, lw=2.4, alpha=0.5)
        axes.scatter([found.value], [place], s=34, color=colour, zorder=4)
        if limit:
            axes.hlines(place, found.value, limit, color=FAINT, lw=0.8, linestyle=(0, (1, 2)), zorder=2)
            axes.scatter([limit], [place], s=26, marker="<", color=FAINT, zorder=3)
        ratio = row.speedup(batch, FP32)
        words = rate(found.value) + (f" · {times(ratio.value)}" if ratio and ratio.value else "")
        axes.annotate(
            words, (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8, color=INK,
        )  # fmt: skip
    values += _draw_peers(axes, rows, batch, view)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [("fp32, qbench" if row.is_baseline else row.label) for row in rows])
    axes.tick_params(axis="y", colors=INK)
    axes.set_xlim(min(values) / 1.35, max(values) * 1.35)
    _ticks(axes)


def _draw_peers(axes: Axes, rows: Sequence[Row], batch: int, view: RunView) -> list[float]:
    """Draw a line for each peer at the median of its medians over the rows, and return them."""
    found = []
    for index, name in enumerate(view.references):
        cells = [cell for row in rows if (cell := row.measurement(batch, name)) is not None]
        rates = [value for cell in cells if (value := speed.images_per_s(cell).value) is not None]
        if not rates:
            continue
        median = float(np.median(rates))
        colour = _PEERS.get(name, MUTED)
        axes.axvline(median, color=colour, lw=1.0, linestyle=(0, (4, 3)), zorder=1.5)
        axes.annotate(
            name, (median, 1.0), xycoords=("data", "axes fraction"), xytext=(3, 2 + _NAME_POINTS * index),
            textcoords="offset points", fontsize=7.5, color=colour, ha="left",
        )  # fmt: skip
        found.append(median)
    return found


def _ceiling(row: Row, batch: int) -> float | None:
    """Return the images per second at 100 % of the binding ceiling, or None."""
    share, found = row.ceiling_share(batch), row.images_per_s(batch)
    return 100.0 * found.value / share if share and found and found.value else None


def _ticks(axes: Axes) -> None:
    """Set round ticks, at least 26 points apart, powers of ten first."""
    low, high = axes.get_xlim()
    points = axes.get_window_extent().width * 72.0 / axes.figure.dpi / np.log(high / low)
    chosen: list[float] = []
    for step in (1, 5, 2):
        for mark in (step * 10.0**exponent for exponent in range(-2, 8)):
            if low <= mark <= high and all(abs(np.log(mark / other)) * points >= 26 for other in chosen):
                chosen.append(mark)
    axes.xaxis.set_major_locator(FixedLocator(chosen))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_text))


def _tick_text(value: float, _: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
