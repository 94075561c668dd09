"""A suite run once, as plain numbers for a tracker that knows neither rows nor intervals."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qbench.errors import SuiteError
from qbench.results import Run, read_run
from qbench.results.kind import row_kind
from qbench.results.replicates import speed_logs
from qbench.runner.experiment import run_suite
from qbench.suite import AnySuite, load_suite


def track(suite: str | Path, *, changes: Sequence[str] = (), quick: bool = False) -> dict[str, float]:
    """Run a suite anew and return its figures by name; nothing is kept.

    Args:
        suite: a suite's file, or the name of a packaged one.
        changes: `key=value` strings that change single keys.
        quick: time roughly.

    Returns:
        `COLUMN ROW` -> scores, sizes and rates; `COLUMN/PARTY ROW` -> how many times as fast as a party of the same
        rounds. Rows that were skipped or failed have none.

    Raises:
        QBenchError: the suite, its network or its data are not what they should be, or it names several networks.
    """
    loaded = one_suite(suite, changes)
    with tempfile.TemporaryDirectory(prefix="qbench-track-") as folder:
        return figures(read_run(run_suite(loaded, results_root=Path(folder), quick=quick, fresh=True)))


def one_suite(suite: str | Path, changes: Sequence[str] = ()) -> AnySuite:
    """Return a suite as read; raise SuiteError where it names several networks."""
    loaded = load_suite(Path(suite), overrides=tuple(changes))
    if loaded.each() != (loaded,):
        raise SuiteError(f"{suite}: expected a suite of one network or of kernels, got one of {len(loaded.each())}")
    return loaded


def figures(run: Run[Any]) -> dict[str, float]:
    """Return the figures of a run as `track` names them."""
    kind, header, found = row_kind(run.header.kind), run.header, dict[str, float]()
    for row in run.results:
        if row.status != "ok":
            continue
        for timing in kind.timings(row):
            found[f"{timing.quantity} {row.trial.key}"] = timing.rate
            for name, other in timing.others.items():
                ratio = math.exp(float(np.median(speed_logs(timing.own, other))))
                found[f"{timing.quantity}/{name} {row.trial.key}"] = ratio
        for one in kind.compared(row, row, header, header):
            if one.kind != "time":
                found[f"{one.quantity} {one.key}"] = one.before
    return found
