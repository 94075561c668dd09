"""What a row says apart from times: the part of it that no rewrite of the code may change.

Rows are read by their attributes, so that a row of any version of `trials.jsonl` that qbench reads gives the same
facts. Left out are times and what follows from them (the ceiling that binds, the instruction that sampling met), the
hash of the sources, and the wording of reasons and notes. Two facts depend on the machine: a kernel's variant and how
many bytes its layout takes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from qbench.core.cells.result import OWN, KernelResult
from qbench.core.trial import TrialResult
from qbench.kernels import variants

ROWS = Path(__file__).with_name("rows.json")
SMALL = Path(__file__).with_name("small.onnx")
"""A network of two convolutions and a classifier; `small.npz` beside it holds its images."""


def _noted(row: TrialResult) -> int:
    """Return how many notes a row has; whether it is slower than a library is for a clock to say."""
    return sum(not note.startswith("slower than ") for note in row.notes)


_LATER = {"largest_sum", "sum_bits"}
"""Columns of layers that rows did not have when the golden ones were written."""
_LATER_SCORES = {"right_to_wrong_samples", "wrong_to_right_samples"}
"""Scores that they did not have; `correct` holds what these count."""


def network_facts(row: TrialResult) -> dict[str, Any]:
    """Return the facts of a row of a network suite."""
    trial = row.trial
    return {
        "key": trial.key,
        "trial": [trial.sweep, trial.model, trial.data, trial.layers, trial.spec, trial.method, trial.correction],
        "sizes": [trial.calibration, trial.seed, list(trial.batch_sizes)],
        "state": [row.status, bool(row.reason), row.execution, len(row.alarms), _noted(row)],
        "correct": row.correct,
        "metrics": {
            name: [metric.unit, metric.better, *map(_short, (metric.value, metric.low, metric.high))]
            for name, metric in sorted(row.metrics.items())
            if not name.startswith(("images_per_s", "latency", "speedup")) and name not in _LATER_SCORES
        },
        "kernels": row.kernels,
        "layers": [
            [_short(value) for name, value in sorted(layer.items()) if name not in _LATER] for layer in row.layer_rows
        ],
        "layer columns": sorted({name for layer in row.layer_rows for name in layer} - _LATER),
        "timed": sorted({f"{group.group} {group.items} {group.operations}" for group in row.measurements}),
    }


def kernel_facts(row: KernelResult) -> dict[str, Any]:
    """Return the facts of a row of a kernel suite; of its parties, qbench's own that compute the cell."""
    trial = row.trial
    return {
        "key": trial.key,
        "trial": [trial.sweep, trial.kind, trial.batch, list(trial.own), trial.cell.problem.label],
        "state": [row.status, bool(row.reason), row.operations, row.moved_bytes],
        "kernels": {
            party.name: party.kernel
            for party in row.parties
            if party.name == OWN or party.name.removeprefix(f"{OWN} ") in trial.own
        },
        "parties": {party.name: [bool(party.reason), party.packed, bool(party.note)] for party in row.parties},
        "resident_bytes": {party.name: party.resident_bytes for party in row.parties},
    }


def variant_of(rows: list[dict[str, Any]]) -> str:
    """Return the kernel variant that the rows ran on: that of most of their kernels."""
    found = [kernel.rpartition("/")[2] for row in rows for kernel in row["kernels"].values()]
    return max(sorted(set(found)), key=found.count)


def on_any_machine(facts: Any) -> Any:
    """Return facts without what depends on the machine: names of kernels, and bytes of their layouts."""
    if isinstance(facts, dict):
        kept = {name: fact for name, fact in facts.items() if name not in ("resident_bytes", "kernels")}
        return {name: on_any_machine(fact) for name, fact in kept.items()}
    if isinstance(facts, list):
        return [on_any_machine(fact) for fact in facts]
    names_a_kernel = isinstance(facts, str) and facts.rpartition("/")[2] in variants.NAMES
    return "a kernel" if names_a_kernel else facts


def differences(want: Any, found: Any, place: str = "") -> list[str]:
    """Return one line per fact that differs.

    Numbers may differ by a ten-thousandth: another CPU sums float32 in another order, which has moved them by a
    ten-millionth. Signal-to-noise above 100 dB is rounding itself, and may be any number above.
    """
    if isinstance(want, dict) and isinstance(found, dict):
        names = [*want, *(name for name in found if name not in want)]
        return [line for name in names for line in differences(want.get(name), found.get(name), f"{place}/{name}")]
    if isinstance(want, list) and isinstance(found, list) and len(want) == len(found):
        pairs = enumerate(zip(want, found, strict=True))
        return [line for i, (one, two) in pairs for line in differences(one, two, f"{place}/{i}")]
    if isinstance(want, float) and isinstance(found, int | float):
        noise = "sqnr_db" in place and want > 100 and found > 100
        if noise or math.isclose(want, found, rel_tol=1e-4, abs_tol=1e-9):
            return []
    return [] if want == found else [f"{place}: expected {want!r}, found {found!r}"]


def _short(value: Any) -> Any:
    """Return a float with nine digits, anything else as it is."""
    return float(f"{value:.9g}") if isinstance(value, float) else value
