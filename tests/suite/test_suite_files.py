"""The suites of the repository, their JSON Schema, and the examples of their README."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qbench.graph import read_onnx
from qbench.suite import expand, expand_kernels, load_suite, suite_json_schema
from qbench.suite.kernels.filter import parse_kernel_filter
from qbench.zoo import model_path

SUITES = Path(__file__).parents[2] / "suites"
FILES = [path for path in sorted(SUITES.glob("*.yaml")) if load_suite(path).kind == "network"]
KERNEL_FILES = [path for path in sorted(SUITES.glob("*.yaml")) if load_suite(path).kind == "kernels"]


@pytest.fixture(scope="module")
def layers() -> list[str]:
    return [layer.name for layer in read_onnx(model_path("resnet20")).layers]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_suite_expands_without_a_trial_that_cannot_be_run(path: Path, layers: list[str]) -> None:
    for one in load_suite(path).each():
        planned = expand(one, layers)
        refused = [item for item in planned if item.reason and "not installed: " not in item.reason]
        assert [f"{item.trial.key}: {item.reason}" for item in refused] == []


@pytest.mark.parametrize("path", KERNEL_FILES, ids=lambda path: path.stem)
def test_every_bar_of_a_kernel_suite_is_about_some_of_its_rows(path: Path) -> None:
    suite = load_suite(path)
    trials = expand_kernels(suite)
    about = {bar.name: sum(parse_kernel_filter(bar.where)(trial) for trial in trials) for bar in suite.bars}
    assert [name for name, rows in about.items() if not rows] == []


def test_the_main_job_is_large_enough_and_not_too_large(layers: list[str]) -> None:
    assert 170 <= len(expand(load_suite(SUITES / "resnet.yaml"), layers)) <= 230


def test_the_main_job_sets_floor_beside_rounding_at_every_width(layers: list[str]) -> None:
    planned = expand(load_suite(SUITES / "resnet.yaml", overrides=("filter=sweep == 'bits'",)), layers)
    widths = {
        method: {item.trial.layer_spec.weights.format.bits for item in planned if item.trial.method == method}
        for method in ("linear_floor", "minmax", "mse")
    }
    assert widths["linear_floor"] == widths["minmax"] == widths["mse"] == set(range(1, 9))


def test_the_json_schema_beside_the_suites_is_current() -> None:
    written = (SUITES / "suite.schema.json").read_text(encoding="utf-8")
    assert written == suite_json_schema(), "write it anew with qbench.suite.suite_json_schema()"


def test_the_json_schema_of_kernel_suites_is_current() -> None:
    written = (SUITES / "kernels.schema.json").read_text(encoding="utf-8")
    assert written == suite_json_schema("kernels"), "write it anew with qbench.suite.suite_json_schema('kernels')"


def test_the_json_schema_knows_every_key() -> None:
    schema = json.loads(suite_json_schema())
    assert {"name", "base", "sweeps", "timing", "filter"} <= set(schema["properties"])
    assert {"bits", "layers", "include", "measure"} <= set(schema["$defs"]["Sweep"]["properties"])


def _keys(schema: dict[str, Any]) -> set[str]:
    found = set(schema["properties"])
    for definition in schema["$defs"].values():
        found |= set(definition["properties"])
    return found


def test_the_readme_names_every_key() -> None:
    text = (SUITES / "README.md").read_text(encoding="utf-8")
    keys = _keys(json.loads(suite_json_schema())) | _keys(json.loads(suite_json_schema("kernels")))
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_every_example_of_the_readme_is_a_suite(tmp_path: Path, layers: list[str]) -> None:
    text = (SUITES / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 5
    head = "name: example\nmodel: resnet20\ndata: cifar10-shard\n"
    for index, example in enumerate(examples):
        path = tmp_path / f"{index}.yaml"
        if example.startswith("kind: kernels"):
            path.write_text(example, encoding="utf-8")
            assert len(expand_kernels(load_suite(path))) > 1, example
            continue
        if example.startswith("base:"):
            (tmp_path / "resnet.yaml").write_text((SUITES / "resnet.yaml").read_text(encoding="utf-8"))
        whole = example if example.startswith(("name:", "base:")) else head + example
        path.write_text(whole, encoding="utf-8")
        assert len(expand(load_suite(path), layers)) > 1, example
