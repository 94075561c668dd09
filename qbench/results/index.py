"""Run -> pandas frame, one row per trial. Statistics are computed here, on reading, from the raw rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbench.core.facts import spec_facts
from qbench.core.trial import ON_INTEGERS, Measurement, Metric, TrialResult
from qbench.metrics import load_task, measured
from qbench.metrics.pair import Pair, lost
from qbench.metrics.speed import Timed, Turns, gops, images_per_s
from qbench.metrics.task import stored_scores
from qbench.results.columns import TRIAL, batch_of, timed_column
from qbench.results.header import RunHeader
from qbench.results.load import counted, load_columns
from qbench.results.reader import NetworkRun
from qbench.results.replicates import ratio_of, time_interval


def frame(run: NetworkRun) -> pd.DataFrame:
    """Return one row per trial, in the order of the run; `qbench.results.columns` says what each column means.

    Raises:
        ResultsError: a row's packed scores do not fit the run's number of images.
    """
    rows = [_row(run, result) for result in run.results]
    names: dict[str, None] = dict.fromkeys(column.name for column in TRIAL)
    for row in rows:
        names.update(dict.fromkeys(row))
    return pd.DataFrame(rows, columns=list(names))


def _row(run: NetworkRun, result: TrialResult) -> dict[str, Any]:
    trial = result.trial
    named: dict[str, Any] = {**spec_facts(trial)}
    row = {
        column.name: named[column.name] if column.name in named else getattr(_owner(result, column.name), column.name)
        for column in TRIAL
    }
    for name, metric in result.metrics.items():
        row |= metric_columns(name, metric)
    row |= _paired(run, result)
    row |= _timed(run.header, result)
    row |= load_columns(result) | counted(result)
    row |= {f"phase_{name}_s": seconds for name, seconds in result.phases_s.items()}
    return row | {"alarms": "; ".join(result.alarms), "notes": "; ".join(result.notes)}


def _owner(result: TrialResult, name: str) -> object:
    return result if name in ("status", "reason", "execution", "machine") else result.trial


def metric_columns(name: str, metric: Metric) -> dict[str, float | None]:
    """Return the value of a metric, and its interval where it has one, by column."""
    columns = {name: metric.value}
    if metric.low is not None or metric.high is not None:
        columns |= {f"{name}_low": metric.low, f"{name}_high": metric.high}
    return columns


def _paired(run: NetworkRun, result: TrialResult) -> dict[str, Any]:
    """Compare with the fp32 row on the same images, where the task has anything to compare."""
    baseline, task, images = run.baseline, load_task(run.header.suite.task), run.header.data.images
    reference = stored_scores(baseline, images) if baseline else None
    each = stored_scores(result, images)
    if reference is None or each is None or task.loss is None:
        return {}
    pair = Pair(reference, each, task)
    row: dict[str, Any] = metric_columns(task.loss.name, lost(pair, task.loss))
    for name, metric in measured("pair", pair).items():
        row |= metric_columns(name, metric)
    return row | {"target": pair.verdict(run.header.suite.target_keep)}


def _timed(header: RunHeader, result: TrialResult) -> dict[str, Any]:
    cells: dict[int, dict[str, Measurement]] = {}
    for measurement in result.measurements:
        batch = batch_of(measurement.group)
        if batch is not None:
            cells.setdefault(batch, {})[measurement.cell] = measurement
    row: dict[str, Any] = {}
    for batch, group in cells.items():
        own = group.get(result.trial.backend)
        if own is None:
            continue
        row[timed_column("latency_s", batch)] = own.median_s
        row |= _share(header, result, own, batch)
        for name, reference in group.items():
            if name != result.trial.backend:
                row[timed_column("images_per_s", batch, reference=name)] = images_per_s(reference).value
                for kind, metric in measured("ratio", Turns(reference, own)).items():
                    row |= metric_columns(timed_column(kind, batch, reference=name), metric)
        row |= _over_processes(batch, own, group) if own.processes else {}
    return row


def _over_processes(batch: int, own: Measurement, group: Mapping[str, Measurement]) -> dict[str, Any]:
    """Return ratios and intervals as processes have them, in place of those of their samples."""
    low_s, high_s = time_interval(own)
    name = timed_column("images_per_s", batch)
    row: dict[str, Any] = {f"{name}_low": own.items / high_s, f"{name}_high": own.items / low_s}
    row[timed_column("processes", batch)] = len(own.processes)
    for reference, times in group.items():
        if times is not own:
            name, ratio = timed_column("speedup", batch, reference=reference), ratio_of(times, own)
            row |= {name: ratio.ratio, f"{name}_low": ratio.low, f"{name}_high": ratio.high}
    return row


def _share(header: RunHeader, result: TrialResult, own: Measurement, batch: int) -> dict[str, Any]:
    ceiling = binding_ceiling(result, threads=own.threads)
    limit = header.machine_of(result.machine).ceilings.get(ceiling, 0.0)
    row: dict[str, Any] = {
        timed_column("gops", batch): gops(own),
        timed_column("ceiling", batch): ceiling if limit else None,
    }
    for kind, metric in measured("time", Timed(own, limit)).items():
        row |= metric_columns(timed_column(kind, batch), metric)
    return row


_CEILING_OF = {"b1_b1": "popcount_gops", "t2_t2": "ternary_gops", "f32_f32": "float32_gflops"}
"""Operand types in a kernel's name -> the ceiling of their arithmetic; all other integer kernels are 8-bit products."""

_SHORT = re.compile(r"u8_s[1-6]_.*/x86_avx2$")
"""Kernels that sum products in 16 bits first."""


def ceiling_of_kernel(kernel: str) -> str:
    """Return the ceiling, without the number of threads, of a kernel's arithmetic."""
    if _SHORT.search(kernel):
        return "short_gops"
    return next((ceiling for types, ceiling in _CEILING_OF.items() if types in kernel), "int8_gops")


def binding_ceiling(result: TrialResult, *, threads: int) -> str:
    """Return the name of the compute ceiling of a row's arithmetic: that of the kernels that do most of its work."""
    suffix = "1" if threads == 1 else "all"
    if result.execution not in ON_INTEGERS:
        return f"float32_gflops_{suffix}"
    operations = {row["name"]: row.get("operations") for row in result.layer_rows}
    work: dict[str, float] = {}
    for layer, kernel in result.kernels.items():
        name = ceiling_of_kernel(kernel)
        work[name] = work.get(name, 0.0) + float(operations.get(layer) or 1)
    most = max(work, key=lambda name: work[name]) if work else "int8_gops"
    return f"{most}_{suffix}"
