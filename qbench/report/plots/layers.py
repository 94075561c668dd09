"""Each layer alone: its rate beside the int8 peer's and the machine's ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.metrics import speed
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.rows import LayerTime, Row
from qbench.report.style import (
    BLUE,
    FAINT,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    Layout,
    Margins,
    panel_title,
    panels,
)
from qbench.report.view import RunView
from qbench.report.words import number

_GLYPHS = {"s": "\u25a1", "D": "\u25c7", "^": "\u25b3", "v": "\u25bd", "o": "\u25cb"}
"""Marks of other libraries, as a plot draws them and as its key writes them."""
_KEY_POINTS = 10.0
_COLOURS = {"int8": ORANGE, "bf16": GREEN}


def plot(view: RunView) -> Plot | None:
    """Return Gop/s per kind of layer for each row whose layers were timed alone, or None when none was."""
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
        "10⁹ operations per second (2 per multiply-add), medians of interleaved rounds. "
        f"{_coverage(view, rows[0])} Open marks: other libraries in the same rounds."
    )
    return Plot("layers", title, subtitle, lambda layout: _draw(view, rows, layout, title, subtitle))


def _coverage(view: RunView, row: Row) -> str:
    """Return whether every layer is drawn, or how many stand for how many."""
    kinds, layers = len(row.layer_times), len(view.header.model.layers)
    return f"All {layers} layers." if kinds >= layers else f"The first of each of {kinds} kinds among {layers} layers."


def _draw(view: RunView, rows: Sequence[Row], layout: Layout, title: str, subtitle: str) -> Figure:
    count, columns = max(len(row.layer_times) for row in rows), min(len(rows), 1 if layout.narrow else 2)
    names = [time.layer for row in rows for time in row.layer_times]
    left = 0.2 + 0.062 * max(map(len, names))
    start = -72.0 * (left - 0.15) if layout.narrow else 0.0  # on a phone's width the key starts above the names
    room = 72.0 * (layout.width_in / columns - left - 0.2) - start
    keys = [_key(row, room) for row in rows]
    above = _KEY_POINTS * max(map(len, keys)) + 1.0
    margins = Margins(height=0.2 * count + 0.2, left=left, right=0.55, top=0.47 + above / 72, bottom=0.32)
    figure, axes = panels(layout, margins, count=len(rows), title=title, subtitle=subtitle, columns=columns)
    for row, key, one in zip(rows, keys, axes, strict=True):
        panel_title(one, row.label, pad=above + 13.0)
        _draw_row(one, row, view, above)
        _write_key(one, key, start)
    return figure


def _draw_row(axes: Axes, row: Row, view: RunView, above: float) -> None:
    """Draw a row's bars and marks, the ceiling named `above` points over the axes."""
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    names = [time.layer for time in row.layer_times]
    own = [time.gops or 0.0 for time in row.layer_times]
    for bar in axes.barh(range(len(names)), own, height=0.62, color=BLUE, alpha=0.45, zorder=2):
        name_marks(bar, [[row.line]])
    longest = max(own)
    for cell, colour, marker in _others(row):
        points = _points(row.layer_times, cell)
        axes.scatter(list(points.values()), list(points), s=24, fc=PAPER, ec=colour, marker=marker, lw=1.2, zorder=3)
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
    if limit is not None:
        axes.annotate(
            f"ceiling {number(limit, 0)}", (limit / (longest * 1.03), 1), xycoords="axes fraction", xytext=(0, above),
            textcoords="offset points", fontsize=7.5, color=MUTED, ha="right",
        )  # fmt: skip


def _key(row: Row, room: float) -> list[list[tuple[float, str, str]]]:
    """Return the lines of the key as (points from the left, text, colour), broken where `room` points end."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = 0.0
    for text, colour in [("qbench", BLUE), *((f"{_GLYPHS[mark]} {cell}", ink) for cell, ink, mark in _others(row))]:
        if lines[-1] and x + 4.5 * len(text) > room:
            lines.append([])
            x = 0.0
        lines[-1].append((x, text, colour))
        x += 4.8 * len(text) + 8
    return lines


def _write_key(axes: Axes, lines: Sequence[Sequence[tuple[float, str, str]]], start: float) -> None:
    for place, line in enumerate(reversed(lines)):
        for x, text, colour in line:
            axes.annotate(
                text, (0, 1), xycoords="axes fraction", xytext=(start + x, 1 + _KEY_POINTS * place),
                textcoords="offset points", fontsize=7.5, color=colour,
            )  # fmt: skip


def _others(row: Row) -> list[tuple[str, str, str]]:
    """Return (library, colour, mark) of every library that timed a layer beside qbench."""
    names = dict.fromkeys(name for time in row.layer_times for name in time.references)
    timed = [name for name in names if _points(row.layer_times, name)]
    colours = (next((c for kind, c in _COLOURS.items() if kind in name), INK) for name in timed)
    return list(zip(timed, colours, cycle(_GLYPHS), strict=False))


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
