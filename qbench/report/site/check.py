"""Runs of anybody, looked at before they are shown: what contradicts itself, what is missing, what differs from others.

A run that contradicts itself is refused. What is missing, or differs, is said beside the run: it may be good enough for
its purpose, but a reader has to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.metrics import load_task
from qbench.metrics.task import stored_scores
from qbench.report.banners import Banner, run_banners
from qbench.results import MachineFacts, Run, RunHeader

_NEEDED = {
    "cpu_model": "processor",
    "cpu_features": "instruction sets",
    "cores_allowed": "number of cores",
    "memory_bytes": "memory",
    "system": "system",
}
"""Facts of the environment without which figures cannot be placed, and what they are called."""
_VERSIONS = ("qbench", "numpy", "numba", "onnxruntime")
_APART = 5e-4
"""How far a stated score, in its unit, may be from what the answers give: it is written as a number of few places."""


def refuse(run: Run[Any]) -> None:
    """Raise ResultsError for a run without rows, or with rows that contradict its header or themselves."""
    if not run.results:
        raise ResultsError(f"{run.folder}: expected a run with at least one row, got none")
    for result, line in zip(run.results, run.lines, strict=True):
        place = f"{run.folder}/trials.jsonl:{line}"
        if result.machine and result.machine not in run.header.machines:
            known = ", ".join(run.header.machines) or "none"
            raise ResultsError(f"{place}: made by machine '{result.machine}', expected one of run.json: {known}")
        if isinstance(result, TrialResult):
            _refuse_score(result, run.header, place)


def _refuse_score(result: TrialResult, header: RunHeader, place: str) -> None:
    """Raise ResultsError where a stated score is not the one that the row's own answers give."""
    task = load_task(header.suite.task)
    stated: Metric | None = result.metrics.get(task.primary.name)
    each = stored_scores(result, header.data.images)
    if stated is None or stated.value is None or each is None:
        return
    found = task.summary(each).value
    if found is not None and abs(found - stated.value) > _APART * max(1.0, abs(found)):
        name, unit = task.primary.name, task.primary.unit
        raise ResultsError(f"{place}: {name} says {stated.value:g} {unit}, but its own answers give {found:g} {unit}")


def findings(run: Run[Any]) -> list[Banner]:
    """Return (tone, sentence) for what is wrong with a run, or missing in it, by itself."""
    header = run.header
    failed = sum(result.status == "failed" for result in run.results)
    found = run_banners(header, f"{failed} of {len(run.results)} rows failed." if failed else "")
    missing = list(dict.fromkeys(_missing(run)))
    if missing:
        found.append(("warn", f"Missing: {', '.join(missing)}."))
    return found


def _missing(run: Run[Any]) -> Iterator[str]:
    header = run.header
    if not header.machines:
        yield "the machine"
    for machine in header.machines.values():
        yield from (title for name, title in _NEEDED.items() if not machine.environment.get(name))
        needed = _VERSIONS if header.device == "cpu" else _VERSIONS[1:3]
        yield from (f"version of {name}" for name in needed if name not in machine.versions)
        if any(result.measurements for result in run.results):
            yield from (what for what, there in _steady(machine) if not there)
    if not header.suite.text:
        yield "the suite"
    if header.model.name and not header.model.sha256:
        yield "the hash of the network"
    if header.data.name and not header.data.sha256:
        yield "the hash of the data"


def _steady(machine: MachineFacts) -> tuple[tuple[str, object], ...]:
    return (("the ceilings of the machine", machine.ceilings), ("readings of steadiness", machine.canary))


def differences(runs: Sequence[tuple[str, Run[Any]]]) -> dict[str, list[Banner]]:
    """Return what sets runs apart from those that they stand beside: name of a run -> (tone, sentence) each.

    Runs of one network, or of the same data, are held against the newest of them: scores of other files are not
    comparable. Runs of one machine are, too: other versions of libraries are other times.

    Args:
        runs: name and run, the newest first.
    """
    found: dict[str, list[Banner]] = {name: [] for name, _ in runs}
    newest: dict[tuple[str, str], tuple[str, Any]] = {}
    for name, run in runs:
        for what, of, value in _identity(run.header):
            first, expected = newest.setdefault((what, of), (name, value))
            if first != name and expected != value:
                found[name].append(("warn", _differs(what, of, first, value, expected)))
    return found


def _identity(header: RunHeader) -> Iterator[tuple[str, str, Any]]:
    """Yield what must be alike: a word for it, whose it is, and its value."""
    if header.model.sha256:
        yield "network", header.model.name, header.model.sha256[:8]
    if header.data.sha256:
        yield "data", header.data.name, f"{header.data.images:,} samples, {header.data.sha256[:8]}"
    for name, machine in header.machines.items():
        yield "versions", name, machine.versions


def _differs(what: str, of: str, first: str, value: Any, expected: Any) -> str:
    if what != "versions":
        return f"Other {what} under the name {of} than in {first} ({value}, there {expected}): do not compare scores."
    changed = [
        f"{name} {value.get(name, 'absent')} ({expected.get(name, 'absent')})"
        for name in _sorted({*value, *expected})
        if value.get(name) != expected.get(name)
    ]
    return f"Other versions on the same machine than in {first} (there in brackets): {', '.join(changed)}."


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=str.lower)
