"""How figures went over runs: a panel for each, with intervals, and a line at every step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qbench.report.plots.plot import Plot
from qbench.report.style import BLUE, INK, MUTED, PAPER, ROSE, Layout, Margins, panel_title, panels
from qbench.results.history.series import History, Series
from qbench.results.history.tables import figure_of, headline, name_of, step_rows

_MOST_PANELS = 12
_LONGEST, _LONGEST_NARROW = 44, 34
"""Letters above a panel, and on a phone."""


def history_plot(found: History) -> Plot:
    """Return the plot of a history: series with steps first, at most twelve."""
    shown = sorted(found.series, key=lambda one: not one.steps)[:_MOST_PANELS]
    rows = step_rows(found)
    title = headline(found)
    left_out = (
        f" {len(found.series) - len(shown)} more figures have no panel." if len(found.series) > len(shown) else ""
    )
    first = f" First step: {rows[0][0]}, {rows[0][3]}." if rows else ""
    subtitle = (
        "95 % intervals within each run; a red line is a step that chance is excluded of, the grey levels are means "
        f"between steps.{first}{left_out}"
    )
    return Plot("history", title, subtitle, lambda layout: _draw(found, shown, layout, title, subtitle))


def _draw(found: History, shown: Sequence[Series], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = Margins(height=1.15, left=0.75, right=0.25, top=0.55, bottom=0.42)
    figure, axes = panels(
        layout, margins, count=len(shown), title=title, subtitle=subtitle, columns=min(2, layout.columns)
    )
    for one, panel in zip(shown, axes, strict=True):
        _panel(found, one, panel, letters=_LONGEST_NARROW if layout.narrow else _LONGEST)
    return figure


def _panel(found: History, one: Series, axes: Axes, *, letters: int) -> None:
    key = one.key if len(one.key) <= letters else f"...{one.key[3 - letters :]}"
    panel_title(axes, key, pad=16.0)
    unit = "times its speed" if one.unit == "x" else one.unit
    what = shorten(" ".join(filter(None, (figure_of(one), unit))), letters + 12, placeholder=" ...")
    axes.annotate(
        what, (0, 1), xycoords="axes fraction", xytext=(0, 5),
        textcoords="offset points", fontsize=7.5, color=MUTED, annotation_clip=False,
    )  # fmt: skip
    places, values = [point.mark for point in one.points], [point.value for point in one.points]
    for point in one.points:
        axes.plot([point.mark, point.mark], [point.low, point.high], color=BLUE, lw=1.2, alpha=0.6)
    _levels(one, axes)
    axes.plot(places, values, "o", color=BLUE, ms=4.5, mec=PAPER, mew=0.6)
    axes.set_xlim(-0.5, len(found.marks) - 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for step in one.steps:
        axes.axvline(step.mark - 0.5, color=ROSE, lw=1.0)
    ticks = sorted({0, len(found.marks) - 1, *(step.mark for step in one.steps)})
    labels = [found.marks[place].commit or name_of(found, place)[:10] for place in ticks]
    axes.set_xticks(ticks, labels, fontsize=7)


def _levels(one: Series, axes: Axes) -> None:
    """Draw the mean of the points between two steps."""
    borders = [one.points[0].mark, *(step.mark for step in one.steps), one.points[-1].mark + 1]
    for start, end in pairwise(borders):
        values = [point.value for point in one.points if start <= point.mark < end]
        mean = sum(values) / len(values)
        axes.plot([start - 0.4, end - 0.6], [mean, mean], color=INK, lw=0.9, alpha=0.5)
