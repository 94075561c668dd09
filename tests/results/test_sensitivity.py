"""From the losses of single layers to rules that can be pasted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.rules import parse_rules
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError
from qbench.results import ModelFacts, read_run
from qbench.results.sensitivity import Ladder, LayerChoice, chosen, ladders, moves, overrides_text, rules_of

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


@pytest.fixture
def run(make_row: MakeRow, make_run: MakeRun) -> Path:
    """fp32 is right on 370 of 400: each wrong image more is a quarter of a point."""

    def alone(layer: str, spec: str, wrong: int, sweep: str = "sensitivity") -> TrialResult:
        row = make_row(spec, wrong=wrong)
        return replace(row, trial=replace(row.trial, sweep=sweep, layers=layer))

    rows = [
        make_row("w32-a32", wrong=30),
        alone("last", "w4c-a32", 30),
        alone("last", "w2c-a32", 31),
        alone("stem", "w4c-a32", 40),
        alone("stem", "w2c-a32", 90),
        alone("middle", "w4c-a8t", 29),
        alone("middle", "w2c-a8t", 60),
    ]
    model = ModelFacts(name="n", sha256="", layers=("stem", "middle", "last"))
    return make_run("run", *rows, model=model)


def test_moves_are_taken_while_their_single_losses_fit_together(run: Path) -> None:
    found = ladders(read_run(run))
    assert [ladder.layer for ladder in found] == ["stem", "middle", "last"]
    order = moves(found, points=0.3, fallback="w8c-a8t")
    assert chosen(found, order) == (
        LayerChoice("stem", "", 2.5),
        LayerChoice("middle", "w4c-a8t", -0.25),
        LayerChoice("last", "w2c-a32", 0.25),
    )
    assert chosen(found, moves(found, points=0.2, fallback="w8c-a8t"))[2] == LayerChoice("last", "w4c-a32", 0.0)
    assert moves(found, points=0.0, fallback="w4c-a8t") == ()


def test_noise_is_no_gain() -> None:
    one = Ladder("one", 10, {"w4c-a8t": 0.2, "w3c-a8t": -0.4, "w2c-a8t": 0.1})
    other = Ladder("other", 10, {"w4c-a8t": 0.2, "w2c-a8t": 0.3})
    assert [one.cost(spec) for spec in one.losses] == [0.2, 0.2, 0.2]
    order = moves((one, other), points=0.3, fallback="w8c-a8t")
    assert order == (("one", "w2c-a8t"),)  # its gain of 0.4 at 3 bits pays for nothing


def test_the_text_is_a_mapping_that_the_command_line_reads_too(run: Path) -> None:
    found = ladders(read_run(run))
    choices = chosen(found, moves(found, points=0.3, fallback="w8c-a8t"))
    text = overrides_text(choices, rules_of(choices, activations="a8t", fallback="w8c-a8t"))
    assert text.splitlines()[0] == "overrides:"
    assert [rule.text for rule in parse_rules(text)] == ["stem=w8c-a8t", "middle=w4c-a8t", "name:last=w2c-a8t"]


def test_a_run_without_single_layers_is_refused(make_row: MakeRow, make_run: MakeRun) -> None:
    folder = make_run("plain", make_row("w32-a32"), make_row())
    with pytest.raises(ResultsError, match="expected a sweep with 'layers: each', got no row of a single layer"):
        ladders(read_run(folder))


def test_an_unknown_sweep_gets_a_suggestion(run: Path) -> None:
    with pytest.raises(ResultsError, match="did you mean 'sensitivity'"):
        ladders(read_run(run), sweep="sensitivty")
