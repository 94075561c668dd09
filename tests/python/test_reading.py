"""Runs from Python: every documented call on published runs, and on a small run of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import qbench
from qbench.errors import DataError, ResultsError, SuiteError

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
CALLS = {"explore", "run", "read", "quantize", "load", "track"}


def test_the_documented_calls_are_those_that_there_are() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `qbench\.(\w+)\(", text, re.M)) == CALLS
    assert set(dir(qbench)) >= CALLS
    named = set(re.findall(r"^\| `(\w+)[`(]", text.partition("A `Reading`")[2], re.M)) - {"name"}
    assert named == {"answer", "best", "frame", "ranking", "plots", "compare", "page", "run"}


def test_the_documented_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.S)[0]
    names: dict[str, Any] = {}
    exec(code, names)
    out = capsys.readouterr().out
    assert "keeps 99" in out
    assert "w8c-a8t" in out
    assert {"NOT JUDGED", "SAME"} <= set(names["changed"]["verdict"])
    assert names["figure"].axes


def test_a_run_of_kernels_is_read_alike() -> None:
    found = qbench.read(PUBLISHED / "kernels_4_bits")
    assert "as fast as the best other library" in found.answer[0] or "operations" in found.answer[0]
    assert len(found.frame()) >= len(found.run.results)
    assert found.ranking().empty


def test_a_notebook_shows_the_answer_and_no_markup_of_names() -> None:
    found = qbench.read(PUBLISHED / "resnet_zen4")
    shown = found._repr_html_()
    assert "fp32&#x27;s accuracy" in shown
    assert shown.count("<tr") == len(found.best()) + 1
    assert repr(found).startswith("Reading(")
    assert isinstance(found.best(), pd.DataFrame)


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="expected the folder of a run, found nothing there"):
        qbench.read(tmp_path / "none")
    with pytest.raises(DataError, match="got none"):
        qbench.explore("nothing.onnx")
    with pytest.raises(SuiteError, match="expected a suite of one network, got one of 71"):
        qbench.run("public")
    with pytest.raises(AttributeError):
        qbench.nothing  # noqa: B018


@pytest.mark.xdist_group("tiny")
def test_a_suite_runs_and_continues(tiny_run: tuple[Path, object]) -> None:
    folder, _ = tiny_run
    again = qbench.run("tiny", out=folder.parents[1], quick=True)
    assert again.folder == folder
    assert (folder / "report.html").is_file()
    assert len(again.run.results) == len(again.frame())
