"""A file that is quantized already is a source: what it says is run, scored, saved, and timed beside the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto

from qbench.cli.commands import root
from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.engine.saved.network import load_network
from qbench.errors import QBenchError
from qbench.graph import QuantizedNetwork, original_bytes, qdq_onnx_bytes, read_codes, read_network
from qbench.graph.readers import UNREAD
from qbench.metrics.tensor import sqnr_db
from qbench.peers import PEERS
from qbench.quantization import layer_kinds
from qbench.results import read_run
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.trial import run_trial
from qbench.runner.own.layer_plan import plan_model
from qbench.runner.own.once import quantize, quantize_asked
from qbench.runner.own.request import Asked
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.rules import timing_rules
from qbench.suite import expand, load_suite
from tests.graph.oracle import outputs_of_file
from tests.graph.quantized import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("kept")
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (24, 8, 8, 3), np.uint8)
    plain = {"labels": np.arange(16) % 5, "mean": [0.5] * 3, "std": [0.3] * 3}
    np.savez(found / "data.npz", images=images[:16], calibration=images[16:], **plain)
    return found


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return small.static_file(folder)


def test_it_is_kept_saved_and_compared_with_the_file_itself(folder: Path, file: Path, tmp_path: Path) -> None:
    found = quantize_asked(Asked(str(file), recipe="keep", data=str(folder / "data.npz")), tmp_path, timed=False)
    row = next(row for row in read_run(tmp_path).results if row.trial.method == "keep")
    assert (row.status, row.execution, row.trial.spec) == ("ok", "integer", "w8c-a8t")
    (apart,) = (note for note in row.notes if note.startswith("onnxruntime-int8 on the file itself"))
    assert float(apart.split()[5]) > 35
    kept, saved = read_codes(file), load_network(tmp_path).quantized
    assert kept is not None
    for name, codes in kept.weights.items():
        np.testing.assert_array_equal(saved.weights[name].codes, codes.codes)
    assert all(layer["assigned"] == "w8c-a8t" for layer in row.layer_rows)
    assert found.saved.facts["method"] == "keep"


def test_a_plan_keeps_it_unless_it_is_told_otherwise(file: Path) -> None:
    kept = plan_model(Asked(str(file), recipe="keep"))
    assert (kept.execution, kept.integer_operations) == ("integer", kept.operations)
    anew = plan_model(Asked(str(file), spec="w4c-a8t"))
    assert {step.assigned for step in anew.steps} == {"", "w4c-a8t"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "quantized already: --keep runs its codes and scales as they are; --spec w8c-a8t quantizes anew"),
        (["--keep", "--spec", "w4c-a8t"], "--keep: it takes the file as it is, and cannot be combined with --spec"),
    ],
)
def test_the_choice_is_told_in_one_line(file: Path, tmp_path: Path, options: list[str], message: str) -> None:
    words = ["quantize", str(file), "--data", "cifar10-shard", "-o", str(tmp_path / "out"), *options]
    with pytest.raises(QBenchError, match=message):
        CliRunner().invoke(root, words, catch_exceptions=False, standalone_mode=False)


def test_keep_of_a_float_file_is_refused(folder: Path, tmp_path: Path) -> None:
    path = small.float_file(tmp_path / "float.onnx")
    with pytest.raises(QBenchError, match=r"float.onnx: recipe 'keep': expected a file that is quantized already"):
        quantize(path, data=folder / "data.npz", out=tmp_path / "out", recipe="keep")
    with pytest.raises(QBenchError, match="expected a file that is quantized already"):
        plan_model(Asked(str(path), recipe="keep"))


def test_a_suite_keeps_it_beside_other_recipes(folder: Path, file: Path) -> None:
    path = folder / "suite.yaml"
    path.write_text(
        f"name: kept\nmodel: {file.name}\ndata: data.npz\ncalibration: {{samples: 8}}\n"
        "timing: {batch_sizes: 2, precision: 0.5, seconds_a_cell: 0.01}\nsweeps:\n"
        "- {name: file, recipe: keep, measure: [accuracy, speed]}\n"
        "- {name: both, recipe: [keep, mse], spec: w4c-a8t}\n",
        encoding="utf-8",
    )
    suite = load_suite(path)
    trials = [item.trial for item in expand(suite, ["c0"], kept="w8c-a8t")]
    assert [(trial.sweep, trial.recipe, trial.spec) for trial in trials[1:]] == [
        ("file", "keep", "w8c-a8t"), ("both", "keep", "w8c-a8t"), ("both", "mse", "w4c-a8t"),
    ]  # fmt: skip
    reasons = [item.reason for item in expand(suite, ["c0"]) if item.trial.recipe == "keep"]
    assert reasons == ["the model's file is not quantized: nothing is there to keep"] * 2
    bench = bench_of(suite)
    kept, _, anew = expand(suite, layer_kinds(bench.network), kept=bench.kept_token)[1:]
    rules = timing_rules(suite, quick=True)
    first, second = (run_trial(one, bench, cache_hash="", rules=rules, clock=Clock()) for one in (kept, anew))
    assert (first.status, first.execution, second.status) == ("ok", "integer", "ok")
    assert {one.cell for one in first.measurements} == {"qbench", "onnxruntime-int8"}
    assert "the file is quantized already: float32 is the network that its codes stand for" in second.notes


@pytest.mark.parametrize(
    "made",
    [
        {"form": "QOperator"},
        {"activations": "QInt8"},
        {"activations": "QUInt16"},
        {"weights": "QInt4"},
        {"form": "QOperator", "weights": "QUInt8", "per_channel": False},
    ],
    ids=lambda made: "-".join(map(str, made.values())),
)
def test_files_of_all_widths_and_forms_answer_as_their_runtime(made: dict[str, object], tmp_path: Path) -> None:
    kept = read_codes(small.static_file(tmp_path, **made))  # type: ignore[arg-type]
    assert kept is not None
    assert_near_the_runtime(kept.file)


def test_unsigned_weights_of_grouped_convolutions_run_in_integers(tmp_path: Path) -> None:
    kept = read_codes(small.static_file(tmp_path, weights="QUInt8", symmetric=True))
    assert kept is not None
    with build_session(kept, threads=1) as session:
        assert (session.execution, session.integer_share) == ("integer", 1.0)
    depthwise = kept.weights["c2"]
    assert not depthwise.params.zero_point.any()
    np.testing.assert_array_equal(depthwise.dequantize().reshape(8, -1), kept.network.layers[2].weight.reshape(8, -1))


@pytest.mark.parametrize(
    ("form", "kind", "token"),
    [
        ("MatMulNBits", TensorProto.UINT4, "w4g32-a32"),
        ("DequantizeLinear", TensorProto.UINT4, "w4g32-a32"),
        ("DequantizeLinear", TensorProto.INT4, "w4g32-a32"),
        ("DequantizeLinear", TensorProto.INT2, "w2g32-a32"),
    ],
)
def test_blocks_of_few_bits_are_kept(tmp_path: Path, form: str, kind: int, token: str) -> None:
    kept = read_codes(small.blocked_file(tmp_path / "blocked.onnx", form=form, kind=kind))
    assert kept is not None
    assert {spec.token for spec in kept.specs.values()} == {"w32-a32", token}
    x = small.samples()
    (expected,) = outputs_of_file(Path(kept.file), {"x": x})
    with build_session(kept, threads=1) as session:
        assert sqnr_db(expected, session.run(x)) > 100


def test_a_dynamic_file_keeps_its_weights(tmp_path: Path) -> None:
    path = small.dynamic_file(tmp_path)
    kept = read_codes(path)
    assert kept is not None
    assert set(kept.weights) == {layer.name for layer in kept.network.layers}
    assert_near_the_runtime(str(path))


def assert_near_the_runtime(file: str) -> None:
    kept, x = read_codes(Path(file)), small.samples()
    assert kept is not None
    expected = PEERS.part("onnxruntime-int8").prepare(kept, threads=1).run(x)
    with build_session(kept, threads=1) as session:
        found = session.run(x)
    assert sqnr_db(expected, found) > 30
    assert_within_a_step(kept, expected, found)


def assert_within_a_step(kept: QuantizedNetwork, expected: Floats, found: Floats) -> None:
    """Hold logits against outputs that were rounded to the grid of the network's output, where it has one."""
    params = kept.activations.get(kept.network.output)
    if params is not None:
        steps = np.rint(found / params.scale) - np.rint(expected / params.scale)
        assert np.abs(steps).max() <= 1


