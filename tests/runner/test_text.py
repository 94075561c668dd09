"""Whole rows of a transformer on token ids: quantized, verified, scored, timed beside peers, saved and planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from qbench.core.trial import TrialResult
from qbench.engine import FloatSession
from qbench.peers import PEERS
from qbench.runner.networks.baseline import check_runtimes
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.trial import run_trial
from qbench.runner.own.inside import look_inside
from qbench.runner.own.layer_plan import plan_model
from qbench.runner.own.request import Asked
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import ready_peers
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Rules
from qbench.suite import Planned, Suite, expand, load_suite
from qbench.zoo.text.documents import Documents
from tests.engine.encoder import encoder, ids

SUITE = """
name: texts
model: encoder.onnx
data: bbc-news
calibration: {samples: 16}
threads: 2
timing: {batch_sizes: [1, 4], precision: 0.5, seconds_a_cell: 0.01, references: [onnxruntime-fp32, onnxruntime-int8]}
sweeps:
  - {name: bits, scope: [weights, full], bits: 8, method: minmax}
  - {name: groups, spec: w4g16-a8t, method: mse}
  - {name: single, layers: each, scope: weights, bits: 4, method: mse}
  - {name: speed, measure: [accuracy, speed, layers], spec: w8c-a8t, method: mse}
  - {name: peers, spec: w8c-a8t, method: mse, backend: onnxruntime-int8}
  - {name: corrected, spec: w4c-a8t, method: mse, correction: both}
"""
ROUGH = Rules(precision=0.5, seconds_a_cell=0.01)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    path = tmp_path_factory.mktemp("texts") / "texts.yaml"
    path.write_text(SUITE)
    return load_suite(path)


@pytest.fixture(scope="module")
def bench(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    network = encoder(tmp_path_factory.mktemp("encoder"))
    evaluated, calibration = ids(40, seed=5), ids(16, seed=6)
    labels = FloatSession(network, threads=1).run(evaluated).argmax(axis=1)
    data = Documents("texts", evaluated, labels, calibration, tuple("abcde"))
    return bench_of(suite, network=network, data=data)


@pytest.fixture(scope="module")
def planned(bench: Bench, suite: Suite) -> dict[str, Planned]:
    found = expand(suite, [layer.name for layer in bench.network.layers])
    return {f"{item.trial.sweep}/{item.trial.spec}": item for item in found}


def row_of(item: Planned, bench: Bench) -> TrialResult:
    return run_trial(item, bench, cache_hash="hash", rules=ROUGH, clock=Clock())


def test_the_baseline_holds_on_token_ids(bench: Bench) -> None:
    check_runtimes(bench.answers, bench.own_logits)


def test_an_encoder_is_looked_at_from_inside(bench: Bench, planned: dict[str, Planned]) -> None:
    item = next(one for name, one in planned.items() if name.endswith("/w8c-a8t"))
    made = bench.quantized(item.trial, Phases(Clock()))
    inside = look_inside(made, bench.network, bench.inputs, threads=1, clock=Clock())
    assert [layer.name for layer in inside.layers] == [layer.name for layer in bench.network.layers]
    assert all(layer.entering is not None and layer.entering.counts for layer in inside.layers)
    assert all(layer.alone_db is not None and layer.alone_db > 10 for layer in inside.layers)
    assert {node.name for node in inside.nodes} == {node.name for node in bench.network.nodes}


@pytest.mark.parametrize(
    ("name", "execution"),
    [
        ("bits/w8c-a32", "dequantized"),
        ("bits/w8c-a8t", "integer"),
        ("groups/w4g16-a8t", "integer"),
        ("single/w4c-a32", "dequantized"),
        ("corrected/w4c-a8t", "integer"),
        ("peers/w8c-a8t", "integer"),
    ],
)
def test_rows_say_how_the_encoder_ran(planned: dict[str, Planned], bench: Bench, name: str, execution: str) -> None:
    row = row_of(planned[name], bench)
    assert (row.status, row.reason, row.execution) == ("ok", "", execution)
    assert (row.metrics["logit_sqnr_db"].value or 0) > 8
    if execution == "integer" and not name.startswith("peers"):
        assert any("float32 between integer layers" in note for note in row.notes)
        assert 0.8 < (row.metrics["integer_share"].value or 0) < 1


def test_the_encoder_and_its_layers_are_timed_beside_peers(planned: dict[str, Planned], bench: Bench) -> None:
    row = row_of(planned["speed/w8c-a8t"], bench)
    assert (row.status, row.reason) == ("ok", "")
    groups = {m.group for m in row.measurements}
    assert {"network/batch1", "network/batch4"} <= groups
    assert any(group.startswith("layer/") for group in groups)
    cells = {m.cell for m in row.measurements if m.group == "network/batch1"}
    assert cells == {"qbench", "onnxruntime-fp32", "onnxruntime-int8"}


def test_the_plan_of_an_encoder_says_what_stays_in_float_and_why(tmp_path: Path) -> None:
    encoder(tmp_path)
    found = plan_model(Asked(str(tmp_path / "encoder.onnx")))
    whys = {step.kernel.split("/")[0]: step.why for step in found.steps if not step.integer}
    assert found.execution == "integer"
    assert whys["gelu_f32_u8"] == "stays in float32 between integer layers"
    assert "attention_u8_u8" in {step.kernel.split("/")[0] for step in found.steps if step.integer}
    kept = plan_model(Asked(str(tmp_path / "encoder.onnx"), overrides="attention=w32-a32"))
    whys = {step.kernel.split("/")[0]: step.why for step in kept.steps if not step.integer}
    assert whys["attention_f32_u8"] == "stays in float32 between integer layers"
    assert all(step.integer for step in found.steps if step.operator == "linear")


@pytest.mark.parametrize("name", ["litert-int8", "torch-int8"])
def test_peers_that_read_no_onnx_are_timed_on_the_encoder(bench: Bench, name: str) -> None:
    if reason := PEERS.load(name)().missing():
        pytest.skip(reason)
    calls, notes = ready_peers(bench, [name], batches=[40])
    assert (notes, list(calls[40])) == ([], [name])
