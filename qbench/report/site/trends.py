"""Several runs of one suite on one machine: how the figures of their rows went, as `qbench history` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from qbench.report.plots.history import history_plot
from qbench.report.plots.plot import Plot
from qbench.report.site.shown import Shown
from qbench.results.history.series import Mark, history


def trends(runs: Iterable[Shown]) -> Iterator[Plot]:
    """Yield a plot for each suite that ran twice or more on a machine: of its times, of its scores where it has none.

    Args:
        runs: the newest first.
    """
    groups: dict[tuple[str, ...], list[Shown]] = {}
    for shown in runs:
        if any(row.status == "ok" for row in shown.run.results):
            key = (shown.header.suite.name, shown.header.model.name, shown.machine_id)
            groups.setdefault(key, []).insert(0, shown)
    for (suite, model, machine), group in groups.items():
        if len(group) > 1:
            marks = [Mark(one.name_here, one.header.created_utc, one.header.commit) for one in group]
            found = [history([one.run for one in group], marks, kinds=(kind,)) for kind in ("time", "accuracy")]
            told = next((one for one in found if one.series), None)
            if told is not None:
                plot = history_plot(told)
                title = f"{model or suite} on {group[-1].machine_name}: {plot.title}"
                yield replace(plot, name=f"trend-{suite}-{model}-{machine}", title=title)
