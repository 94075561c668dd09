"""Rows of the two smallest suites are those of the golden file, every field but times.

A change that is meant to change rows writes the file anew and says why: `python -m tests.golden.write RUN KERNEL_RUN`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qbench.core.trial import WINNERS
from qbench.results import read_run
from tests.golden.facts import ROWS, differences, kernel_facts, network_facts, on_any_machine, variant_of

GOLDEN: dict[str, list[dict[str, Any]]] = json.loads(ROWS.read_text(encoding="utf-8"))


def compare(want: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    """Assert that rows are golden: with kernels and layouts where the machine has the golden variant, else without."""
    assert [row["key"] for row in found] == [row["key"] for row in want]
    same = variant_of(found) == variant_of(want)
    for one, two in zip(want, found, strict=True):
        told = (one, two) if same else (on_any_machine(one), on_any_machine(two))
        assert differences(*told) == [], one["key"]


@pytest.mark.xdist_group("tiny")
def test_rows_of_networks_are_golden(tiny_run: tuple[Path, object]) -> None:
    planned = [row for row in read_run(tiny_run[0]).results if row.trial.sweep != WINNERS]
    compare(GOLDEN["networks"], [network_facts(row) for row in planned])


@pytest.mark.xdist_group("tiny_kernels")
def test_rows_of_kernels_are_golden(tiny_kernel_run: Path) -> None:
    compare(GOLDEN["kernels"], [kernel_facts(row) for row in read_run(tiny_kernel_run).results])


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_a_row_that_differs_in_any_fact_is_not_golden(kind: str) -> None:
    def changed(facts: Any) -> list[Any]:
        """Return copies of facts with one thing changed in each."""
        if isinstance(facts, dict):
            return [facts | {name: one} for name, fact in facts.items() for one in changed(fact)]
        if isinstance(facts, list):
            places = range(len(facts))
            return [[*facts[:i], one, *facts[i + 1 :]] for i in places for one in changed(facts[i])]
        return [not facts] if isinstance(facts, bool) else [f"{facts}."] if isinstance(facts, str) else []

    row = GOLDEN[kind][-1]
    assert differences(row, row) == []
    assert len(changed(row)) > 10
    assert all(len(differences(row, other)) == 1 for other in changed(row))
    assert differences({"a": 1.0, "sqnr_db": 130.0}, {"a": 1.00001, "sqnr_db": 129.0}) == []
    assert len(differences({"a": 1.0, "sqnr_db": 30.0}, {"a": 1.001, "sqnr_db": 29.0})) == 2