def test_signed_activations_are_written_for_libraries_as_unsigned_ones(tmp_path: Path) -> None:
    kept = read_codes(small.static_file(tmp_path, activations="QInt8"))
    assert kept is not None
    x = small.samples()
    (expected,), (found,) = (outputs_of_file(file, {"x": x}) for file in (Path(kept.file), qdq_onnx_bytes(kept)))
    assert_within_a_step(kept, expected, found)
    litert = PEERS.part("litert-int8")
    if litert.missing() is None:  # built from the same codes, its logits kept within the range of the output's
        prepared, clamp = litert.prepare(kept, threads=1), kept.network.layers[-1].activation
        assert sqnr_db(expected, prepared.run(x)) > 35
        assert clamp is not None
        assert clamp.low * 1.0001 <= prepared.run(50 * x).min()
        assert prepared.run(50 * x).max() <= clamp.high * 1.0001


def test_a_file_of_codes_and_a_fixed_batch_is_run_as_floats_of_any_batch(tmp_path: Path) -> None:
    path = coded_file(small.static_file(tmp_path))
    kept, x = read_codes(path), small.samples(5)
    assert kept is not None
    (output,) = onnx.load_from_string(original_bytes(kept)).graph.output
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    expected = PEERS.part("onnxruntime-int8").prepare(kept, threads=1).run(x)
    with build_session(kept, threads=1) as session:
        found = session.run(x)
    assert_within_a_step(kept, expected, found)


