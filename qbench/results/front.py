"""The rows that a decision is about: none smaller scores better, and the smallest that keeps enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from qbench.core.trial import ON_INTEGERS, Trial, TrialResult
from qbench.metrics import load_task
from qbench.results.index import frame
from qbench.results.reader import NetworkRun

T = TypeVar("T")


def front(rows: Sequence[T], *, size: Callable[[T], float], merit: Callable[[T], float]) -> list[T]:
    """Return the rows that no other row beats in both size and merit, from small to large."""
    chosen: list[T] = []
    for row in sorted(rows, key=lambda row: (size(row), -merit(row))):
        if not chosen or merit(row) > merit(chosen[-1]):
            chosen.append(row)
    return chosen


def asked_of_network(trial: Trial) -> tuple[str, ...]:
    """Return what of a trial makes the quantized network: rows that share it hold one network, whichever the sweep."""
    return trial.layers, trial.spec, trial.edges, trial.overrides, trial.recipe


def worth_timing(run: NetworkRun, most: int) -> list[TrialResult]:
    """Return rows that were scored in integers, stand on the front and were timed in no sweep.

    Rows that are shown to keep the target come first, from small to large, as the smallest of them is the answer; then
    those that may keep it; then the others, the best first.

    Args:
        run: its rows so far.
        most: most rows to return.
    """
    task = load_task(run.header.suite.task)
    records: list[dict[str, Any]] = frame(run).to_dict("records")  # type: ignore[assignment]
    score = task.primary.name
    scored = [
        (row, record)
        for row, record in zip(run.results, records, strict=True)
        if row.status == "ok"
        and row.execution in ON_INTEGERS
        and (row.trial.layers, row.trial.backend) == ("all", "qbench")
        and record.get("packed_bytes", 0.0) > 0
        and record.get(score) == record.get(score)
    ]
    timed = {asked_of_network(row.trial) for row in run.results if row.measurements}
    rank = {"kept": 0, "unsure": 1}

    def order(one: tuple[TrialResult, dict[str, Any]]) -> tuple[float, float]:
        place = rank.get(str(one[1].get("target")), 2)
        return place, one[1]["packed_bytes"] if place < 2 else -task.gain(one[1][score])

    best = front(scored, size=lambda one: one[1]["packed_bytes"], merit=lambda one: task.gain(one[1][score]))
    new = [one for one in best if asked_of_network(one[0].trial) not in timed]
    return [row for row, _ in sorted(new, key=order)[:most]]
