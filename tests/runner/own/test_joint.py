"""`qbench overrides` prints what it ran with all layers at once, and what it prints is read by the other commands."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from qbench.cli.commands import root
from qbench.errors import QBenchError, ResultsError
from qbench.results import read_run
from qbench.runner.own.joint import Asked, candidates, joint_plan
from tests.graph.oracle import outputs_of_file
from tests.graph.quantized import small

SUITE = """
name: single
model: odd.onnx
data: data.npz
calibration: {samples: 16}
sweeps:
  - {name: sensitivity, layers: each, scope: weights, bits: [4, 2], recipe: minmax}
"""


def call(*words: str) -> Result:
    wide = {"COLUMNS": "200"}  # a narrow terminal breaks words of the tables
    return CliRunner().invoke(root, words, env=wide, catch_exceptions=False, standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a network with a layer called `linear`, whose fp32 answers are the labels."""
    found = tmp_path_factory.mktemp("joint")
    model = onnx.load(small.float_file(found / "float.onnx"))
    model.graph.node[-1].name = "linear"
    onnx.save(model, found / "odd.onnx")
    images = np.random.default_rng(0).integers(0, 256, (216, 8, 8, 3), np.uint8)
    x = ((images[:200].transpose(0, 3, 1, 2) / 255 - 0.5) / 0.25).astype(np.float32)
    (logits,) = outputs_of_file(found / "odd.onnx", {"x": x})
    plain = {"labels": logits.argmax(axis=1), "mean": [0.5] * 3, "std": [0.25] * 3, "classes": list("abcde")}
    np.savez(found / "data.npz", images=images[:200], calibration=images[200:], **plain)
    (found / "suite.yaml").write_text(SUITE, encoding="utf-8")
    call("run", str(found / "suite.yaml"), "-o", str(found / "results"))
    return found


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder / "results" / "single" / "latest"


def test_the_plan_is_the_boldest_that_was_scored_to_lose_so_little(run: Path) -> None:
    told: list[str] = []
    found = read_run(run)
    plan = joint_plan(found, Asked(most=20.0), tell=told.append)
    assert 0 < len(told) <= 6
    assert plan.lost <= 20.0
    assert plan.row.trial.layers == "all"
    assert plan.row.status == "ok"
    assert plan.low <= plan.lost <= plan.high
    right = np.unpackbits(np.frombuffer(base64.b64decode(plan.row.correct), np.uint8))[:200].astype(float).mean()
    assert plan.lost == pytest.approx(100 - 100 * right)  # fp32 is right on all of them
    boldest = candidates(found, Asked(most=20.0))[-1]
    together = joint_plan(found, Asked(most=100.0, fallback="w8c-a8t"))
    assert together.rules == candidates(found, Asked(most=100.0))[-1][1]
    assert {rule.pattern for rule in boldest[1]} == {"c0", "c1", "c2", "name:linear"}


def test_no_plan_is_printed_where_none_keeps_enough(run: Path) -> None:
    with pytest.raises(ResultsError, match=r"no plan keeps at most -1.00 points: with every layer at w8c-a8t it is"):
        joint_plan(read_run(run), Asked(most=-1.0))


def test_what_is_printed_is_taken_by_plan_and_quantize(run: Path, tmp_path: Path) -> None:
    printed = call("overrides", str(run), "--points", "30").stdout
    assert "# scored together on 200 samples:\n# loses " in printed
    assert '"name:linear": w' in printed
    mapping = printed[printed.index("overrides:") :]
    tokens = set(re.findall(r"\bw\dc-a8t", mapping))
    planned = call("plan", "odd.onnx", "--layers", printed).output
    assert tokens
    assert all(token in planned for token in tokens)
    out = str(tmp_path / "out")
    call("quantize", "odd.onnx", "--data", "data.npz", "--layers", mapping, "--no-times", "--limit", "8", "-o", out)
    command = call("overrides", str(run), "--candidates").stdout.splitlines()[1]
    assert "--layers 'c0=w" in command or "--layers c0=w" in command


def test_the_run_of_another_network_is_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QBenchError, match=r"odd\.onnx"):
        joint_plan(read_run(run), Asked(most=1.0))
    suite = tmp_path / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    for name in ("data.npz", "float.onnx"):
        (tmp_path / name.replace("float", "odd")).write_bytes((run.parents[2] / name).read_bytes())
    with pytest.raises(ResultsError, match="expected the network of this run to score a plan on, got another one"):
        joint_plan(read_run(run), Asked(most=1.0, suite=suite))
