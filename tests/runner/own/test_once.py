"""One network, quantized once: what is written, what is read again, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import qbench
from qbench.engine.saved.network import JSON_NAME, TENSORS_NAME, load_network
from qbench.errors import QBenchError, ResultsError
from qbench.results import compare_runs, read_run
from qbench.results.kept.analysis import error_shares
from qbench.results.kept.quantized import FILE_NAME, QuantizedResult, read_quantized
from qbench.results.kept.why import own_measurements, reasons, split
from qbench.runner.own.layer_plan import plan_model
from qbench.runner.own.once import quantize, quantize_asked
from qbench.runner.own.request import Asked
from qbench.runner.own.serving import NAME


@pytest.fixture(scope="module")
def model(suite_path: Path) -> str:
    return str(suite_path.parent / "small.onnx")


@pytest.fixture(scope="module")
def labelled(suite_path: Path) -> str:
    return str(suite_path.parent / "small.npz")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(24):
        pixels = np.random.default_rng(index).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture(scope="module")
def timed(model: str, labelled: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, QuantizedResult]:
    out = tmp_path_factory.mktemp("timed")
    asked = Asked(model, "w4c-a8t", overrides="type:first=w8c-a8t", data=labelled, calibration=16, batch_sizes=(1, 4))
    return out, quantize_asked(asked, out, quick=True).result


def test_everything_is_written_and_reads_back(timed: tuple[Path, QuantizedResult]) -> None:
    out, result = timed
    run_files = {"run.json", "trials.jsonl", "table.md", "table.csv", "trials.parquet"}
    assert {path.name for path in out.iterdir()} == {JSON_NAME, TENSORS_NAME, FILE_NAME, NAME, *run_files}
    again = read_quantized(out)
    assert again == result
    assert again.product.disk_bytes == sum((out / name).stat().st_size for name in (JSON_NAME, TENSORS_NAME))
    facts = load_network(out).facts
    assert (facts["spec"], facts["overrides"], facts["method"]) == ("w4c-a8t", "type:first=w8c-a8t", "mse")


def test_the_network_is_looked_at_from_inside(timed: tuple[Path, QuantizedResult]) -> None:
    _, result = timed
    inside, network = result.product.inside, load_network(timed[0]).network
    assert inside is not None
    assert [layer.name for layer in inside.layers] == [layer.name for layer in network.layers]
    assert [node.name for node in inside.nodes] == [node.name for node in network.nodes]
    first, *others = inside.layers
    assert first.entering_db is not None
    assert first.entering_db > 40  # nothing but its own rounding
    assert all(layer.entering_db and 3 < layer.entering_db < first.entering_db for layer in others)
    for layer in inside.layers:
        assert sum(layer.weights.counts) == next(n.weight.size for n in network.layers if n.name == layer.name)
        assert layer.entering is not None
        assert layer.entering.saturated is not None
        assert 0 <= layer.entering.saturated < 0.2
        assert layer.alone_db is not None
        assert inside.answer_db is not None
        assert layer.alone_db > inside.answer_db - 1.0
    sqnr = {str(row["name"]): row["sqnr_db"] for row in result.row.layer_rows}
    assert all(layer.weights.sqnr_db == pytest.approx(sqnr[layer.name]) for layer in inside.layers)
    assert sum(error_shares({layer.name: layer.alone_db for layer in inside.layers}).values()) == pytest.approx(1.0)


def test_where_the_time_goes_is_told_beside_float32(timed: tuple[Path, QuantizedResult]) -> None:
    spent = timed[1].row.split_s
    assert {"Conv", "conversions"} <= set(spent)
    assert all(own > 0 and plain > 0 for own, plain in [spent["Conv"]])


def test_the_result_is_a_run_like_any_other(timed: tuple[Path, QuantizedResult]) -> None:
    run = read_run(timed[0], kind="network")
    assert [row.trial.sweep for row in run.results] == ["baseline", "quantize"]
    assert {row.status for row in run.results} == {"ok"}
    verdicts = {row.verdict for row in compare_runs(run, run).rows if row.kind != "time"}
    assert verdicts == {"SAME"}
    assert run.header.state.finished


def test_the_run_of_a_suite_is_not_written_over(model: str, labelled: str, tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").write_text("")
    with pytest.raises(ResultsError, match="found the run of a suite in it"):
        quantize_asked(Asked(model, data=labelled), tmp_path)


def test_what_was_interrupted_is_begun_anew_in_the_same_folder(
    model: str, labelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    asked = Asked(model, data=labelled, calibration=16)
    with monkeypatch.context() as patched:
        patched.setattr("qbench.runner.own.once.write_product", interrupted)
        with pytest.raises(KeyboardInterrupt):
            quantize_asked(asked, tmp_path, timed=False)
    assert (tmp_path / "trials.jsonl").exists()
    assert not (tmp_path / FILE_NAME).exists()
    assert quantize_asked(asked, tmp_path, timed=False).result.row.status == "ok"


def test_labelled_images_give_accuracy_beside_fp32(timed: tuple[Path, QuantizedResult]) -> None:
    result = timed[1]
    assert result.labelled
    assert result.fp32["top1_percent"].value == 90.0
    assert {"top1_percent", "top1_drop_points", "agreement_percent", "packed_bytes"} <= set(result.row.metrics)
    assert result.row.execution == "integer"
    assert [layer["assigned"] for layer in result.row.layer_rows] == ["w8c-a8t", "w4c-a8t", "w4c-a8t"]
    assert [layer["activations"] for layer in result.row.layer_rows] == ["8t"] * 3


def test_times_stand_beside_fp32_and_every_step_has_one(timed: tuple[Path, QuantizedResult]) -> None:
    result = timed[1]
    assert list(own_measurements(result)) == [1, 4]
    assert {m.cell for m in result.row.measurements} == {"qbench", "onnxruntime-fp32"}
    names = [step.name for step in result.product.steps]
    assert [name for name in names if name in ("first", "second", "last")] == ["first", "second", "last"]
    assert all(step.median_s > 0 and step.moved_bytes > 0 for step in result.product.steps)
    assert result.machine.ceilings
    found = split(result)
    assert found is not None
    assert found.images == result.product.steps[0].images
    assert sum(found.roles_s.values()) + found.rest_s == pytest.approx(found.call_s)


def test_the_reasons_say_what_ran_where_and_how_fast(timed: tuple[Path, QuantizedResult]) -> None:
    text = "\n".join(reasons(timed[1]))
    for words in (
        "100.0 % of the operations run in integers (integer)",
        "instruction path: ",
        "onnxruntime-fp32",
        "on one thread, products take",
        "threads at batch 4 are",
        "the images' included",
        "of what one core can do at most",
        "the slowest steps: ",
        "GB/s on one core",
    ):
        assert words in text


def test_images_without_labels_give_agreement(model: str, pictures: Path, tmp_path: Path) -> None:
    asked = Asked(model, data=str(pictures), calibration=6)
    result = quantize_asked(asked, tmp_path, timed=False).result
    assert not result.labelled
    assert result.data.images == 18
    assert "top1_percent" not in result.row.metrics
    assert (result.row.metrics["agreement_percent"].value or 0) > 80
    assert not result.product.steps
    assert "of a call of" not in "\n".join(reasons(result))
    assert read_quantized(tmp_path) == result


def test_the_same_from_python_is_one_call(model: str, labelled: str, tmp_path: Path) -> None:
    rules = {"type:first": "w8c-a8t", "linear": "w4g32-a8t"}
    found = quantize(model, data=labelled, out=tmp_path, spec="w3c-a8t", layers=rules, recipe="mse/both", calibration=8)
    assert found.result.row.trial.overrides == "linear=w4g32-a8t,type:first=w8c-a8t"
    images = np.zeros((1, 3, 8, 8), np.float32)
    session, again = found.saved.session(threads=1), qbench.load(str(tmp_path)).session(threads=1)
    assert session.run(images).tobytes() == again.run(images).tobytes()
    assert qbench.quantize is quantize


def test_a_float_layer_is_named_with_its_reason(model: str, labelled: str, tmp_path: Path) -> None:
    asked = Asked(model, overrides="linear=w32-a32", data=labelled, calibration=8)
    result = quantize_asked(asked, tmp_path, timed=False).result
    assert result.product.float_reasons["last"] == "its weights stay in float32"
    assert any(line.startswith("in float: ") for line in reasons(result))


def test_labels_that_fp32_cannot_tell_are_an_alarm(model: str, suite_path: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(suite_path.parent / "small.npz"))
    arrays["labels"] = (arrays["labels"] + 1) % 4
    np.savez(tmp_path / "shifted.npz", **arrays)
    asked = Asked(model, data=str(tmp_path / "shifted.npz"), calibration=8)
    alarms = quantize_asked(asked, tmp_path / "out", timed=False).result.row.alarms
    assert any("the classes may be in another order than its outputs" in alarm for alarm in alarms)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec": "w9"}, "spec 'w9'"),
        ({"recipe": "mze"}, "expected one method, got none; did you mean 'mse'?"),
        ({"recipe": "mse/biased"}, "unknown stage 'biased'; did you mean 'bias'?"),
        ({"variant": "x86"}, "unknown kernel variant 'x86'"),
        ({"references": ("onnxruntime",)}, "unknown peer 'onnxruntime'"),
        ({"threads": 0}, "threads: expected 1.."),
        ({"calibration": 0}, "calibration: expected at least 1 image, got 0"),
        ({"limit": 0}, "limit: expected at least 1 image, got 0"),
        ({"batch_sizes": (0,)}, "batch sizes: expected whole numbers of at least 1, got [0]"),
        ({"overrides": "third=w8c-a8t"}, "no layer is named 'third'"),
        ({"overrides": "second"}, "layer rule 'second': expected pattern=token"),
        ({"spec": "wt-a8t", "recipe": "minmax"}, "layer 'first' to wtc-a8t: minmax: cannot give weights the format"),
        ({"spec": "w32-a32"}, "expected at least one layer to be quantized, got fp32 for all"),
        ({"calibration": 1000}, "expected 1..16 calibration samples, got 1000"),
        ({"data": "nothing"}, "data 'nothing': expected a known name"),
        ({"data": "cifar10-shard"}, "expects images of 3 x 8 x 8"),
        ({"model": "none.onnx"}, "model 'none.onnx': no such file"),
    ],
)
def test_wrong_wishes_are_refused_in_one_line_and_nothing_is_written(
    model: str, labelled: str, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    wishes: dict[str, object] = {"model": model, "data": labelled} | changes
    with pytest.raises(QBenchError) as refusal:
        quantize_asked(Asked(**wishes), tmp_path / "out", timed=False)  # type: ignore[arg-type]
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_computed(
    model: str, labelled: str, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(QBenchError, match="expected a folder to write into, got a file"):
        quantize_asked(Asked(model, data=labelled), tmp_path / "out")


def test_images_of_another_size_are_named_before_any_is_set_apart(model: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "large.npz", images=np.zeros((9, 16, 16, 3), np.uint8))
    with pytest.raises(QBenchError, match="expects images of 3 x 8 x 8"):
        quantize_asked(Asked(model, data=str(tmp_path / "large.npz")), tmp_path / "out")


def test_a_plan_says_for_every_step_where_it_runs_and_what_it_needs(model: str) -> None:
    plan = plan_model(Asked(model, "w4c-a8t", overrides="linear=w8c-a8t", threads=1))
    steps = {step.name: step for step in plan.steps}
    assert [steps[name].operator for name in ("first", "second", "last")] == ["conv", "conv", "linear"]
    assert [step.operator for step in plan.steps if not step.assigned] == ["conversion", "pool"]
    assert [steps[name].assigned for name in ("first", "second", "last")] == ["w4c-a8t", "w4c-a8t", "w8c-a8t"]
    assert plan.integer_operations == plan.operations > 0
    assert all(step.integer and not step.why for step in plan.steps)
    assert "NHWC 8x8x16 u8" in steps["first"].layout
    assert plan.weight_bytes == sum(step.weight_bytes for step in plan.steps)


def test_a_plan_names_what_stays_in_float_and_why(model: str) -> None:
    plan = plan_model(Asked(model, "w8c-a8t", overrides="linear=w32-a32", threads=1))
    steps = {step.name: step for step in plan.steps}
    assert (steps["last"].integer, steps["last"].why) == (False, "its weights stay in float32")
    assert plan.execution != "integer"


def test_a_saved_network_has_a_plan_too(timed: tuple[Path, QuantizedResult]) -> None:
    plan = plan_model(Asked(str(timed[0]), threads=1))
    assert plan.execution == "integer"
    assert [step.assigned for step in plan.steps if step.name == "first"] == ["w8c"]
