"""Accuracy against packed size: what is worth its bytes stands on the marked front."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

from qbench.core.trial import ON_INTEGERS
from qbench.metrics.pair import Pair
from qbench.metrics.task import stored_scores
from qbench.report.answer import find
from qbench.report.plots import scale
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks, name_strokes
from qbench.report.rows import Row
from qbench.report.style import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    Layout,
    Margins,
    narrower,
    panels,
)
from qbench.report.view import RunView
from qbench.report.words import size
from qbench.results.front import front as results_front

_ALPHA = 0.05
KINDS = (
    ("integer", BLUE, "o"),
    ("mixed", GREEN, "^"),
    ("dequantized", PURPLE, "s"),
    ("simulated", AMBER, "D"),
)


def front(view: RunView, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that no other row beats in both packed size and score, from small to large."""
    return results_front(rows, size=lambda row: row.value("packed_bytes") or 0.0, merit=view.merit)


def told_apart(view: RunView, best: Sequence[Row]) -> list[Row]:
    """Return the rows of a front that are better than the smaller one before them, by a paired test on the samples.

    The smallest is the first that is above chance: a network that guesses is not worth its bytes.
    """
    chosen: list[Row] = []
    for row in best:
        if view.above_chance(row) and (not chosen or _is_better(view, chosen[-1], row)):
            chosen.append(row)
    return chosen


def _is_better(view: RunView, smaller: Row, larger: Row) -> bool:
    scores = [stored_scores(row.result, view.header.data.images) for row in (smaller, larger)]
    if scores[0] is None or scores[1] is None:
        return True
    p = Pair(scores[0], scores[1], view.task).p()
    return p is not None and p < _ALPHA


def plot(view: RunView) -> Plot | None:
    """Return the scatter of all whole-network rows whose weights are quantized, or None for fewer than three."""
    rows = [row for row in view.network if row.value("packed_bytes") is not None and row.spec.scope != "activations"]
    if len(rows) < 3:
        return None
    title, answer, base = "No row is shown to keep " + view.keep_text + " of fp32", find(view).smallest, view.baseline
    if answer is not None:
        packed, whole = answer.value("packed_bytes") or 0.0, (base.value("packed_bytes") or 0.0) if base else 0.0
        ratio = f", {whole / packed:.1f} times smaller than fp32" if whole and packed else ""
        title = f"{answer.label} keeps {view.keep_text} of fp32 in {size(packed)}{ratio}"
    subtitle = (
        f"{view.conditions}, whole network. Packed bytes with scales, zero points and biases. "
        "Line: nothing smaller that runs in integers is better; named where a paired test tells it from the smaller "
        f"one. Pale bars: paired 95 % intervals. {scale.note(view.task)}"
    )
    return Plot("accuracy_against_size", title, subtitle, lambda layout: _draw(view, rows, layout, title, subtitle))


