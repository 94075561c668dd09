"""Several runs of one suite on one machine: how the figures of their rows went, as `qbench history` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from qbench.errors import ResultsError
from qbench.report.plots.history import history_plot
from qbench.report.plots.plot import Plot
from qbench.report.site.shown import Shown
from qbench.results.history.series import History, Mark, history


def trends(runs: Iterable[Shown]) -> Iterator[Plot]:
    """Yield a plot for each suite that ran twice or more on a machine: of its times, of its scores where it has none.

    Args:
        runs: the newest first.
    """
    groups: dict[tuple[str, ...], list[Shown]] = {}
    for shown in runs:
        suite = shown.header.suite
        key: tuple[str, ...] = (suite.name, shown.header.model.name, shown.machine_id, str(suite.threads))
        groups.setdefault(key, []).insert(0, shown)
    for key, group in groups.items():
        if len(group) > 1:
            told = next((found for kind in ("time", "accuracy") if (found := _told(group, kind)).series), None)
            if told is not None:
                plot, last = history_plot(told), group[-1]
                title = f"{last.header.model.name or last.header.suite.name} on {last.machine_name}: {plot.title}"
                yield replace(plot, name="-".join(("trend", *key)), title=title)


def _told(group: Sequence[Shown], kind: str) -> History:
    """Return the history of runs, of figures that two of them have."""
    marks = [Mark(one.name_here, one.header.created_utc, one.header.commit) for one in group]
    try:
        found = history([one.run for one in group], marks, kinds=(kind,))
    except ResultsError:  # no row of any of them ran
        return History(tuple(marks), ())
    return replace(found, series=tuple(one for one in found.series if len(one.points) > 1))
