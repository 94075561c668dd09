"""A recipe of another tool: what it is handed, what becomes of its file, how it fails. One tool is made here."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from qbench.core.spec import parse_spec
from qbench.core.trial import Trial, TrialResult
from qbench.errors import QBenchError
from qbench.peers.quantizers import QUANTIZERS, quantizer
from qbench.quantization import assigned, parse_recipe
from qbench.quantization.by_quantizer import narrowed, otherwise
from qbench.quantization.stages import name_of
from qbench.runner.identity import trial_hash
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.trial import run_trial
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Rules
from qbench.suite import Planned, Suite, load_suite
from tests.runner.conftest import suite, suite_path
from tests.test_plugins import install

__all__ = ["suite", "suite_path"]
ROUGH = Rules(precision=0.5, seconds_a_cell=0.01)
SOURCE = """
import os
import shutil
import time
from qbench.errors import UnsuitableError
from qbench.peers.quantizers.quantizer import Tool

class Made(Tool):
    "A tool that does as its algorithm says."
    name = "made"
    distributions = ("my-package",)
    algorithms = {word: "..." for word in ("copies", "fails", "dies", "junk", "nothing", "refuses", "absent", "sleeps")}
    weight_bits = activation_bits = frozenset({4, 8, 32})

    def load(self):
        print("hello from the tool")
        if os.environ.get("TOOL_ABSENT"):
            import no_such_module

    def quantize(self, request):
        print("working")
        word = request.algorithm
        if word == "fails":
            raise RuntimeError("first line\\nsecond line")
        if word == "dies":
            os.write(2, b"terminate called\\n")
            os.abort()
        if word == "refuses":
            raise UnsuitableError("has no convolutions")
        if word == "sleeps":
            time.sleep(60)
        if word == "junk":
            request.out.write_bytes(b"junk")
        if word == "copies":
            shutil.copy(os.environ["TOOL_FILE"], request.out)
        return (f"{len(request)} samples, least {min(a.min() for a in request.samples.values()):.6f}", )
"""
"""Text of a package with a quantizer."""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package on the path, in the table here and in the worker's."""
    (tmp_path / "my_tool.py").write_text(SOURCE, encoding="utf-8")
    install(tmp_path, {"made": "my_tool:Made"}, group="qbench.quantizers")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    QUANTIZERS.__dict__.pop("_table", None)
    yield
    QUANTIZERS.__dict__.pop("_table", None)
    QUANTIZERS._parts.pop("made", None)


@pytest.fixture
def bench(suite: Suite) -> Bench:
    return bench_of(suite)


def row_of(bench: Bench, recipe: str, spec: str = "w8c-a8t", **more: object) -> TrialResult:
    parts = parse_recipe(recipe).parts
    trial = Trial("s", "small.onnx", "small.npz", "all", spec, parts.method, calibration=16)
    return run_trial(
        Planned(replace(trial, **more), ("accuracy",)),  # type: ignore[arg-type]
        bench, cache_hash="h", rules=ROUGH, clock=Clock(),
    )  # fmt: skip


def test_onnxruntime_gets_the_calibration_samples_of_all_recipes_and_its_file_runs_in_integers(bench: Bench) -> None:
    row = row_of(bench, "onnxruntime")
    assert (row.status, row.execution) == ("ok", "integer")
    assert {"load", "quantize"} <= row.phases_s.keys()
    assert row.making_s < sum(row.phases_s.values()), "its imports are not its work"
    own = row_of(bench, "minmax")
    assert row.metrics["packed_bytes"] == own.metrics["packed_bytes"]
    assert [layer["spec"] for layer in row.layer_rows] == [layer["spec"] for layer in own.layer_rows]
    stats = bench.calibration.observations(16, 0).stats()["images"]
    found = parse_recipe("onnxruntime").apply(
        assigned(bench.network, "w8c-a8t", method="onnxruntime"), bench.calibration.observations(16, 0)
    )
    step = float(found.activations["images"].scale)
    assert step == pytest.approx((max(stats.maximum, 0) - min(stats.minimum, 0)) / 255, rel=1e-6)