def _draw(view: RunView, rows: Sequence[Row], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = Margins(height=3.9 if not layout.narrow else 3.6, left=0.5, right=0.35, top=0.5, bottom=0.48)
    margins = narrower(margins, layout, left=0.38, right=0.15)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    best = front(view, [row for row in rows if row.result.execution in ON_INTEGERS] or rows)
    spans = [(row, span) for row in rows if (span := view.span(row))]
    axes.set_xscale("log")
    sizes = [row.value("packed_bytes") or 1.0 for row in rows]
    whole = view.baseline.value("packed_bytes") if view.baseline else None
    axes.set_xlim(min(sizes) / 1.5, max([*sizes, whole or 0.0]) * 1.25)
    scores = [*map(view.score, rows), *(end for _, span in spans for end in span)]
    scale.stretch(axes, scores, task=view.task, fp32=view.fp32_score)
    for _, height, text, ink in scale.reference_lines(axes, view):
        above = ink == INK
        axes.annotate(
            text, (0, height), xycoords=("axes fraction", "data"), xytext=(3, 3.5 if above else -10),
            textcoords="offset points", fontsize=7.5, color=ink, ha="left",
        )  # fmt: skip
    _ticks(axes)
    for name, colour, marker in KINDS:
        chosen = [row for row in rows if row.result.execution == name]
        x = [row.value("packed_bytes") or 0.0 for row in chosen]
        y = [view.score(row) for row in chosen]
        if chosen:
            dots = axes.scatter(x, y, s=24, marker=marker, color=colour, alpha=0.75, lw=0.6, ec=PAPER, zorder=3)
            name_marks(dots, [[row.line] for row in chosen])
        for row, span in spans:
            if row.result.execution == name:
                at = row.value("packed_bytes") or 1.0
                (bar,) = axes.plot([at, at], span, color=colour, lw=2.0, alpha=0.2, zorder=2)
                name_strokes(bar, [[row.line]])
    _draw_front(axes, view, best)
    if view.baseline and whole and view.fp32_score is not None:
        star = axes.scatter([whole], [view.fp32_score], s=34, marker="*", color=INK, zorder=4)
        name_marks(star, [[view.baseline.line]])
    _legend(
        axes,
        [name for name, _, _ in KINDS if any(r.result.execution == name for r in rows)],
    )
    answer, named = find(view).headline, told_apart(view, best)
    _name(axes, view, named if answer is None or answer in named else [*named, answer])
    return figure


def _draw_front(axes: Axes, view: RunView, best: Sequence[Row]) -> None:
    x = [row.value("packed_bytes") or 0.0 for row in best]
    y = [view.score(row) for row in best]
    axes.step([*x, axes.get_xlim()[1]], [*y, y[-1]], where="post", color=ORANGE, lw=1.3, zorder=2.5)
    axes.scatter(x, y, s=58, facecolors="none", edgecolors=ORANGE, linewidths=1.3, zorder=4)


def _name(axes: Axes, view: RunView, best: Sequence[Row]) -> None:
    """Name the points of the front to their upper left, where nothing lies; a name that finds no room is left out."""
    figure = axes.figure
    points = 72.0 / figure.dpi
    box = axes.get_window_extent()
    taken = _lines_and_names(axes, view)
    for row in sorted(best, key=view.merit, reverse=True):
        at = (row.value("packed_bytes") or 0.0, view.score(row))
        centre = axes.transData.transform(at) * points
        width, height = 5.3 * len(row.label), 9.0
        # To the upper left, ever higher; else to the lower right, among the beaten points.
        for across, up in [*((-7, up) for up in range(6, 67, 4)), *((8, -up) for up in range(16, 41, 4))]:
            left = centre[0] + across - (width if across < 0 else 0.0)
            place = Bbox([[left, centre[1] + up], [left + width, centre[1] + up + height]])
            inside = place.x0 > box.x0 * points - 26 and place.y1 < box.y1 * points + 30
            if inside and not any(place.overlaps(other) for other in taken):
                taken.append(place)
                _annotate(axes, row.label, at, (across, up))
                break


def _lines_and_names(axes: Axes, view: RunView) -> list[Bbox]:
    """Return where the lines of fp32 and of the target, and their names at the left, leave no room; in points."""
    points, box, found = 72.0 / axes.figure.dpi, axes.get_window_extent(), []
    for score, below in ((view.fp32_score, -3.5), (view.kept_score, 11.0)):
        if score is not None:
            y = axes.transData.transform((1.0, score))[1] * points
            found.append(Bbox([[box.x0 * points, y - 1.5], [box.x1 * points, y + 1.5]]))
            found.append(Bbox([[box.x0 * points, y - below], [box.x0 * points + 50.0, y - below + 8.0]]))
    return found


def _annotate(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float]) -> None:
    axes.annotate(
        text, at, xytext=offset, textcoords="offset points", ha="right" if offset[0] < 0 else "left", va="bottom",
        fontsize=7.5, color=INK, zorder=5, bbox={"facecolor": PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.6},
        arrowprops={"arrowstyle": "-", "color": ORANGE, "lw": 0.5, "shrinkA": 0, "shrinkB": 4},
    )  # fmt: skip


def _legend(axes: Axes, names: Sequence[str]) -> None:
    """Write what the colours mean at the lower right, where only beaten points could be."""
    styles = {name: (colour, marker) for name, colour, marker in KINDS}
    lines = [("ran in integers" if name == "integer" else name, *styles[name]) for name in names]
    for index, (text, colour, marker) in enumerate(reversed(lines)):
        y = 0.045 + 0.058 * index
        axes.scatter([0.985], [y], s=24, marker=marker, color=colour, transform=axes.transAxes, clip_on=False)
        axes.annotate(
            text, (0.985, y), xycoords="axes fraction", xytext=(-8, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8, color=colour,
        )  # fmt: skip


def _ticks(axes: Axes) -> None:
    low, high = axes.get_xlim()
    marks = [m * 10**e for e in range(2, 10) for m in (1, 2, 5) if low <= m * 10**e <= high]
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(value).replace(".00", "").replace(".0", "")))
    axes.set_xlabel("packed size (logarithmic)", fontsize=8, color=MUTED, labelpad=3)
