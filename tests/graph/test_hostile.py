"""Hundreds of malformed and hostile files: each is refused in one line, in bounded memory, and nothing crashes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qbench.errors import ModelError
from qbench.graph import read_onnx
from tests.graph import hostile

ROOT = Path(__file__).parents[2]


def test_every_hostile_file_is_refused_in_one_line_and_little_memory(tmp_path: Path) -> None:
    hostile.write_all(tmp_path, each=2)
    done = subprocess.run(
        [sys.executable, "-m", "tests.graph.hostile", str(tmp_path / "models")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 200
    assert [line["file"] for line in lines if not line["refusal"]] == []
    for line in lines:
        assert line["refusal"].isprintable(), line
        assert len(line["refusal"]) < 1000, line
    assert last["peak_bytes"] < 2**30


@pytest.mark.parametrize("base", hostile.BASES)
def test_random_bytes_in_a_file_give_a_network_or_one_line(base: str, tmp_path: Path) -> None:
    whole = np.frombuffer((hostile.FOLDER / f"{base}.onnx").read_bytes(), np.uint8)
    generator = np.random.default_rng(0)
    path = tmp_path / "a.onnx"
    refused = 0
    for _ in range(60):
        damaged = whole.copy()
        places = generator.integers(0, len(whole), size=generator.integers(1, 40))
        damaged[places] = generator.integers(0, 256, size=len(places))
        path.write_bytes(damaged.tobytes())
        line = _refusal(path)
        assert line.isprintable()
        refused += line != ""
    assert refused > 0


def _refusal(path: Path) -> str:
    """Return the line by which a file is refused, "" where it is read."""
    try:
        read_onnx(path)
    except ModelError as error:
        return str(error)
    return ""
