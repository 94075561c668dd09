"""Suites become trials: products, cells added and left out, and a reason for each that cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from qbench.core.rules import Kind
from qbench.core.spec import LayerSpec
from qbench.errors import SuiteError
from qbench.suite import Planned, Suite, expand, load_suite

LAYERS = ("stem", "blocks.0.conv1", "blocks.0.conv2", "classifier")


def suite(folder: Path, sweep: str, more: str = "") -> Suite:
    path = folder / "mini.yaml"
    path.write_text(f"name: mini\nmodel: resnet20\ndata: cifar10-shard\n{more}sweeps:\n  - {{name: one, {sweep}}}\n")
    return load_suite(path)


def trials(folder: Path, sweep: str, more: str = "") -> tuple[Planned, ...]:
    return expand(suite(folder, sweep, more), LAYERS)


def keys(planned: tuple[Planned, ...]) -> list[str]:
    return [item.trial.key.removeprefix("one/resnet20/") for item in planned[1:]]


def test_the_fp32_row_is_the_first_trial(tmp_path: Path) -> None:
    first = trials(tmp_path, "spec: w8c-a8t, method: mse")[0]
    assert first.trial.key == "baseline/resnet20/all/w32-a32/none/s0"
    assert first.measure == ("accuracy",)
    assert first.trial.batch_sizes == ()


def test_the_fp32_row_is_timed_when_anything_is(tmp_path: Path) -> None:
    first = trials(tmp_path, "spec: w8c-a8t, method: mse, measure: [accuracy, speed]")[0]
    assert first.measure == ("accuracy", "speed")
    assert first.trial.batch_sizes == (1, 256)


def test_axes_make_a_product_in_the_order_of_method_scope_and_bits(tmp_path: Path) -> None:
    found = trials(tmp_path, "scope: [weights, activations], bits: [8, 4], method: [mse, minmax]")
    assert keys(found) == [
        "all/w8c-a32/mse/s0",
        "all/w4c-a32/mse/s0",
        "all/w32-a8t/mse/s0",
        "all/w32-a4t/mse/s0",
        "all/w8c-a32/minmax/s0",
        "all/w4c-a32/minmax/s0",
        "all/w32-a8t/minmax/s0",
        "all/w32-a4t/minmax/s0",
    ]


def test_scope_is_full_and_granularity_per_channel_unless_said(tmp_path: Path) -> None:
    assert keys(trials(tmp_path, "bits: 4, method: mse")) == ["all/w4c-a4t/mse/s0"]


def test_activations_can_have_their_own_width(tmp_path: Path) -> None:
    assert keys(trials(tmp_path, "bits: [4, 2], activation_bits: 8, method: mse")) == [
        "all/w4c-a8t/mse/s0",
        "all/w2c-a8t/mse/s0",
    ]


def test_granularity_of_weights_makes_no_difference_to_activations(tmp_path: Path) -> None:
    found = trials(tmp_path, "scope: activations, bits: 4, granularity: [tensor, channel, group32], method: mse")
    assert keys(found) == ["all/w32-a4t/mse/s0"]


def test_each_layer_alone_is_a_trial(tmp_path: Path) -> None:
    found = trials(tmp_path, "layers: each, scope: weights, bits: 4, method: mse")
    assert [item.trial.layers for item in found[1:]] == list(LAYERS)


def test_globs_choose_layers(tmp_path: Path) -> None:
    found = trials(tmp_path, "layers: ['blocks.*', stem], scope: weights, bits: 4, method: mse")
    assert [item.trial.layers for item in found[1:]] == ["blocks.0.conv1", "blocks.0.conv2", "stem"]


def test_a_layer_that_does_not_exist_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="sweep 'one': no layer is named 'clasifier'; did you mean 'classifier'"):
        trials(tmp_path, "layers: [clasifier], scope: weights, bits: 4, method: mse")


def test_exclude_leaves_out_cells_where_every_axis_matches(tmp_path: Path) -> None:
    found = trials(
        tmp_path,
        "scope: weights, bits: [8, 4], granularity: [channel, group32], method: mse, "
        "exclude: [{bits: 8, granularity: group32}]",
    )
    assert keys(found) == ["all/w8c-a32/mse/s0", "all/w4c-a32/mse/s0", "all/w4g32-a32/mse/s0"]


def test_the_number_of_calibration_samples_is_an_axis_of_its_own(tmp_path: Path) -> None:
    found = trials(tmp_path, "bits: 8, method: mse, seed: [0, 1], samples: [16, 64]")
    assert keys(found) == [f"all/w8c-a8t/mse/s{seed}/n{count}" for seed in (0, 1) for count in (16, 64)]
    assert [item.trial.calibration for item in found[1:]] == [16, 64, 16, 64]


def test_where_calibration_samples_come_from_is_an_axis_and_none_is_for_weights_alone(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: [w8c-a32, w8c-a8t], recipe: [mse, mse/bias], source: [data, noise, none]")
    why = {item.trial.key.partition("/all/")[2]: item.reason for item in found[1:]}
    assert [item.trial.source for item in found[1:4]] == ["", "noise", "none"]
    assert {key: reason for key, reason in why.items() if reason} == {
        "w8c-a32/mse/bias/s0/from-none": "source 'none': bias looks at calibration samples",
        "w8c-a8t/mse/s0/from-none": "source 'none': activations of w8c-a8t need calibration samples",
        "w8c-a8t/mse/bias/s0/from-none": "source 'none': bias looks at calibration samples",
    }
    assert [item.trial.calibration for item in found[1:4]] == [512, 512, 0]


def test_include_adds_cells_that_take_the_sweeps_other_axes(tmp_path: Path) -> None:
    found = trials(tmp_path, "scope: weights, bits: 8, method: mse, seed: [0, 1], include: [{bits: 2, method: minmax}]")
    assert keys(found) == ["all/w8c-a32/mse/s0", "all/w8c-a32/mse/s1", "all/w2c-a32/minmax/s0", "all/w2c-a32/minmax/s1"]


def test_include_may_name_a_spec_where_the_sweep_names_bits(tmp_path: Path) -> None:
    found = trials(tmp_path, "bits: 8, method: mse, include: [{spec: wt-a8t, method: ternary}]")
    assert keys(found) == ["all/w8c-a8t/mse/s0", "all/wtc-a8t/ternary/s0"]


def test_equal_cells_are_one_trial(tmp_path: Path) -> None:
    assert len(trials(tmp_path, "bits: [8, 8], method: mse, include: [{spec: w8-a8, method: mse}]")) == 2


def test_a_format_follows_from_the_method(tmp_path: Path) -> None:
    found = trials(tmp_path, "scope: weights, bits: 4, method: [log, kmeans, pot]")
    assert keys(found) == ["all/w4logc-a32/log/s0", "all/w4kmc-a32/kmeans/s0", "all/w4potc-a32/pot/s0"]


def test_what_a_method_cannot_do_is_planned_with_its_reason(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: [wt-a8t, w8c-a8t], method: minmax")
    assert found[1].trial.spec == "wtc-a8t"
    assert found[1].reason.startswith("minmax")
    assert found[2].reason == ""


def test_a_width_that_a_method_does_not_have_is_planned_with_its_reason(tmp_path: Path) -> None:
    (_, found) = trials(tmp_path, "scope: weights, bits: 8, method: ternary")
    assert found.trial.key == "one/resnet20/all/w8c-a32/ternary/s0"
    assert found.reason


def test_the_caller_may_say_what_is_supported(tmp_path: Path) -> None:
    def nothing(method: str, spec: LayerSpec) -> str:
        return f"{method} is out of order for {spec.token}"

    found = expand(suite(tmp_path, "spec: w8c-a8t, method: mse"), LAYERS, nothing)
    assert [item.reason for item in found] == ["", "mse is out of order for w8c-a8t"]


def test_edges_give_the_first_and_last_layer_another_spec(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: [w8c-a8t, w2c-a2t], edges: [same, w8c-a8t], method: mse")
    assert keys(found) == [
        "all/w8c-a8t/mse/s0",
        "all/w2c-a2t/mse/s0",
        "all/w2c-a2t/edges-w8c-a8t/mse/s0",
    ]


def test_edges_of_single_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="'edges' goes with 'layers: all'"):
        trials(tmp_path, "layers: each, spec: w2c-a2t, edges: w8c-a8t, method: mse")


def test_a_filter_keeps_the_baseline_and_what_it_names(tmp_path: Path) -> None:
    found = trials(tmp_path, "bits: [8, 4], method: [mse, kl]", more="filter: bits <= 4 and method == mse\n")
    assert [item.trial.key for item in found] == [
        "baseline/resnet20/all/w32-a32/none/s0",
        "one/resnet20/all/w4c-a4t/mse/s0",
    ]


def test_batch_sizes_belong_to_timed_trials_alone(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\nmodel: resnet20\ndata: cifar10-shard\ntiming: {batch_sizes: 4}\nsweeps:\n"
        "  - {name: quiet, spec: w8c-a8t, method: mse}\n  - {name: timed, measure: speed, spec: w8c-a8t, method: mse}\n"
    )
    assert [item.trial.batch_sizes for item in expand(load_suite(path), LAYERS)] == [(4,), (), (4,)]


def test_a_peer_can_be_the_one_that_runs_the_network(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: w8c-a8t, method: mse, backend: onnxruntime-int8")
    assert keys(found) == ["all/w8c-a8t/mse/s0/onnxruntime-int8"]


def test_keys_are_unique_over_sweeps(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\nmodel: resnet20\ndata: cifar10-shard\nsweeps:\n"
        "  - {name: first, spec: w8c-a8t, method: mse}\n  - {name: second, spec: w8c-a8t, method: mse}\n"
    )
    found = [item.trial.key for item in expand(load_suite(path), LAYERS)]
    assert len(found) == len(set(found)) == 3


def test_overrides_are_part_of_a_trial_and_of_its_key(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: w4c-a8t, method: mse, overrides: {stem: w8-a8, 'blocks.*': w2c-a8t}")
    assert found[1].trial.overrides == "blocks.*=w2c-a8t,stem=w8c-a8t"
    assert keys(found) == ["all/w4c-a8t/rules-blocks.*=w2c-a8t,stem=w8c-a8t/mse/s0"]


def test_many_overrides_are_short_in_a_key_and_still_tell_trials_apart(tmp_path: Path) -> None:
    def key(stem: str) -> str:
        rules = f"{{stem: {stem}, blocks.0.conv1: w4g32-a8t, blocks.0.conv2: w8c-a8t, classifier: w8c-a8t}}"
        return keys(trials(tmp_path, f"spec: w4c-a8t, method: mse, overrides: {rules}"))[0]

    assert len(key("w8c-a8t")) < 80
    assert key("w8c-a8t") != key("w6c-a8t")


def test_overrides_may_name_operator_types(tmp_path: Path) -> None:
    kinds: dict[str, Kind] = dict(zip(LAYERS, ("conv", "depthwise", "conv", "linear"), strict=True))
    found = expand(suite(tmp_path, "spec: w4c-a8t, method: mse, overrides: {depthwise: w8c-a8t}"), kinds)
    assert found[1].reason == ""
    with pytest.raises(SuiteError, match="no layer is of the type 'depthwise'; types here: conv"):
        trials(tmp_path, "spec: w4c-a8t, method: mse, overrides: {depthwise: w8c-a8t}")


def test_a_rule_that_the_method_cannot_do_is_a_reason(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: w4c-a8t, method: minmax, overrides: {stem: wt-a8t}")
    assert "minmax: cannot give weights the format Ternary()" in found[1].reason


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "overrides: {stam: w8c-a8t}",
            "sweep 'one': layer rule 'stam=w8c-a8t': no layer is named 'stam'; did you mean",
        ),
        ("overrides: {stem: w8c-a8t, first: w2c-a8t}", "contradict each other"),
        ("edges: w8c-a8t, overrides: {stem: w2c-a8t}", "contradict each other"),
        ("overrides: {stem: w9}", "spec 'w9'"),
        ("overrides: [stem]", "'sweeps.0.overrides'"),
        ("layers: each, overrides: {stem: w8c-a8t}", "'overrides' goes with 'layers: all'"),
        ("correction: biases", "'sweeps.0.correction"),
    ],
)
def test_wrong_overrides_are_refused_in_one_line(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(SuiteError) as refusal:
        trials(tmp_path, f"spec: w4c-a8t, method: mse, {more}")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_corrections_are_an_axis(tmp_path: Path) -> None:
    found = trials(tmp_path, "spec: w4c-a8t, method: mse, correction: [none, bias, variance, both]")
    assert [item.trial.correction for item in found[1:]] == ["", "bias", "variance", "both"]
    assert keys(found)[3] == "all/w4c-a8t/mse/both/s0"
