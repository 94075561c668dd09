"""One trial leaves one row: complete when it went well, with a reason when it did not, and never an exception."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats
from qbench.core.trial import TrialResult
from qbench.engine import Session
from qbench.errors import QBenchError
from qbench.graph import Linear, Network
from qbench.metrics import kinds
from qbench.quantization import activation_specs
from qbench.runner.networks import trial as trial_module
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.trial import run_trial, scored_output
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Rules
from qbench.suite import Planned

ROUGH = Rules(precision=0.5, seconds_a_cell=0.01)


def run(item: Planned, bench: Bench) -> TrialResult:
    return run_trial(item, bench, cache_hash="hash", rules=ROUGH, clock=Clock())


def test_the_fp32_row_loses_nothing(planned: dict[str, Planned], bench: Bench) -> None:
    row = run(planned["baseline/w32-a32"], bench)
    assert (row.status, row.execution, row.cache_hash) == ("ok", "float32", "hash")
    assert row.metrics["top1_percent"].value == 90.0
    assert row.metrics["top1_drop_points"].value == 0.0
    assert row.metrics["agreement_percent"].value == 100.0
    assert row.metrics["bits_per_weight"].value == 32.0


@pytest.mark.parametrize(
    ("name", "execution"),
    [("bits/w8c-a8t", "integer"), ("bits/w8c-a32", "dequantized"), ("bits/w32-a8t", "simulated")],
)
def test_the_row_says_what_arithmetic_was_scored(
    planned: dict[str, Planned], bench: Bench, name: str, execution: str
) -> None:
    row = run(planned[name], bench)
    assert (row.status, row.reason, row.execution) == ("ok", "", execution)
    assert (row.metrics["logit_sqnr_db"].value or 0) > 20
    assert set(row.metrics) <= set(kinds())


def test_fewer_bits_make_smaller_files_and_larger_errors(planned: dict[str, Planned], bench: Bench) -> None:
    wide, narrow = run(planned["bits/w8c-a8t"], bench), run(planned["bits/w4c-a4t"], bench)
    for name in ("packed_bytes", "theoretical_bytes", "bits_per_weight", "logit_sqnr_db", "weight_sqnr_db"):
        assert (narrow.metrics[name].value or 0) < (wide.metrics[name].value or 0)


def test_a_single_layer_leaves_the_others_in_float(planned: dict[str, Planned], bench: Bench) -> None:
    row = run(planned["single/w4c-a4t"], bench)
    assert row.status == "ok", (row.reason, row.notes)
    assert [layer["spec"] for layer in row.layer_rows] == ["32", "4c", "32"]
    assert [layer["sqnr_db"] is None for layer in row.layer_rows] == [True, False, True]


def test_times_are_taken_in_turns_with_the_references(planned: dict[str, Planned], bench: Bench) -> None:
    row = run(planned["speed/w8c-a8t"], bench)
    assert row.status == "ok", row.reason
    network = [found for found in row.measurements if found.group.startswith("network/")]
    assert [(found.group, found.cell) for found in network] == [
        (f"network/batch{batch}", cell)
        for batch in (1, 8)
        for cell in ("qbench", "onnxruntime-fp32", "onnxruntime-int8")
    ]
    assert all(found.operations == found.items * 2 * (16 * 27 * 64 + 16 * 144 * 64 + 64) for found in network)
    layers = {found.group for found in row.measurements} - {found.group for found in network}
    assert layers == {f"layer/{name}/batch8" for name in ("first", "second", "last")}
    assert all(isinstance(layer["median_s"], float) for layer in row.layer_rows)
    assert {"quantize", "pack", "compile", "verify", "score", "load", "time"} <= set(row.phases_s)


def test_a_peers_own_row_is_scored_like_any_other(planned: dict[str, Planned], bench: Bench) -> None:
    item = next(value for value in planned.values() if value.trial.backend != "qbench")
    row = run(item, bench)
    assert (row.status, row.reason, row.execution) == ("ok", "", "integer")
    assert (row.metrics["logit_sqnr_db"].value or 0) > 20


def test_a_spec_that_a_peer_cannot_run_is_skipped(planned: dict[str, Planned], bench: Bench) -> None:
    item = next(value for value in planned.values() if value.trial.backend != "qbench")
    row = run(replace(item, trial=replace(item.trial, spec="w4c-a8t")), bench)
    assert row.status == "skipped"
    assert "w8c-a8t" in row.reason


def test_a_planned_reason_is_a_skipped_row(planned: dict[str, Planned], bench: Bench) -> None:
    row = run(replace(planned["bits/w8c-a8t"], reason="no such width"), bench)
    assert (row.status, row.reason) == ("skipped", "no such width")


def test_a_network_in_which_a_stage_has_nothing_to_do_is_a_skipped_row(
    planned: dict[str, Planned], bench: Bench
) -> None:
    item = planned["bits/w8c-a8t"]
    row = run(replace(item, trial=replace(item.trial, transform="rotate")), bench)
    assert (row.status, row.metrics) == ("skipped", {})
    assert row.reason.startswith("network 'small': rotate: 0 of 3 tensors that enter layers; 3 are images")


def test_an_error_of_the_user_is_a_failed_row(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise QBenchError("layer 'first': too wide")

    monkeypatch.setattr(trial_module, "build_session", refuse)
    row = run(planned["bits/w8c-a8t"], bench)
    assert (row.status, row.reason) == ("failed", "layer 'first': too wide")


def test_a_bug_in_a_trial_is_a_failed_row_with_its_place(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise IndexError("7\nand more")

    monkeypatch.setattr(trial_module, "build_session", stumble)
    row = run(planned["bits/w8c-a8t"], bench)
    assert row.status == "failed"
    assert row.reason.startswith("IndexError: 7 and more (stumble, line")
    assert any("test_trial.py" in line for line in row.notes)


def test_a_kernel_with_a_wrong_answer_is_not_scored_and_not_timed(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Session.run

    def wrong(self: Session, x: Floats) -> Floats:
        found = right(self, x)
        return found if "portable" in str(self.kernels) else found + np.float32(1e-3)

    monkeypatch.setattr(Session, "run", wrong)
    row = run(planned["speed/w8c-a8t"], bench)
    assert row.status == "failed"
    assert row.reason.startswith("verify: logits differ")
    assert not row.measurements


def test_every_layer_says_what_it_was_assigned_and_what_it_became(planned: dict[str, Planned], bench: Bench) -> None:
    item = planned["bits/w4c-a4t"]
    rules = "first=w8c-a8t,linear=w32-a32"
    row = run(replace(item, trial=replace(item.trial, overrides=rules.replace("first", "name:first"))), bench)
    facts = [(layer["assigned"], layer["spec"], layer["activations"]) for layer in row.layer_rows]
    assert facts == [("w8c-a8t", "8c", "8t"), ("w4c-a4t", "4c", "4t"), ("w32-a32", "32", "32")]


def test_what_a_flattened_layer_reads_has_that_layers_own_spec(planned: dict[str, Planned], bench: Bench) -> None:
    item = planned["bits/w4c-a4t"]
    row = run(replace(item, trial=replace(item.trial, edges="w8c-a8t")), bench)
    assert [layer["activations"] for layer in row.layer_rows] == ["8t", "4t", "8t"]


def test_a_tensor_that_two_layers_read_takes_the_wider_activations() -> None:
    specs = {"a": parse_spec("w4c-a4t"), "b": parse_spec("w4c-a8t")}
    layers = tuple(Linear(name, "x", name, np.eye(2, dtype=np.float32), np.zeros(2, np.float32)) for name in specs)
    network = Network("n", "x", (2, 1, 1), "b", layers, {"x": (2,), "a": (2,), "b": (2,)}, {}, "")
    found = activation_specs(network, specs, ["x"], default=specs["a"].activations)
    assert found["x"].token == "8t"


def test_a_corrected_trial_is_scored_with_the_corrected_network(planned: dict[str, Planned], bench: Bench) -> None:
    item = planned["bits/w4c-a4t"]
    plain, mended = (
        run(replace(item, trial=replace(item.trial, spec="w2c-a8t", method="mse", correction=word)), bench)
        for word in ("", "both")
    )
    assert mended.status == "ok", mended.reason
    assert (mended.metrics["logit_sqnr_db"].value or 0) > (plain.metrics["logit_sqnr_db"].value or 0)


def test_a_row_names_the_output_that_is_scored_where_it_is_not_the_first(bench: Bench) -> None:
    plain = bench.network
    assert scored_output(plain) == []
    ids = replace(plain, output="ids", outputs=("ids", plain.output), dtypes={"ids": "int64"})
    assert scored_output(ids) == [f"scored by '{plain.output}' (4), the first output of floats of 2"]
