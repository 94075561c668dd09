"""asv can import what it shall track, and a version of a benchmark changes with its measure and not before."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from qbench.cli import root
from qbench.kernels.cache import cache_home
from qbench.metrics import accuracy, speed

ROOT = Path(__file__).parents[2]
TRACKED = ROOT / "suites" / "tracked"
MEASURES = TRACKED / "measures.json"
MEANINGS = (speed.paired_ratio, speed.gops, accuracy.correct)
"""Functions of the package that make a tracked number of samples or of answers."""


def measure_of(name: str) -> str:
    """A hash of what the benchmarks of a module measure: its code, the bench's, and what makes numbers; no comments."""
    texts = [(TRACKED / file).read_text(encoding="utf-8") for file in (f"{name}.py", "bench.py")]
    texts += [textwrap.dedent(inspect.getsource(function)) for function in MEANINGS]
    trees = [ast.parse(text) for text in texts]
    for node in (node for tree in trees for node in ast.walk(tree)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _says(one)]  # type: ignore[attr-defined]
    return hashlib.sha256("".join(map(ast.unparse, trees)).encode()).hexdigest()[:12]


def _says(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, an import, or the version itself."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "version":
        return True
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Import | ast.ImportFrom)


def versions_of(name: str) -> dict[str, str]:
    """The version of every benchmark of a module."""
    tree = ast.parse((TRACKED / f"{name}.py").read_text(encoding="utf-8"))
    return {
        one.name: part.value.value
        for one in tree.body
        if isinstance(one, ast.ClassDef)
        for part in one.body
        if isinstance(part, ast.Assign)
        and isinstance(part.targets[0], ast.Name)
        and part.targets[0].id == "version"
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
    }


@pytest.mark.parametrize("name", ["accuracy", "layers", "network"])
def test_a_version_is_raised_where_its_measure_changes_and_only_there(name: str) -> None:
    kept = json.loads(MEASURES.read_text(encoding="utf-8"))[name]
    assert {"measure": measure_of(name), "versions": versions_of(name)} == kept, (
        f"what suites/tracked/{name}.py measures has changed, or its version was raised. Where its numbers mean "
        f"something else than before, raise the version of its classes; then write this into {MEASURES.name}"
    )


@pytest.mark.skipif(importlib.util.find_spec("asv") is None, reason="asv is not installed")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="asv wants a git checkout")
def test_asv_check_passes() -> None:
    environment = {**os.environ, "ASV_PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "asv", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout


def test_what_is_tracked_is_quantized_and_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "suites"))
    bench, layers = (importlib.import_module(f"tracked.{name}") for name in ("bench", "layers"))
    assert list(bench.sessions(bench.workbench())) == list(bench.METHODS)
    assert all(operations > 10**10 for _, _, operations in map(layers.ceiling, layers.CEILINGS))


@pytest.mark.skipif(importlib.util.find_spec("asv") is None, reason="asv is not installed")
def test_asv_follows_a_suite_of_the_user(tmp_path: Path) -> None:
    """`qbench asv init` and `asv run --quick`, which looks at all that `asv check` does, of a suite of one product."""
    suite = "kind: kernels\nname: own\nthreads: 1\ntiming: {precision: 0.5, seconds_a_cell: 0.01}\n"
    (tmp_path / "own.yaml").write_text(suite + "sweeps: [{name: gemm, shapes: gemm 31x64x48}]\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ASV_PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    environment["QBENCH_CACHE_DIR"] = str(cache_home())
    said = ""
    made = CliRunner().invoke(root, ["asv", "init", f"{tmp_path}/own.yaml", "-o", str(tmp_path)], standalone_mode=False)
    assert made.exception is None
    facts = dict.fromkeys(("arch", "cpu", "machine", "num_cpu", "os", "ram"), "1")
    (tmp_path / ".asv-machine.json").write_text(json.dumps({platform.node(): facts, "version": 1}))
    for command in (
        ["git", "init", "-q"],
        [*git, "add", "-A"],
        [*git, "commit", "-qm", "first"],
        [sys.executable, "-m", "asv", "run", "--quick", "--machine", platform.node()],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}: {said}"
    assert "own.Product.track_speed" in said
    assert "failed" not in said
