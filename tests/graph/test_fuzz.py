"""Mutated files are read or refused in one line; `python -m tests.graph.fuzz COUNT` tries as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qbench.errors import ModelError
from qbench.graph import read_onnx
from qbench.graph.onnx import read
from tests.graph import fuzz


def test_mutated_files_are_read_or_refused() -> None:
    counted, found = fuzz.findings(150, seed=7)
    assert [(finding.name, finding.what) for finding in found] == []
    assert min(counted["read"], counted["refused"]) > 20


def test_fault_of_the_reader_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(read, "drafts_of", fails)
    path = tmp_path / "a.onnx"
    path.write_bytes(fuzz.bases()["option_a"])
    with pytest.raises(ModelError, match=r"a.onnx: the reader fails .* own: ZeroDivisionError: division by zero$"):
        read_onnx(path)
