"""The composite action and the workflow to copy: parsed, and their `run` steps executed as scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from qbench.results import read_run
from qbench.results.gates.baseline import save_baseline

ROOT = Path(__file__).parents[2]
SUITE = """
name: mine
model: resnet20
data: cifar10-shard
data_limit: 60
calibration: {samples: 16}
sweeps: [{name: bits, spec: w8c-a8t, recipe: mse}]
expect: [{column: packed_bytes, most: 300000}]
"""


def parsed(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with a suite, and commands of this checkout; `pip` only writes down what it is asked."""
    commands = tmp_path / "commands"
    commands.mkdir()
    shims = {"qbench": f'exec "{sys.executable}" -m qbench "$@"', "pip": 'echo "$@" >> "$(dirname "$0")/pip.txt"'}
    for name, line in shims.items():
        (commands / name).write_text(f"#!/bin/bash\n{line}\n")
        (commands / name).chmod(0o755)
    (tmp_path / "mine.yaml").write_text(SUITE)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def script(step: dict[str, Any], place: Path, inputs: dict[str, str]) -> tuple[int, str]:
    """Run a step as GitHub does: bash with -e and pipefail, `env` with the expressions of inputs filled in."""

    def filled(text: str) -> str:
        text = re.sub(r"\$\{\{ inputs\.package \|\| github\.action_path \}\}", str(ROOT), text)
        return re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: inputs[found[1]], text)

    environment = {name: filled(str(value)) for name, value in step.get("env", {}).items()}
    assert "${{" not in "".join(environment.values()) + step["run"], "an expression in a script is an injection"
    environment |= {"PYTHONPATH": str(ROOT), "PATH": f"{place}/commands:{os.environ['PATH']}"}
    environment |= {"GITHUB_STEP_SUMMARY": str(place / "summary.md")}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(words, cwd=place, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_action_and_workflow_do_what_they_say(place: Path) -> None:
    action = parsed("action.yml")
    assert action["runs"]["using"] == "composite"
    inputs = {name: str(facts.get("default", "")) for name, facts in action["inputs"].items()} | {"suite": "mine.yaml"}
    assert [name for name, facts in action["inputs"].items() if "default" not in facts] == ["suite"]
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    assert all(step["shell"] == "bash" for step in steps)
    install, run, judge = steps
    assert script(install, place, inputs)[0] == 0
    assert (place / "commands" / "pip.txt").read_text() == f"install --quiet {ROOT}\n"
    code, said = script(run, place, inputs)
    assert code == 0, said
    save_other_sizes(place, "qbench-results")
    code, said = script(judge, place, inputs)
    assert code == 1
    assert LARGER in said
    assert "**larger**" in (place / "summary.md").read_text()
    assert {path.name for path in (place / "qbench-results").iterdir()} >= {"qbench.xml", "qbench.json", "changes.html"}

    (place / "qbench-results").rename(place / "results")
    workflow = parsed("docs/ci/workflow.yml")
    (job,) = workflow["jobs"].values()
    install, run, judge = (step for step in job["steps"] if "run" in step)
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 reads `on` so
    assert install["run"] == "pip install qbench"
    code, said = script(run, place, {})  # continues the run that is there
    assert code == 0, said
    code, said = script(judge, place, {})
    assert (code, LARGER in said) == (1, True)
    assert (place / "qbench.xml").is_file()


LARGER = "::error title=qbench larger::bits/resnet20/all/w8c-a8t/mse/s0: packed_bytes 7 before"


def save_other_sizes(place: Path, out: str) -> None:
    """Save the run as the baseline, and make it say that the network had 7 bytes."""
    folder = place / "qbench-baselines"
    save_baseline(read_run(place / out / "mine"), folder)
    kept = folder / "mine" / "trials.jsonl"
    small = re.sub(r'("packed_bytes":\{"value":)([0-9.]+)', r"\g<1>7.0", kept.read_text())
    assert small != kept.read_text()
    kept.write_text(small)
