"""Each layer alone: its rate beside the int8 peer's and the machine's ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.metrics import speed
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.rows import FP32, INT8, LayerTime, Row
from qbench.report.style import BLUE, FAINT, GREY, GRID, INK, MUTED, ORANGE, Layout, Margins, panel_title, panels
from qbench.report.view import RunView
from qbench.report.words import number

_OTHERS = ((INT8, ORANGE, "D"), (FP32, GREY, "s"))


def plot(view: RunView) -> Plot | None:
    """Return Gop/s per layer for each row whose layers were timed alone, or None when none was."""
    rows = [row for row in view.rows if row.ok and any(time.gops for time in row.layer_times)]
    if not rows:
        return None
    title = f"Layers alone, {rows[0].label}: 10⁹ operations per second"
    shares = {time.layer: share for time in rows[0].layer_times if (share := _share(view, rows[0], time)) is not None}
    if shares:
        best, worst = max(shares, key=lambda n: shares[n]), min(shares, key=lambda n: shares[n])
        title = (
            f"{rows[0].label}: {best} reaches {number(shares[best], 0)}\N{NO-BREAK SPACE}% of the machine's ceiling, "
            f"{worst} only {number(shares[worst], 0)}\N{NO-BREAK SPACE}%"
        )
    batch = rows[0].layer_times[0].batch
    subtitle = (
        f"{view.header.model.name}, each layer alone at batch {batch}, {view.workers}; "
        "10⁹ operations per second (2 per multiply-add), medians of interleaved rounds."
    )
    return Plot("layers", title, subtitle, lambda layout: _draw(view, rows, layout, title, subtitle))


def _draw(view: RunView, rows: Sequence[Row], layout: Layout, title: str, subtitle: str) -> Figure:
    count = max(len(row.layer_times) for row in rows)
    margins = Margins(height=0.2 * count + 0.2, left=1.35, right=0.55, top=0.62, bottom=0.32)
    columns = min(len(rows), 2)
    figure, axes = panels(layout, margins, count=len(rows), title=title, subtitle=subtitle, columns=columns)
    for row, one in zip(rows, axes, strict=True):
        panel_title(one, row.label, pad=24)
        _draw_row(one, row, view)
    return figure


def _draw_row(axes: Axes, row: Row, view: RunView) -> None:
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    names = [time.layer for time in row.layer_times]
    own = [time.gops or 0.0 for time in row.layer_times]
    for bar in axes.barh(range(len(names)), own, height=0.62, color=BLUE, alpha=0.85, zorder=2):
        name_marks(bar, [[row.line]])
    longest = max(own)
    for cell, colour, marker in _OTHERS:
        points = _points(row.layer_times, cell)
        axes.scatter(list(points.values()), list(points), s=20, color=colour, marker=marker, zorder=3)
        longest = max([longest, *points.values()])
    limit = None
    for place, time in enumerate(row.layer_times):
        limit, share = _ceiling(view, row, time), _share(view, row, time)
        if limit is not None:
            axes.vlines(limit, place - 0.5, place + 0.5, color=FAINT, lw=1.4, zorder=1.5)
            longest = max(longest, limit)
        if share is not None:
            axes.annotate(
                f"{number(share, 0)}\N{NO-BREAK SPACE}%", (1.0, place), xycoords=("axes fraction", "data"),
                xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5, color=INK,
            )  # fmt: skip
    axes.set_xlim(0, longest * 1.03)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", colors=INK, labelsize=7.5)
    _key(axes, row, limit, longest)


def _key(axes: Axes, row: Row, limit: float | None, longest: float) -> None:
    """Name the marks in a line above the axes, and the ceiling at its foot."""
    entries = [("qbench", BLUE), *((cell, colour) for cell, colour, _ in _OTHERS if _points(row.layer_times, cell))]
    x = (
        -88.0 if axes.get_window_extent().width < 4 * axes.figure.dpi else 0.0
    )  # on a phone's width the key starts above the names
    for text, colour in entries:
        axes.annotate(
            text,
            (0, 1),
            xycoords="axes fraction",
            xytext=(x, 1),
            textcoords="offset points",
            fontsize=7.5,
            color=colour,
        )
        x += 5.0 * len(text) + 8
    if limit is not None:
        axes.annotate(
            f"ceiling {number(limit, 0)}", (limit / (longest * 1.03), 1), xycoords="axes fraction", xytext=(0, 11),
            textcoords="offset points", fontsize=7.5, color=MUTED, ha="right",
        )  # fmt: skip


def _points(times: Sequence[LayerTime], cell: str) -> Mapping[int, float]:
    found = {}
    for place, time in enumerate(times):
        value = speed.gops(time.references[cell]) if cell in time.references else None
        if value is not None:
            found[place] = value
    return found


def _ceiling(view: RunView, row: Row, time: LayerTime) -> float | None:
    return view.header.machine_of(row.result.machine).ceilings.get(row.layer_ceiling(time)) or None


def _share(view: RunView, row: Row, time: LayerTime) -> float | None:
    limit = _ceiling(view, row, time)
    return speed.ceiling_share(time.own, ceiling_gops=limit).value if limit else None
