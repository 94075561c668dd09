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
from qbench.results.sensitivity import LayerChoice, choices, overrides_text

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


def test_each_layer_takes_the_narrowest_spec_that_it_bears(run: Path) -> None:
    assert choices(read_run(run), points=0.3) == (
        LayerChoice("stem", "", 2.5),
        LayerChoice("middle", "w4c-a8t", -0.25),
        LayerChoice("last", "w2c-a32", 0.25),
    )


def test_the_text_is_a_mapping_that_the_command_line_reads_too(run: Path) -> None:
    text = overrides_text(choices(read_run(run), points=0.3), activations="a8t", fallback="w8c-a8t")
    assert text.splitlines()[0] == "overrides:"
    assert [rule.text for rule in parse_rules(text)] == ["stem=w8c-a8t", "middle=w4c-a8t", "last=w2c-a8t"]


def test_a_run_without_single_layers_is_refused(make_row: MakeRow, make_run: MakeRun) -> None:
    folder = make_run("plain", make_row("w32-a32"), make_row())
    with pytest.raises(ResultsError, match="expected a sweep with 'layers: each', got no row of a single layer"):
        choices(read_run(folder), points=0.3)


def test_an_unknown_sweep_gets_a_suggestion(run: Path) -> None:
    with pytest.raises(ResultsError, match="did you mean 'sensitivity'"):
        choices(read_run(run), points=0.3, sweep="sensitivty")
