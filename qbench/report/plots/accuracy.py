"""Accuracy against bits: one panel per scope, one line per method, or one line per granularity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.metrics.accuracy import newcombe
from qbench.report.labels import label_ends
from qbench.report.plots import scale
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks, name_strokes
from qbench.report.rows import Row
from qbench.report.style import (
    AMBER,
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    Layout,
    Margins,
    method_style,
    narrower,
    panel_title,
    panels,
)
from qbench.report.view import WIDTHS, RunView, in_bits, panel_names

_HOW = (
    "Bits fall from left to right; only neighbours that were both tried are joined. Pale bars are paired 95 % "
    "intervals of what was lost."
)
_GRAINS = {"per tensor": (ORANGE, "s"), "per channel": (BLUE, "o")}
_GROUPS = ((GREEN, "D"), (PURPLE, "^"), (AMBER, "v"))


@dataclass(frozen=True, slots=True)
class Series:
    """One line: width -> mean score over draws, the ends of its 95 % interval, and whose rows these are."""

    name: str
    colour: str
    marker: str
    points: dict[str, float]
    ends: dict[str, tuple[float, float]]
    lines: dict[str, list[int]] = field(default_factory=dict)

    def runs(self, order: Sequence[str]) -> Iterator[list[str]]:
        """Yield the widths that may be joined: neighbours in `order` that were both measured."""
        run: list[str] = []
        for width in (*order, ""):
            if width in self.points:
                run.append(width)
            elif run:
                yield run
                run = []


@dataclass(frozen=True, slots=True)
class Panel:
    """One scope."""

    title: str
    series: tuple[Series, ...]


def by_method(view: RunView) -> Plot | None:
    """Return accuracy against bits by recipe (most are a method alone), at the granularity that most of them share."""
    rows = [row for row in view.network if row.is_even]
    grain = _commonest(rows, lambda row: row.granularity, lambda row: row.recipe)
    rows = [row for row in rows if row.spec.scope == "activations" or row.granularity == grain]
    known = sorted({row.recipe for row in rows})
    drawn = _panels(view, rows, lambda row: row.recipe, lambda name: method_style(name, known))
    if not drawn:
        return None
    word = "method" if all(row.is_plain for row in rows) else "recipe"
    title, best = f"No {word} stands out: this many images cannot distinguish them", _contrast(drawn)
    if len(known) == 1:
        title = f"{known[0]}, from {in_bits(_widths(drawn)[0])} to {in_bits(_widths(drawn)[-1])}"
    if best is not None and _told_apart(best[2], view):
        panel, width, reached = best
        ranked = sorted(reached, key=lambda name: view.task.gain(reached[name]))
        title = (
            f"At {in_bits(width)} the {word} decides: {ranked[-1]} reaches {view.amount(reached[ranked[-1]])}, "
            f"{ranked[0]} {view.amount(reached[ranked[0]])} ({panel})"
        )
    subtitle = f"{view.conditions}; weights {grain}. {_HOW} {scale.note(view.task)}"
    return Plot("accuracy_by_method", title, subtitle, lambda layout: _draw(view, drawn, layout, title, subtitle))


def by_granularity(view: RunView) -> Plot | None:
    """Return accuracy against bits by granularity of the weights, with the method that most granularities share."""
    rows = [row for row in view.network if row.spec.scope != "activations" and row.is_plain]
    method = _commonest(rows, lambda row: row.method, lambda row: row.granularity)
    rows = [row for row in rows if row.method == method]
    groups = sorted({row.granularity for row in rows} - set(_GRAINS), key=_size, reverse=True)
    styles = _GRAINS | {name: _GROUPS[i % len(_GROUPS)] for i, name in enumerate(groups)}
    lines = _panels(view, rows, lambda row: row.granularity, lambda name: styles[name])
    drawn = tuple(panel for panel in lines if len(panel.series) > 1)
    best = _contrast(drawn)
    if best is None:
        return None
    panel, width, reached = best
    told = "Scales matter at low bits: " if _told_apart(reached, view) else "No granularity stands out: "
    ranked = sorted(reached, key=lambda name: view.task.gain(reached[name]))
    parts = ", ".join(f"{name} {view.amount(reached[name])}" for name in ranked)
    title = f"{told}{panel} at {in_bits(width)} reach {parts}"
    subtitle = f"{view.conditions}; method {method}. {_HOW} {scale.note(view.task)}"
    return Plot("accuracy_by_granularity", title, subtitle, lambda layout: _draw(view, drawn, layout, title, subtitle))


def _commonest(rows: Sequence[Row], key: Callable[[Row], str], other: Callable[[Row], str]) -> str:
    """Return the value of `key` that comes with most values of `other`, `mse` and per channel winning ties."""
    counts = Counter(name for name, _ in {(key(row), other(row)) for row in rows} if name)
    return max(counts, key=lambda name: (counts[name], name in ("mse", "per channel"), name), default="")


def _panels(
    view: RunView, rows: Sequence[Row], key: Callable[[Row], str], style: Callable[[str], tuple[str, str]]
) -> tuple[Panel, ...]:
    found: dict[str, dict[str, dict[str, list[Row]]]] = {}
    for row in rows:
        for panel in panel_names(row):
            points = found.setdefault(panel, {}).setdefault(key(row), {})
            points.setdefault(row.width, []).append(row)
    made = []
    for title, lines in found.items():
        if max(len(points) for points in lines.values()) < 2:
            continue
        highest = min((width for points in lines.values() for width in points), key=WIDTHS.index)
        # A lone point at the highest width says nothing about bits: it stands in the panel where its line goes on.
        shown = {name: points for name, points in sorted(lines.items()) if set(points) != {highest}}
        series = [_series(view, name, *style(name), points) for name, points in shown.items()]
        made.append(Panel(title, tuple(series)))
    return tuple(sorted(made, key=lambda p: (p.title != "weights only", "only" not in p.title, p.title)))


def _series(view: RunView, name: str, colour: str, marker: str, rows: dict[str, list[Row]]) -> Series:
    points = {width: fmean(map(view.score, each)) for width, each in rows.items()}
    spans = {width: [view.span(row) for row in each] for width, each in rows.items()}
    ends = {
        width: (fmean(span[0] for span in each if span), fmean(span[1] for span in each if span))
        for width, each in spans.items()
        if all(each)
    }
    lines = {width: [row.line for row in each] for width, each in rows.items()}
    return Series(name, colour, marker, points, ends, lines)


def _widths(drawn: Sequence[Panel]) -> list[str]:
    """Return the widths of all lines, falling."""
    return sorted({width for panel in drawn for series in panel.series for width in series.points}, key=WIDTHS.index)


def _contrast(drawn: Sequence[Panel]) -> tuple[str, str, dict[str, float]] | None:
    """Return (panel, width, name -> score) where lines of the fullest panel lie furthest apart, from 3 bits up."""
    panel = max(drawn, key=lambda p: len(p.series), default=None)
    found: dict[str, dict[str, float]] = {}
    for series in panel.series if panel else ():
        for width, value in series.points.items():
            found.setdefault(width, {})[series.name] = value
    wide = {w: v for w, v in found.items() if len(v) > 1 and WIDTHS.index(w) <= WIDTHS.index("3")}
    if panel is None or not wide:
        return None
    width = max(wide, key=lambda w: (len(wide[w]), max(wide[w].values()) - min(wide[w].values())))
    return panel.title, width, wide[width]


def _told_apart(reached: dict[str, float], view: RunView) -> bool:
    """Return whether best and worst differ by more than so many images explain: Newcombe's interval excludes 0.

    Of scores that are not shares, so far apart as to matter to the task is far enough for a title.
    """
    if not view.task.binary:
        return max(reached.values()) - min(reached.values()) >= view.task.matters
    images = view.header.data.images
    low, high = (round(images * value / 100.0) for value in (min(reached.values()), max(reached.values())))
    return newcombe(low, images, other_hits=high, other_count=images)[1] > 0.0


def _draw(view: RunView, drawn: Sequence[Panel], layout: Layout, title: str, subtitle: str) -> Figure:
    longest = max(len(series.name) for panel in drawn for series in panel.series)
    right = max(0.98, 0.24 + 0.073 * longest)
    margins = Margins(height=2.75, left=0.42, right=right)
    columns = {1: 1, 2: 2, 3: 3, 4: 2}.get(len(drawn), 3)
    margins = narrower(margins, layout, left=0.38, right=right)
    figure, axes = panels(layout, margins, count=len(drawn), title=title, subtitle=subtitle, columns=columns)
    lines = [series for panel in drawn for series in panel.series]
    values = [value for series in lines for value in series.points.values()]
    values += [end for series in lines for span in series.ends.values() for end in span]
    for panel, one in zip(drawn, axes, strict=True):
        panel_title(one, panel.title)
        _draw_panel(one, panel, values, view)
        one.set_xlabel("bits", fontsize=8, color=MUTED, labelpad=2)
    return figure


def _draw_panel(axes: Axes, panel: Panel, values: Sequence[float], view: RunView) -> None:
    found = {width for series in panel.series for width in series.points}
    order = [width for width in WIDTHS if width in found]
    place = {width: float(index) for index, width in enumerate(order)}
    axes.set_xlim(-0.3, len(order) - 0.75)
    axes.set_xticks(list(place.values()), order)
    scale.stretch(axes, values, task=view.task, fp32=view.fp32_score)
    ends = scale.reference_lines(axes, view)
    for series in panel.series:
        look: dict[str, Any] = {"color": series.colour, "clip_on": False}
        for run in series.runs(order):
            x, y = [place[width] for width in run], [series.points[width] for width in run]
            (line,) = axes.plot(x, y, lw=1.5, marker=series.marker, ms=4.6, mec=PAPER, mew=0.7, **look)
            name_marks(line, [series.lines[width] for width in run])
        for width, span in series.ends.items():
            (bar,) = axes.plot([place[width]] * 2, span, lw=2.6, alpha=0.25, solid_capstyle="butt", zorder=1.8, **look)
            name_strokes(bar, [series.lines[width]])
        last = [width for width in order if width in series.points][-1]
        ends.append((place[last], series.points[last], series.name, series.colour))
    label_ends(axes, ends, unled=view.chance)


def _size(words: str) -> int:
    """Return the size of a group in words such as `groups of 32` or `groups of 32x`."""
    return int("".join(filter(str.isdigit, words)))
