"""Recipes at equal bits: what each lost against fp32, the best first, and the seconds that making it took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from qbench.report import words
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks, name_strokes
from qbench.report.style import BLUE, GREY, INK, MUTED, PAPER, Layout, Margins, panel_title, panels
from qbench.report.view import RunView
from qbench.results.ranking import Place, Ranking

_MOST_PANELS, _MOST_ROWS = 9, 14
_TICKS = (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100)


def plot(view: RunView) -> Plot | None:
    """Return a panel for each spec that three recipes or more were tried at, or None where there is none."""
    found = [ranking for ranking in view.by_bits if len(ranking.places) > 2]
    if not found or view.task.loss is None:
        return None
    chosen = sorted(found, key=lambda ranking: -len(ranking.places))[:_MOST_PANELS]
    shown = [ranking for ranking in found if ranking in chosen]
    left_out = f" {len(found) - len(shown)} more specs are in the table." if len(found) > len(shown) else ""
    subtitle = (
        f"{view.conditions}. {view.task.lost_words[0].upper()}{view.task.lost_words[1:]} against fp32, with paired "
        "95 % intervals, and the seconds of quantizing. Blue: not told apart from the best of its panel (Holm's "
        f"correction). The axis is stretched near 0 (square root).{left_out}"
    )
    title = _title(view, shown)
    return Plot("recipes", title, subtitle, lambda layout: _draw(view, shown, layout, title, subtitle))


def _title(view: RunView, shown: Sequence[Ranking]) -> str:
    """Return where the recipe matters most: the widest gap between a leader and the last that is told apart."""
    apart = [ranking for ranking in shown if not ranking.places[-1].leads]
    if not apart:
        return "No recipe stands out: this many samples cannot distinguish them"
    most = max(apart, key=lambda ranking: ranking.places[-1].behind)
    best, last, unit = most.places[0], most.places[-1], view.task.unit_of_change
    others = len(most.leaders) - 1
    shared = f" ({others} not told apart from it)" if others else ""
    return (
        f"At {most.name} the recipe decides: {best.row.trial.recipe}{shared} is {words.number(last.behind, 1)} {unit} "
        f"ahead of {last.row.trial.recipe}"
    )


def _draw(view: RunView, shown: Sequence[Ranking], layout: Layout, title: str, subtitle: str) -> Figure:
    rows = [_rows(ranking) for ranking in shown]
    longest = max(len(place.row.trial.recipe) for places in rows for place in places)
    most = max(map(len, rows))
    margins = Margins(height=0.19 * most + 0.1, left=0.2 + 0.068 * longest, right=0.62, top=0.4, bottom=0.42)
    columns = 2 if longest > 16 else 3
    figure, axes = panels(layout, margins, count=len(shown), title=title, subtitle=subtitle, columns=columns)
    losses = [loss for places in rows for place in places if (loss := _loss(view, place)) is not None]
    ends = min([0.0, *(low for _, low, _ in losses)]), max([1.0, *(high for _, _, high in losses)])
    for ranking, places, one in zip(shown, rows, axes, strict=True):
        panel_title(one, ranking.name)
        _draw_panel(view, one, places, most, ends)
    return figure


def _rows(ranking: Ranking) -> Sequence[Place]:
    """Return what a panel shows: the best rows, and the last."""
    places = ranking.places
    return places if len(places) <= _MOST_ROWS else (*places[: _MOST_ROWS - 1], places[-1])


def _loss(view: RunView, place: Place) -> tuple[float, float, float] | None:
    """Return what a row lost against fp32, and the ends of its interval; None where it was not compared."""
    found = view.lost(view.row_of[place.row.trial.key])
    if found is None or found.value is None:
        return None
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return found.value, low, high


def _draw_panel(view: RunView, axes: Axes, places: Sequence[Place], most: int, ends: tuple[float, float]) -> None:
    low, high = ends
    axes.set_xscale("function", functions=(_root, _square))
    axes.set_xlim(low - 0.05, high * 1.05)
    axes.set_ylim(most - 0.5, -0.5)
    axes.grid(visible=False)
    axes.axvline(0.0, color=INK, lw=0.8)
    ticks = _ticks(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([words.number(t, 0 if t == int(t) else 1) for t in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(view.task.lost_words, fontsize=8, color=MUTED, labelpad=2)
    axes.set_yticks(range(len(places)), [place.row.trial.recipe for place in places])
    axes.tick_params(axis="y", colors=INK, labelsize=8)
    for y, place in enumerate(places):
        colour, loss = BLUE if place.leads else GREY, _loss(view, place)
        if loss is not None:
            line = [view.row_of[place.row.trial.key].line]
            (bar,) = axes.plot(loss[1:], [y, y], color=colour, lw=1.6, solid_capstyle="round", clip_on=False)
            (dot,) = axes.plot([loss[0]], [y], "o", color=colour, ms=4.8, mec=PAPER, mew=0.7, clip_on=False)
            name_strokes(bar, [line])
            name_marks(dot, [line])
        axes.annotate(
            words.seconds(place.row.making_s), (1, y), xycoords=("axes fraction", "data"), xytext=(30, 0),
            textcoords="offset points", ha="right", va="center", fontsize=7.5, color=MUTED, annotation_clip=False,
        )  # fmt: skip


def _ticks(low: float, high: float) -> list[float]:
    """Return ticks from `low` to `high`, 0 among them, at least a ninth of the stretched axis apart."""
    apart = (float(_root(high)) - float(_root(low))) / 9
    found = [0.0]
    for tick in _TICKS:
        found += [tick] * bool(tick <= high and _root(tick) - _root(max(found)) >= apart)
    for tick in _TICKS:
        found += [-tick] * bool(-tick >= low and _root(tick) + _root(min(found)) >= apart)
    return sorted(found)


def _root(x: np.typing.ArrayLike) -> np.typing.NDArray[np.float64]:
    found = np.asarray(x, dtype=np.float64)
    return np.sign(found) * np.sqrt(np.abs(found))


def _square(x: np.typing.ArrayLike) -> np.typing.NDArray[np.float64]:
    found = np.asarray(x, dtype=np.float64)
    return np.sign(found) * np.square(found)