def coded_file(path: Path) -> Path:
    """Cut the float ends off a QDQ file: its input and output are codes, of two images."""
    model = onnx.load(path)
    graph = model.graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "x")
    last = next(node for node in graph.node if node.output[0] == "y")
    assert last.op_type == "DequantizeLinear"
    codes_in, codes_out = first.output[0], last.input[0]
    for node in (first, last):
        graph.node.remove(node)
    for value, name in ((graph.input[0], codes_in), (graph.output[0], codes_out)):
        value.name = name
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
        value.type.tensor_type.shape.dim[0].dim_value = 2
    found = path.with_name("coded.onnx")
    onnx.save(model, found)
    return found


def test_codes_that_cannot_be_read_run_as_they_stand_and_say_why(tmp_path: Path) -> None:
    path = small.static_file(tmp_path)
    model = onnx.load(path)
    for node in model.graph.node:  # a scale that is computed: nothing about it is known
        if node.op_type == "QuantizeLinear":
            name = node.input[1]
            model.graph.node.insert(0, onnx.helper.make_node("Abs", [name], [f"{name}:abs"]))
            model.graph.node.insert(0, onnx.helper.make_node("ReduceMax", ["x"], ["peak"], keepdims=0))
            node.input[1] = "peak"
            break
    onnx.save(model, tmp_path / "odd.onnx")
    network = read_network(tmp_path / "odd.onnx")
    assert "expected a constant" in network.metadata[UNREAD]
    with pytest.raises(QBenchError, match="expected a constant"):
        plan_model(Asked(str(tmp_path / "odd.onnx"), recipe="keep"))
