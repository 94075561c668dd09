"""Text and stages of a recipe meet in one place, in one order."""

from __future__ import annotations

import pytest

from qbench.core.trial import Trial
from qbench.errors import QBenchError
from qbench.methods import METHODS
from qbench.quantization import STAGES, Recipe, parse_recipe, stage_names

TEXTS = (
    "none", "mse", "mse/bias", "minmax/variance", "mse/both", "cle/mse", "mse+gptq", "cle/mse+gptq/both",
    "smoothquant(0.8)/mse", "cle/awq(data-free)/mse/bias",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_recipe_is_written_as_it_is_read(text: str) -> None:
    assert parse_recipe(text).text == text


@pytest.mark.parametrize("text", ["smoothquant(0.50)/mse", "smoothquant( 0.5 )/mse", "smoothquant/mse"])
def test_a_value_that_is_the_default_is_left_out(text: str) -> None:
    assert parse_recipe(text).stages[0] == parse_recipe("smoothquant/mse").stages[0]
    assert parse_recipe(text).text == "smoothquant/mse"


def test_stages_stand_in_the_order_of_the_text() -> None:
    assert [stage.name for stage in parse_recipe("cle/mse+gptq/variance/bias").stages] == [
        "cle", "mse", "gptq", "variance", "bias",
    ]  # fmt: skip


def test_a_trial_says_its_recipe_and_keeps_the_keys_of_older_rows() -> None:
    trial = Trial(
        "s", "m", "d", "all", "w4c-a8t", "mse", correction="both", edges="w8c-a8t", overrides="linear=w8c-a8t"
    )
    assert trial.key == "s/m/all/w4c-a8t/edges-w8c-a8t/rules-linear=w8c-a8t/mse/both/s0"
    assert Trial("s", "m", "d", "all", "w4c-a8t", "mse", transform="cle", rounding="gptq").recipe == "cle/mse+gptq"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one method, got none"),
        ("mze", "did you mean 'mse'"),
        ("bias", "expected one method, got none$"),
        ("mse/minmax", "expected one method, got mse and minmax"),
        ("mse/gptq", "expected 'gptq' behind the method and a '\\+', got it after the method"),
        ("bias/mse", "expected 'bias' after the method, got it before the method"),
        ("mse+cle", "expected 'cle' before the method"),
        ("mse/bios", "unknown stage 'bios'; did you mean 'bias'"),
        ("mse/bias/bias", "got 'bias' twice"),
        ("smoothquant(2)/mse", "'smoothquant': expected alpha in 0..1, got '2'"),
        ("smoothquant()/mse", "expected alpha in 0..1, got ''"),
        ("smoothquant(0.5/mse", "unknown stage 'smoothquant\\(0.5'"),
        ("smoothquant/smoothquant(0.1)/mse", "got 'smoothquant' twice"),
        ("awq(free)/mse", "expected data-free, got 'free'"),
        ("cle(1)/mse", "expected 'cle' without brackets, got 'cle\\(1\\)'"),
        ("none/bias", "'none' quantizes nothing"),
    ],
)
def test_a_wrong_recipe_is_one_line_that_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(QBenchError, match=message) as caught:
        parse_recipe(text)
    assert "\n" not in str(caught.value)


def test_no_stage_bears_the_name_of_a_method() -> None:
    assert not set(STAGES) & {*METHODS, "none"}


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_says_where_it_stands_and_has_a_version(name: str) -> None:
    stage = STAGES.part(name)
    assert stage.name == name
    assert name in stage_names(stage.place)
    assert stage.version >= 1


def test_versions_of_all_stages_are_part_of_what_a_row_depends_on() -> None:
    recipe: Recipe = parse_recipe("cle/mse+gptq/bias")
    assert set(recipe.versions) == {"cle", "mse", "gptq", "bias"}
