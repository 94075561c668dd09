"""Figures of a run of kernels: the roofline, and the ratios to the best other library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from qbench.core.cells.result import OWN, KernelResult
from qbench.metrics.speed import gops
from qbench.report.kernels.view import KernelView, family
from qbench.report.labels import label_ends
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks, name_strokes
from qbench.report.style import (
    AMBER,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    Layout,
    Margins,
    panel_title,
    panels,
)  # fmt: skip
from qbench.report.words import times
from qbench.results.kernels.index import ceiling_share, mean_against, value_against

_CLASSES = {
    "8 bits": (BLUE, "o"),
    "depthwise": (PURPLE, "v"),
    "under 8 bits": (GREEN, "s"),
    "ternary": (AMBER, "^"),
    "binary": (ORANGE, "D"),
}
_FLAT = {"int8_gops": "int8", "short_gops": "6 bits", "ternary_gops": "ternary", "popcount_gops": "binary"}
_PASSES = 1.05
"""Share of a ceiling that noise does not explain."""
_MANY_GOPS = 1e5
"""Rates above which an axis is in thousands of Gop/s."""

_SLOPED = {"read_gb_s": "memory", "read_l3_gb_s": "L3", "read_l2_gb_s": "L2"}


def kernel_plots(view: KernelView) -> list[Plot]:
    """Return the figures that the run has rows for."""
    return [plot for plot in (_roofline(view), _ratios(view)) if plot is not None]


def _roofline(view: KernelView) -> Plot | None:
    rows = [row for row in view.rows if row.measurements and row.moved_bytes and row.trial.kind != "memory"]
    if not rows or not view.header.machine.ceilings:
        return None
    shares = [share for row in rows if (share := ceiling_share(row, row.measured(OWN))) is not None]
    near = sum(share >= 0.9 for share in shares)
    title = f"{near} of {len(shares)} operations reach 90\N{NO-BREAK SPACE}% of what this machine can do"
    subtitle = (
        "Roofline: operations per byte of least traffic against 10⁹ operations per second, medians. Lines are this "
        "run's measured ceilings; filled marks are qbench, rings the best other library of the same shape."
    )
    if any(share > _PASSES for share in shares):
        subtitle += " Marks over their line leave products out, in padding or by Winograd's algorithm."
    return Plot("roofline", title, subtitle, lambda layout: _draw_roofline(view, rows, layout, title, subtitle))


def _draw_roofline(view: KernelView, rows: Sequence[KernelResult], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = Margins(height=3.6, left=0.62, right=0.75, top=0.6, bottom=0.55)
    figure, axes = panels(layout, margins, count=len(view.threads), title=title, subtitle=subtitle, columns=2)
    for threads, one in zip(view.threads, axes, strict=True):
        panel_title(one, view.panel(threads), pad=31)
        _draw_roofs(one, view, [row for row in rows if row.trial.cell.threads == threads], threads)
    return figure


def _draw_roofs(axes: Axes, view: KernelView, rows: Sequence[KernelResult], threads: int) -> None:
    places = [row.operations / row.moved_bytes for row in rows]
    rates = [gops(found) or 0.0 for row in rows for found in (row.measured(OWN), row.best_peer) if found]
    if not rates:
        return
    low, high = min(places) / 1.6, max(places) * 1.6
    suffix = "1" if threads == 1 else "all"
    roofs = {name: value for base in _FLAT if (value := view.header.machine.ceilings.get(name := f"{base}_{suffix}"))}
    top = max([*rates, *roofs.values()]) * 2.2
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(min(rates) / 1.8, top))
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    for value in roofs.values():
        axes.axhline(value, color=FAINT, lw=1.2, zorder=1)
    ends = [(high, value, _FLAT[name.rpartition("_")[0]], MUTED) for name, value in roofs.items()]
    label_ends(axes, ends, size=7.5)
    for place, (base, text) in enumerate(_SLOPED.items()):
        rate = view.header.machine.ceilings.get(f"{base}_{suffix}")
        if rate:
            slope = (low, min(high, max(roofs.values(), default=top) / rate))
            axes.plot(slope, [rate * end for end in slope], color=FAINT, lw=1.2, ls=(0, (4, 2)), zorder=1)
            _name_slope(axes, text, (slope[1], rate * slope[1]), above=2 + 9 * place)
    for row, x in zip(rows, places, strict=True):
        _draw_row(axes, row, x, view.line(row))
    _legend(axes, rows)
    axes.set_xlabel("operations per byte", fontsize=8, color=MUTED)
    unit, name = (1e3, "Top/s") if top > _MANY_GOPS else (1.0, "Gop/s")
    axes.set_ylabel(name, fontsize=8, color=MUTED)
    for axis, one in ((axes.xaxis, 1.0), (axes.yaxis, unit)):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if _decades(axis) < 2.5 else (1.0,)))
        axis.set_major_formatter(FuncFormatter(partial(_tick, unit=one)))
        axis.set_minor_locator(NullLocator())


def _tick(value: float, _: object, *, unit: float) -> str:
    value /= unit
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _decades(axis: Axis) -> float:
    low, high = axis.get_view_interval()
    return math.log10(high / low)


def _draw_row(axes: Axes, row: KernelResult, place: float, line: int) -> None:
    colour, marker = _CLASSES[family(row)]
    own, best = row.measured(OWN), row.best_peer
    heights = [gops(found) or 0.0 for found in (own, best) if found]
    axes.plot([place] * len(heights), heights, color=colour, lw=0.7, alpha=0.4, zorder=2)
    if best:
        ring = axes.scatter([place], [gops(best) or 0.0], s=20, facecolors="none", edgecolors=GREY, lw=0.9, zorder=3)
        name_strokes(ring, [[line]])
    if own:
        dot = axes.scatter([place], [gops(own) or 0.0], s=18, color=colour, marker=marker, lw=0, alpha=0.9, zorder=4)
        name_marks(dot, [[line]])


def _name_slope(axes: Axes, text: str, end: tuple[float, float], *, above: float) -> None:
    """Name a slope `above` points over its upper end."""
    axes.annotate(
        text, end, xytext=(0, above), textcoords="offset points", fontsize=7.5, color=MUTED, va="bottom", ha="center"
    )


def _legend(axes: Axes, rows: Sequence[KernelResult]) -> None:
    """Name the classes that occur above the axes, in as many lines as it takes."""
    present = {family(row) for row in rows}
    entries = [(name, colour) for name, (colour, _) in _CLASSES.items() if name in present]
    x, y, room = 0.0, 17.0, axes.get_window_extent().width * 72.0 / axes.figure.dpi + 50.0
    for text, colour in [*entries, ("best other library", MUTED)]:
        wide = 4.3 * len(text) + 8
        if x + wide > room:
            x, y = 0.0, y - 11.0
        axes.annotate(
            text, (0, 1), xycoords="axes fraction", xytext=(x, y), textcoords="offset points", fontsize=7.5,
            color=colour,
        )  # fmt: skip
        x += wide


def _ratios(view: KernelView) -> Plot | None:
    sweeps = [
        sweep
        for sweep in view.sweeps
        if any(value_against(row, "peers") for threads in view.threads for row in view.part(sweep, threads))
    ]
    if not sweeps:
        return None
    every = [value for row in view.rows if (value := value_against(row, "peers")) is not None]
    ahead = sum(value > 1 for value in every)
    title = f"qbench is ahead of every other library on {ahead} of {len(every)} rows"
    subtitle = (
        "Speed over that of the best other library of each shape, paired rounds of one run; one mark per shape, a bar "
        "for the geometric mean of the sweep. Right of 1 qbench is faster."
    )
    return Plot("ratios", title, subtitle, lambda layout: _draw_ratios(view, sweeps, layout, title, subtitle))


def _draw_ratios(view: KernelView, sweeps: Sequence[str], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = Margins(height=0.34 * len(sweeps) + 0.25, left=1.6, right=0.6, top=0.4, bottom=0.35)
    figure, axes = panels(layout, margins, count=len(view.threads), title=title, subtitle=subtitle, columns=2)
    for threads, one in zip(view.threads, axes, strict=True):
        panel_title(one, view.panel(threads))
        one.set_xscale("log")
        one.grid(axis="y", visible=False)
        one.grid(axis="x", color=GRID, linewidth=0.8)
        one.axvline(1.0, color=INK, lw=0.9, zorder=1)
        for place, sweep in enumerate(sweeps):
            _draw_sweep(one, view, view.part(sweep, threads), place)
        one.set_ylim(len(sweeps) - 0.5, -0.5)
        one.set_yticks(range(len(sweeps)), sweeps)
        one.tick_params(axis="y", colors=INK, labelsize=8)
        _ratio_axis(one)
    return figure


def _draw_sweep(axes: Axes, view: KernelView, rows: Sequence[KernelResult], place: int) -> None:
    for row in rows:
        value = value_against(row, "peers")
        if value is not None:
            colour, marker = _CLASSES[family(row)]
            dot = axes.scatter([value], [place], s=16, color=colour, marker=marker, alpha=0.55, lw=0, zorder=3)
            name_marks(dot, [[view.line(row)]])
    mean = mean_against(rows, "peers")
    if mean is not None:
        axes.vlines(mean.value, place - 0.32, place + 0.32, color=INK, lw=2, zorder=4)
    if mean is not None or not rows:
        axes.annotate(
            times(mean.value) if mean else "not run", (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=7.5, color=INK,
        )  # fmt: skip


def _ratio_axis(axes: Axes) -> None:
    """Label the logarithmic axis of ratios at values that people read."""
    low, high = axes.get_xlim()
    low, high = min(low, 0.8), max(high, 1.25)
    axes.set_xlim(low, high)
    marks = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)
    inside = [mark for mark in marks if low <= mark <= high]
    few = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50)
    kept = [mark for mark in inside if mark in few] if high / low > 2.5 else inside
    axes.set_xticks(kept, [f"{mark:g}" for mark in kept])
    axes.xaxis.set_minor_locator(NullLocator())
