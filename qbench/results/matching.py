"""Which rows of two runs are the same trial, also across suites, and what else differs between the runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qbench.results.reader import Run

Rows = Mapping[str, Any]


def matched(old: Rows, new: Rows) -> list[tuple[str, str]]:
    """Return the keys of rows that are the same trial: those with one key, then those that only the sweep's name parts.

    Args:
        old: key -> row of the first run.
        new: of the second.
    """
    pairs = [(key, key) for key in old if key in new]
    left = {_without_sweep(key): key for key in reversed([*new]) if key not in old}
    for key in old:
        if key not in new and (other := left.pop(_without_sweep(key), None)):
            pairs.append((key, other))
    return pairs


def _without_sweep(key: str) -> str:
    return key.partition("/")[2]


def circumstances(before: Run[Any], after: Run[Any]) -> Iterator[str]:
    """Yield in words what else differs between two runs, beside their machines."""
    old, new = before.header, after.header
    facts = (
        ("suite", old.suite.name, new.suite.name),
        ("what the suite says", old.suite.sha256[:8], new.suite.sha256[:8]),
        ("network", _named(old.model), _named(new.model)),
        ("data", _named(old.data), _named(new.data)),
        ("device", old.device, new.device),
        ("times", *("quick" if one.suite.quick else "thorough" for one in (old, new))),
        ("commit", old.commit, new.commit),
        ("version", old.qbench_version, new.qbench_version),
    )
    for name, first, second in facts:
        if first != second:
            yield f"{name}: {first or 'unknown'} before, {second or 'unknown'} after"


def _named(facts: Any) -> str:
    return f"{facts.name} ({facts.sha256[:8]})" if facts.name else ""
