"""What a suite expects, with the rows that each expectation is about: found before anything runs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from qbench.core.alike import all_but, trial_fields
from qbench.core.trial import Trial
from qbench.results.header import Expected, Ordered
from qbench.suite import Suite
from qbench.suite.expect import Expectation
from qbench.suite.filter import parse_filter


def expected(suite: Suite, trials: Sequence[Trial]) -> tuple[Expected, ...]:
    """Return the suite's expectations with the keys of their rows; one that no row matches has none.

    Args:
        suite: says what is expected.
        trials: all that are planned, those that are skipped too.
    """
    return tuple(_resolved(one, trials) for one in suite.expect)


def _resolved(asked: Expectation, trials: Sequence[Trial]) -> Expected:
    holds = parse_filter(asked.where) if asked.where else None
    rows = [trial for trial in trials if (holds(trial) if holds else trial.sweep != "baseline")]
    same = ("name", "column", "least", "most", "keep", "judge")
    return Expected(
        **{name: getattr(asked, name) for name in same},
        text=_text(asked),
        keys=() if asked.order else tuple(row.key for row in rows),
        pairs=tuple(_pairs(asked, rows)) if asked.order else (),
    )


def _pairs(asked: Expectation, rows: Sequence[Trial]) -> Iterator[Ordered]:
    """Yield the neighbours of an order: rows that differ in the field alone, each group of such rows by itself."""
    groups: dict[Hashable, dict[str, str]] = {}
    for row in rows:
        value = str(trial_fields(row)[asked.by])
        groups.setdefault(all_but(row, asked.by), {}).setdefault(value, row.key)
    for group in groups.values():
        for worse, better, strictly in asked.links:
            if worse in group and better in group:
                yield Ordered(worse=group[worse], better=group[better], strictly=strictly)


def _text(asked: Expectation) -> str:
    """Return what is asked in words, e.g. `packed_bytes at most 200000 where bits == 4`."""
    column = f"{asked.column} " if asked.column else ""
    bounds = [f"at {word} {end:g}" for word, end in (("least", asked.least), ("most", asked.most)) if end is not None]
    what = asked.order or (f"{100 * asked.keep:g} % of fp32's score kept" if asked.keep else " and ".join(bounds))
    by = f" by {asked.by}" if asked.order and asked.by != "recipe" else ""
    return f"{column}{what}{by}" + (f" where {asked.where}" if asked.where else "")
