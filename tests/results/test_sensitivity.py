"""From the losses of single layers to rules that can be pasted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.rules import parse_rules
from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.results import ModelFacts, read_run
from qbench.results.findings.layers import SCOPES, layer_lines, measures
from qbench.results.sensitivity import (
    MEASURES,
    Ladder,
    LayerChoice,
    Which,
    chosen,
    ladders,
    moves,
    overrides_text,
    rules_of,
)

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
    order = moves(found, most=0.3, fallback="w8c-a8t")
    assert chosen(found, order) == (
        LayerChoice("stem", "", 2.5),
        LayerChoice("middle", "w4c-a8t", -0.25),
        LayerChoice("last", "w2c-a32", 0.25),
    )
    assert chosen(found, moves(found, most=0.2, fallback="w8c-a8t"))[2] == LayerChoice("last", "w4c-a32", 0.0)
    assert moves(found, most=0.0, fallback="w4c-a8t") == ()


def test_noise_is_no_gain() -> None:
    one = Ladder("one", 10, {"w4c-a8t": 0.2, "w3c-a8t": -0.4, "w2c-a8t": 0.1})
    other = Ladder("other", 10, {"w4c-a8t": 0.2, "w2c-a8t": 0.3})
    assert [one.cost(spec) for spec in one.losses] == [0.2, 0.2, 0.2]
    order = moves((one, other), most=0.3, fallback="w8c-a8t")
    assert order == (("one", "w2c-a8t"),)  # its gain of 0.4 at 3 bits pays for nothing


def test_the_text_is_a_mapping_that_the_command_line_reads_too(run: Path) -> None:
    found = ladders(read_run(run))
    choices = chosen(found, moves(found, most=0.3, fallback="w8c-a8t"))
    text = overrides_text(choices, rules_of(choices, activations="a8t", fallback="w8c-a8t"))
    assert text.splitlines()[0] == "overrides:"
    assert [rule.text for rule in parse_rules(text)] == ["stem=w8c-a8t", "middle=w4c-a8t", "name:last=w2c-a8t"]


def test_a_run_without_single_layers_is_refused(make_row: MakeRow, make_run: MakeRun) -> None:
    folder = make_run("plain", make_row("w32-a32"), make_row())
    with pytest.raises(ResultsError, match="expected a sweep with 'layers: each', got no row of a single layer"):
        ladders(read_run(folder))


def test_an_unknown_sweep_gets_a_suggestion(run: Path) -> None:
    with pytest.raises(ResultsError, match="did you mean 'sensitivity'"):
        ladders(read_run(run), Which(sweep="sensitivty"))


def alone(make_row: MakeRow, layer: str, spec: str, db: float, method: str = "mse", wrong: int = 30) -> TrialResult:
    row = make_row(spec, wrong=wrong)
    layers = ({"name": layer, "channels": 4, "depth": 10, "operations": 800},)
    metrics = {"logit_sqnr_db": Metric(db, "dB", "higher"), "logit_kl_nats": Metric(10 ** (-db / 10), "nats", "lower")}
    trial = replace(row.trial, sweep="each", layers=layer, method=method)
    return replace(row, trial=trial, layer_rows=layers, metrics=metrics)


@pytest.fixture
def mixed(make_row: MakeRow, make_run: MakeRun) -> Path:
    """Two layers, by two recipes, weights and activations."""
    rows = [make_row("w32-a32", wrong=30)]
    for method, better in (("mse", 0.0), ("kl", 3.0)):
        rows += [
            alone(make_row, "stem", "w4c-a32", 20 + better, method),
            alone(make_row, "last", "w4c-a32", 30, method),
        ]
        rows += [
            alone(make_row, "stem", "w32-a4t", 10 + better, method),
            alone(make_row, "last", "w32-a4t", 40, method),
        ]
    rows += [alone(make_row, "stem", "w4c-a4t", 9, wrong=40), alone(make_row, "stem", "w4c-a8t", 19)]
    return make_run("mixed", *rows, model=ModelFacts(name="n", sha256="", layers=("stem", "last")))


def test_sweeps_of_several_recipes_and_scopes_are_read_one_at_a_time(mixed: Path) -> None:
    run = read_run(mixed)
    with pytest.raises(ResultsError, match="expected single layers of one recipe, got mse, kl; name one"):
        ladders(run)
    with pytest.raises(ResultsError, match="expected single layers of one scope, got weights, activations; name one"):
        ladders(run, Which(recipe="kl"))
    with pytest.raises(ResultsError, match=r"recipe 'kll' tried no single layers; did you mean 'kl'\?"):
        ladders(run, Which(recipe="kll"))
    assert [ladder.losses for ladder in ladders(run, Which(recipe="kl", scope="weights"))] == 2 * [{"w4c-a32": 0.0}]


def test_layers_are_compared_by_noise_and_divergence_too(mixed: Path) -> None:
    which = Which(recipe="mse", scope="activations")
    stem, last = ladders(read_run(mixed), which, measure="sqnr")
    assert (stem.cost("w32-a4t"), last.cost("w32-a4t")) == (pytest.approx(0.1), pytest.approx(0.0001))
    assert ladders(read_run(mixed), which, measure="kl")[0].cost("w32-a4t") == pytest.approx(0.1)
    most = MEASURES["sqnr"].cost(20.0)  # of 20 dB only the last layer's 40 can be paid
    order = moves((stem, last), most=most, fallback="w8c-a8t")
    assert order == (("last", "w32-a4t"),)
    choices = chosen((stem, last), order)
    rules = rules_of(choices, activations="a8t", fallback="w8c-a8t")
    assert [rule.spec for rule in rules] == ["w8c-a8t", "w8c-a4t"]
    assert "# 40.0 dB of SQNR left alone" in overrides_text(choices, rules, measure="sqnr")


def test_a_layer_has_a_line_for_each_recipe_and_width_with_all_scopes_beside_each_other(mixed: Path) -> None:
    lines = layer_lines(read_run(mixed))
    assert [(line.layer, line.recipe, line.bits, line.granularity) for line in lines] == [
        ("stem", "kl", 4, "channel"),
        ("stem", "mse", 4, "channel"),
        ("last", "kl", 4, "channel"),
        ("last", "mse", 4, "channel"),
    ]
    stem = lines[1]
    assert [stem.value(scope, "logit_sqnr_db") for scope in SCOPES] == [20, 10, 9]  # w4c-a8t has no one width
    assert stem.value("full", "top1_drop_points") == 2.5
    assert lines[0].value("full", "logit_sqnr_db") is None
    assert list(measures(read_run(mixed))) == ["top1_drop_points", "logit_sqnr_db", "logit_kl_nats"]
