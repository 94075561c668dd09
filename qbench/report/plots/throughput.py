"""Throughput by spec beside fp32, the int8 peer and the most that this machine can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from qbench.core.trial import ON_INTEGERS
from qbench.metrics import speed
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks, name_strokes
from qbench.report.rivals import rivals
from qbench.report.rows import Row
from qbench.report.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    Layout,
    Margins,
    narrower,
    panel_title,
    panels,
)
from qbench.report.view import WIDTHS, RunView
from qbench.report.words import rate, times

_COLOURS = {"fp32": INK, "bf16": GREEN, "int8": ORANGE}
_MARKS = ("s", "D", "^", "v", "P", "X", "p", "h")
_NAME_POINTS, _LETTER_IN = 12, 0.062
"""Height of a line of the key, and width of a letter of a row's label."""


def plot(view: RunView) -> Plot | None:
    """Return images per second of every timed whole-network row at each batch size, or None when nothing was timed."""
    rows = _rows(view)
    if not rows or not view.batches:
        return None
    batch = view.batches[-1]
    title = _title(view, rows, batch)
    base = view.base
    unit = f"Times as fast as {base} in the same rounds" if base else "Images per second"
    subtitle = (
        f"{view.header.model.name}, {view.workers}, all took turns in one run. {unit}, logarithmic: dots are "
        "qbench with its 95 % interval, open marks other libraries in the rounds of that very row. Triangle: what "
        "this machine's measured ceiling admits for all products of direct convolutions. At the right: images per "
        "second."
    )
    return Plot("throughput", title, subtitle, lambda layout: _draw(view, rows, layout, title, subtitle))


def _rows(view: RunView) -> list[Row]:
    rows = {row.label: row for row in reversed(view.timed) if not row.layer_times or row.images_per_s(view.batches[-1])}
    return sorted(rows.values(), key=lambda row: (row.is_baseline is False, WIDTHS.index(row.width), row.token))


def _title(view: RunView, rows: Sequence[Row], batch: int) -> str:
    """Return the fastest row that keeps the target, or the fastest of all, against the best library of each class."""
    kept = [row for row in rows if row.target == "kept" and not row.is_baseline]
    best = max(kept or rows, key=lambda row: view.pace(row, batch))
    beside = [f"{times(one.speedup.value)} as many as {one.name}" for one in rivals(best, batch)]
    if not beside:
        return f"Throughput by width at batch {batch}"
    keeps = f", keeps {view.keep_text} of fp32" if kept else ""
    return f"{best.label} runs {rate(_rate(best, batch))} images per second, {', '.join(beside)} (batch {batch}{keeps})"


def _rate(row: Row, batch: int) -> float:
    found = row.images_per_s(batch)
    return (found.value or 0.0) if found else 0.0


def _draw(view: RunView, rows: Sequence[Row], layout: Layout, title: str, subtitle: str) -> Figure:
    base = view.base
    marks = dict(zip([name for name in view.references if name != base], cycle(_MARKS), strict=False))
    height = 0.3 * len(rows) + 0.3
    label = 0.2 + _LETTER_IN * max(len(row.label) for row in rows)
    abreast = 1 if layout.narrow else 2
    key = _NAME_POINTS * -(-len(marks) // abreast)
    margins = Margins(height=height, left=max(1.45, label), right=0.75, top=0.4 + key / 72, bottom=0.4)
    margins = narrower(margins, layout, left=max(1.22, label), right=0.7)
    figure, axes = panels(
        layout, margins, count=len(view.batches), title=title, subtitle=subtitle, columns=min(2, layout.columns)
    )
    for batch, one in zip(view.batches, axes, strict=True):
        panel_title(one, f"batch {batch}", pad=8 + key)
        _draw_key(one, marks, abreast)
        _draw_batch(one, rows, batch, base, marks)
    return figure


def _draw_key(axes: Axes, marks: Mapping[str, str], abreast: int) -> None:
    """Name the other libraries above a panel, so many a line, the one that speeds are drawn against left out."""
    handles = [
        Line2D([], [], marker=mark, color=_colour(name), ls="none", ms=4.5, mfc=PAPER, label=name)
        for name, mark in marks.items()
    ]
    if handles:
        axes.legend(
            handles=handles, ncols=abreast, fontsize=7.5, frameon=False, loc="lower left", labelcolor=INK,
            bbox_to_anchor=(-0.06, 1.0), borderaxespad=0.0, handletextpad=0.1, columnspacing=1.0, labelspacing=0.25,
            handlelength=1.4, borderpad=0.1,
        )  # fmt: skip


def _draw_batch(axes: Axes, rows: Sequence[Row], batch: int, base: str, marks: Mapping[str, str]) -> None:
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xscale("log")
    values: list[float] = []
    for place, row in enumerate(rows):
        found = row.speedup(batch, base) if base else row.images_per_s(batch)
        rated = row.images_per_s(batch)
        if found is None or found.value is None or rated is None:
            continue
        limit = _ceiling(row, batch, found.value)
        values += [found.value, *([limit] if limit else [])]
        colour = GREY if row.is_baseline else BLUE if row.result.execution in ON_INTEGERS else PURPLE
        ends = [found.low or found.value, found.high or found.value]
        (bar,) = axes.plot(ends, [place] * 2, color=colour, lw=2.4, alpha=0.5)
        name_strokes(bar, [[row.line]])
        name_marks(axes.scatter([found.value], [place], s=34, color=colour, zorder=4), [[row.line]])
        if limit:
            axes.hlines(place, found.value, limit, color=FAINT, lw=0.8, linestyle=(0, (1, 2)), zorder=2)
            axes.scatter([limit], [place], s=26, marker="<", color=FAINT, zorder=3)
        axes.annotate(
            rate(rated.value), (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0),
            textcoords="offset points", va="center", fontsize=8, color=INK,
        )  # fmt: skip
        values += _draw_others(axes, row, (batch, place), base, marks)
    if base:
        axes.axvline(1.0, color=INK, lw=1.0, zorder=1.5)
        axes.set_xlabel(f"times as fast as {base}", fontsize=8, color=MUTED, labelpad=2)
        values.append(1.0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [("fp32, qbench" if row.is_baseline else row.label) for row in rows])
    axes.tick_params(axis="y", colors=INK)
    axes.set_xlim(min(values) / 1.35, max(values) * 1.35)
    _ticks(axes)


def _draw_others(axes: Axes, row: Row, at: tuple[int, int], base: str, marks: Mapping[str, str]) -> list[float]:
    """Draw every other library where it stood in the rounds of a row, and return where that is."""
    batch, place = at
    first, drawn = row.measurement(batch, base), []
    for name, mark in marks.items():
        cell = row.measurement(batch, name)
        ratio = speed.speedup(first, cell).value if first is not None and cell is not None else None
        if ratio:
            axes.scatter([ratio], [place], s=20, marker=mark, edgecolors=_colour(name), facecolors="none", zorder=3.5)
            drawn.append(ratio)
    return drawn


def _colour(name: str) -> str:
    return next((colour for kind, colour in _COLOURS.items() if name.endswith(kind)), MUTED)


def _ceiling(row: Row, batch: int, reached: float) -> float | None:
    """Return what would be reached at 100 % of the binding ceiling, in the unit of `reached`, or None."""
    share = row.ceiling_share(batch)
    return 100.0 * reached / share if share else None


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
