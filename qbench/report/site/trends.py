"""Several runs of one suite on one machine: how scores and paired speeds of the same rows went, from run to run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.core.trial import Metric
from qbench.report import words
from qbench.report.labels import label_ends
from qbench.report.plots.plot import Plot
from qbench.report.rows import Row
from qbench.report.site.shown import Shown
from qbench.report.style import (
    BLUE,
    GREEN,
    GREY,
    MUTED,
    ORANGE,
    PURPLE,
    ROSE,
    Layout,
    Margins,
    narrower,
    panel_title,
    panels,
)

_LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (PURPLE, "^"), (ROSE, "v"), (GREY, "o"))
"""Colour and marker of each row that a plot shows: of so many at most."""


@dataclass(frozen=True, slots=True)
class Series:
    """One row through several runs: its speed beside a library, None in runs that did not time it.

    Args:
        label: spec and recipe.
        values: one for each run, the oldest first.
    """

    label: str
    values: tuple[Metric | None, ...]


def trends(runs: Iterable[Shown]) -> list[Plot]:
    """Return a plot for each suite that ran twice or more on a machine and timed the same row beside the same library.

    Args:
        runs: the newest first.
    """
    groups: dict[tuple[str, ...], list[Shown]] = {}
    for shown in runs:
        if shown.is_network and shown.view.batches:
            key = (shown.header.suite.name, shown.header.model.name, shown.machine_id)
            groups.setdefault(key, []).insert(0, shown)
    return [plot for group in groups.values() if len(group) > 1 and (plot := _plot(group)) is not None]


def _plot(group: Sequence[Shown]) -> Plot | None:
    """Return the plot of runs of one suite, the oldest first; None where they have no timed row in common."""
    last = group[-1]
    reference = next((name for name in last.view.references if any(_series(group, name))), "")
    found = _series(group, reference) if reference else []
    if not found:
        return None
    batch = last.view.batches[-1]
    name = f"trend-{last.header.suite.name}-{last.header.model.name}-{last.machine_id}"
    subtitle = (
        f"{last.header.model.name} on {last.machine_name} ({last.machine_words}), batch {batch}: times as fast as "
        f"{reference}, paired within each run, 95 %. Runs of {_day(group[0])} to {_day(last)}."
    )
    title = _title(last.header.suite.name, found)
    return Plot(name, title, subtitle, lambda layout: _draw(found, group, layout, title, subtitle))


def _series(group: Sequence[Shown], reference: str) -> list[Series]:
    """Return the rows that at least two runs timed beside a library, as the newest run orders them."""
    batch = group[-1].view.batches[-1]
    by_run = [{row.result.trial.key: row for row in shown.view.timed} for shown in group]
    found = []
    for key, row in by_run[-1].items():
        values = tuple(_speed(rows.get(key), batch, reference) for rows in by_run)
        if sum(value is not None for value in values) > 1:
            found.append(Series(row.label, values))
    return found[: len(_LOOKS)]


def _speed(row: Row | None, batch: int, reference: str) -> Metric | None:
    return row.speedup(batch, reference) if row is not None else None


def _title(suite: str, found: Sequence[Series]) -> str:
    """Return what the newest run tells apart from the oldest: intervals that do not meet."""
    moved = []
    for one in found:
        known = [value for value in one.values if value is not None]
        old, new = known[0], known[-1]
        ends = (old.low, old.high, new.low, new.high)
        if None not in ends and (new.low > old.high or new.high < old.low):  # type: ignore[operator]
            moved.append(f"{one.label} from {words.number(old.value)} to {words.number(new.value)}")
    runs = len(found[0].values)
    if not moved:
        return f"{suite}: no row is told apart from itself over {runs} runs"
    more = f" and {len(moved) - 2} more" if len(moved) > 2 else ""
    return f"{suite}, {runs} runs: {'; '.join(moved[:2])}{more}"


def _day(shown: Shown) -> str:
    return shown.header.created_utc[:10]


def _draw(found: Sequence[Series], group: Sequence[Shown], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = narrower(Margins(height=2.6, left=0.5, right=2.2), layout, left=0.42, right=1.35)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    panel_title(axes, "times as fast")
    axes.set_xlim(-0.3, len(group) - 0.7)
    days = [_day(shown)[5:] for shown in group]
    step = -(-len(group) // (4 if layout.narrow else 10))
    axes.set_xticks(range(0, len(group), step), days[::step])
    axes.tick_params(axis="x", labelcolor=MUTED)
    ends = [_draw_series(axes, one, place) for place, one in enumerate(found)]
    axes.set_ylim(bottom=0)
    label_ends(axes, ends)
    return figure


def _draw_series(axes: Axes, one: Series, place: int) -> tuple[float, float, str, str]:
    """Draw one row with its intervals, unjoined over runs without it, and return where its label goes."""
    colour, marker = _LOOKS[place]
    values = [math.nan if value is None or value.value is None else value.value for value in one.values]
    axes.plot(range(len(values)), values, color=colour, marker=marker, lw=1.5, ms=5, zorder=3, clip_on=False)
    for x, value in enumerate(one.values):
        if value is not None and value.low is not None and value.high is not None:
            axes.vlines(x, value.low, value.high, color=colour, lw=1)
    last = max(x for x, value in enumerate(values) if not math.isnan(value))
    return float(last), values[last], one.label, colour
