"""asv can import what it shall track, and what its pages list is what the benchmarks give."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