def test_a_tools_file_is_taken_as_it_is_and_the_row_says_what_is_otherwise(
    bench: Bench, tool: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbench.graph.writing.qdq import qdq_onnx_bytes

    seen = bench.calibration.observations(16, 0)
    own = parse_recipe("minmax").apply(assigned(bench.network, "w4c-a8t", method="minmax"), seen)
    pre_add = {"second:pre_add": own.activations["first"]}
    eight = parse_recipe("minmax").apply(assigned(bench.network, "w8c-a8t", method="minmax"), seen)
    weights = {**own.weights, "last": eight.weights["last"]}
    content = qdq_onnx_bytes(replace(own, weights=weights, activations={**own.activations, **pre_add}))
    (tmp_path / "made.onnx").write_bytes(content)
    monkeypatch.setenv("TOOL_FILE", str(tmp_path / "made.onnx"))
    row = row_of(bench, "made", "w4c-a8t")
    assert row.status == "ok"
    least = float(np.min(np.asarray(seen.samples())))
    assert f"16 samples, least {least:.6f}" in row.notes
    assert "made w8-a8 where w4c-a8t was asked: last" in row.notes
    assert [layer["spec"] for layer in row.layer_rows] == ["4c", "4c", "8c"]


@pytest.mark.parametrize(
    ("algorithm", "status", "reason"),
    [
        ("fails", "failed", "made: RuntimeError: first line"),
        ("dies", "failed", "made: its process ended by signal 6: terminate called"),
        ("junk", "failed", "made: quantized.onnx: "),
        ("nothing", "failed", "made: quantized.onnx: "),
        ("refuses", "skipped", "made: has no convolutions"),
        ("absent", "skipped", "made: cannot be imported: No module named 'no_such_module'"),
    ],
)
def test_a_tool_that_goes_wrong_costs_one_row_of_one_line(
    bench: Bench, tool: None, monkeypatch: pytest.MonkeyPatch, algorithm: str, status: str, reason: str
) -> None:
    if algorithm == "absent":
        monkeypatch.setenv("TOOL_ABSENT", "1")
    row = row_of(bench, f"made({algorithm})")
    assert row.status == status
    assert reason in row.reason
    assert "\n" not in row.reason


@pytest.mark.parametrize("more", [{"layers": "second"}, {"overrides": "name:last=w4c-a8t"}, {"edges": "w4c-a8t"}])
def test_networks_whose_layers_differ_are_skipped(bench: Bench, more: dict[str, str]) -> None:
    row = row_of(bench, "onnxruntime(entropy)", **more)
    assert (row.status, row.reason) == ("skipped", "onnxruntime(entropy): quantizes whole networks, all layers alike")


def test_a_tool_that_is_not_installed_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantizer, "installed", lambda names: ({}, tuple(names)))
    reason = parse_recipe("aimet(adaround)").supports(parse_spec("w4c-a8t"))
    assert reason == "aimet(adaround): not installed: aimet-onnx"
    assert parse_recipe("nncf").supports(parse_spec("w4c-a8t")) == "nncf: weights have 8 bits, not 4"


@pytest.mark.parametrize("text", ["onnxruntime", "onnxruntime(entropy)", "aimet(adaround)"])
def test_a_recipe_of_a_tool_is_written_as_it_is_read(text: str) -> None:
    assert parse_recipe(text).text == text
    assert parse_recipe(text).needs_samples


def test_the_default_algorithm_is_left_out() -> None:
    assert parse_recipe("onnxruntime( minmax )").text == "onnxruntime"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("onnxruntime(entropi)", "quantizer 'onnxruntime': unknown algorithm 'entropi'; did you mean 'entropy'"),
        ("onnxruntime()", "unknown algorithm ''"),
        ("onnxruntime(entropy", "expected one value in brackets, got 'onnxruntime\\(entropy'"),
        ("onnxruntime/bias", "'onnxruntime' makes the whole network and stands by itself"),
        ("cle/onnxruntime(entropy)", "'onnxruntime\\(entropy\\)' makes the whole network and stands by itself"),
        ("onnxruntime+gptq", "stands by itself"),
        ("onnxruntime/mse", "expected one method, got onnxruntime and mse"),
        ("onnxruntim", "did you mean 'onnxruntime'"),
        ("mse(entropy)", "expected one method, got none"),
    ],
)
def test_a_wrong_recipe_of_a_tool_is_one_line(text: str, message: str) -> None:
    with pytest.raises(QBenchError, match=message) as error:
        parse_recipe(text)
    assert "\n" not in str(error.value)


def test_codes_get_the_width_that_was_asked_only_where_all_lie_within_it(bench: Bench) -> None:
    seen = bench.calibration.observations(16, 0)
    made = parse_recipe("mse").apply(assigned(bench.network, "w8c-a8t", method="mse"), seen)
    codes, four = made.weights["last"], parse_spec("w4c-a8t")
    assert narrowed(codes, four) is codes, "codes beyond 4 bits stay what they are"
    few = replace(codes, codes=np.clip(codes.codes, -8, 7).astype(np.int16))
    assert narrowed(few, four).spec.token == "4c"
    assert np.array_equal(narrowed(few, four).dequantize(), few.dequantize())
    assert narrowed(few, parse_spec("w32-a8t")) is few
    assert otherwise(replace(made, weights={}), four) == ["made w32-a8 where w4c-a8t was asked: first, second, last"]


def test_a_row_of_a_tool_depends_on_its_version(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_of(recipe: str) -> str:
        trial = Trial("s", "m", "d", "all", "w8c-a8t", recipe)
        return trial_hash(
            Planned(trial, ("accuracy",)), suite, model_sha256="", data_sha256="", machine="", quick=False
        )

    before = hash_of("aimet"), hash_of("mse")
    monkeypatch.setattr("qbench.runner.identity.versions", lambda: {"aimet-onnx": "99"})
    after = hash_of("aimet"), hash_of("mse")
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_the_packaged_suite_asks_every_tool() -> None:
    found = load_suite(Path("tools"))
    assert {name_of(recipe) for sweep in found.sweeps for recipe in sweep.recipe or ()} >= {*QUANTIZERS}


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end a process with its parent")
def test_a_run_that_is_killed_takes_its_tool_along(tool: None, tmp_path: Path) -> None:
    told = {
        "quantizer": "made", "algorithm": "sleeps", "inputs": [], "weight_bits": 8, "activation_bits": 8,
        "per_channel": True, "seed": 0, "threads": 1,
    }  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps(told), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "qbench.peers.quantizers.worker", str(tmp_path)]
    code = f"import subprocess\nprint(subprocess.Popen({command!r}).pid, flush=True)\ninput()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert run.stdout is not None
    worker = psutil.Process(int(run.stdout.readline()))
    assert run.stdout.readline() == b"ready\n"
    run.kill()
    run.communicate()
    _, alive = psutil.wait_procs([worker], timeout=20)
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in alive), "a container's first process may not reap it"
