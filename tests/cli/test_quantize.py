"""`qbench quantize`, `qbench plan MODEL` and `qbench overrides`, as a new user would call them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call, Outcome

SUITES = Path(__file__).parents[2] / "suites"
PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "resnet"


@pytest.fixture
def quantized(call: Call, tmp_path: Path) -> tuple[Path, Outcome]:
    out = tmp_path / "out"
    arguments = ("--spec", "w4c-a8t", "--layers", "first=w8c-a8t", "--layers", "last=w8c-a8t", "--correction", "both")
    limits = ("--calibration", "32", "--limit", "64", "--no-times", "-v", "-o", out)
    return out, call("quantize", "resnet20", "--data", "cifar10-shard", *arguments, *limits)


def test_quantize_shows_layers_scores_and_reasons(quantized: tuple[Path, Outcome]) -> None:
    out, done = quantized
    assert done.code == 0, done.err
    for words in (
        "blocks.0.conv1",
        "top-1 %",
        "same first guess as fp32",
        "saved files",
        "run in integers",
        "bit for bit",
    ):
        assert words in done.out
    assert {path.name for path in out.iterdir()} == {
        "network.json", "network.safetensors", "quantized.json", "report.md", "layers.csv", "run.json", "trials.jsonl",
        "table.csv", "table.md", "trials.parquet", "report.html", "serving.json",
    }  # fmt: skip


def test_a_saved_network_can_be_planned_and_a_damaged_one_is_refused(
    call: Call, quantized: tuple[Path, Outcome]
) -> None:
    out, _ = quantized
    done = call("plan", out)
    assert done.code == 0
    assert "100.0 % of 81.6 Mop per image run in integers" in done.out
    assert "already quantized" in call("plan", out, "--spec", "w4c-a8t").err
    tensors = out / "network.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    refused = call("plan", out)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "as network.json says" in refused.err


def test_plan_of_a_network_shows_every_step(call: Call) -> None:
    done = call("plan", "resnet20", "--spec", "w8c-a8t", "--layers", "linear=w32-a32", "--threads", "1")
    assert done.code == 0
    assert "NHWC 32x32x16" in done.out
    assert "classifier: its weights stay in float32" in done.out


def test_plan_of_a_suite_shows_what_rules_give_to_layers(call: Call, tmp_path: Path) -> None:
    rules = "sweeps.speed.overrides={first: w4c-a8t}"
    done = call("plan", SUITES / "tiny.yaml", "-o", tmp_path, "--set", rules, "--filter", "sweep == 'speed'")
    assert done.code == 0, done.err
    assert "speed/resnet20/all/w8c-a8t/rules-first=w4c-a8t/mse/s0" in done.out
    assert "layers under first=w4c-a8t" in done.out


def test_overrides_are_printed_ready_to_be_pasted(call: Call) -> None:
    done = call("overrides", PUBLISHED, "--points", "0.4", "--candidates")
    assert done.code == 0
    first, command, *rest = done.out.splitlines()
    assert first == "# a candidate, not a plan: its layers were scored alone; this scores them together:"
    assert command.startswith("# qbench quantize resnet20 --data cifar10-shard --spec w8c-a8t --recipe mse --layers ")
    assert rest[:2] == ["overrides:", '  "stem": w8c-a8t  # keeps its bits']
    again = call("plan", "resnet20", "--layers", done.out)
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("plan", "resnet21"),
            "expected a suite (.yaml), a network (.onnx) or the name of a packaged one; did you mean",
        ),
        (("plan", "resnet20", "--filter", "bits < 4"), "--filter: resnet20 is a network; this option is for suites"),
        (("plan", SUITES / "tiny.yaml", "--spec", "w8c-a8t"), "is a suite; this option is for networks"),
        (("plan", "resnet20", "--layers", "stam=w8c-a8t"), "no layer is named 'stam'; did you mean 'stem'?"),
        (("plan", SUITES), "expected a saved network, found no network.json in it"),
        (("quantize", "resnet20", "--data", "none.npz", "-o", "out"), "none.npz: no such file"),
        (("quantize", "none.onnx", "--data", "cifar10-shard", "-o", "out"), "model 'none.onnx': no such file"),
        (
            ("quantize", "resnet20", "--data", "cifar10-shard", "-o", "out", "--mean", "a"),
            "--mean: expected numbers separated by commas, got 'a'",
        ),
        (
            ("quantize", "resnet20", "--data", "cifar10-shard", "-o", "out", "--batch", "1.5"),
            "--batch: expected whole numbers, got 1.5",
        ),
        (("overrides", "none"), "none: expected the folder of a run, found nothing there"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(call: Call, arguments: tuple[str | Path, ...], expected: str) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert expected in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()
