"""`qbench ab`: two folders of sources, one of them slower; what a gate says; wrong words."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import qbench
from qbench.graph import write_onnx
from qbench.metrics.speed import Ratio, Verdict
from qbench.results.replicates import Judged
from qbench.runner.sides.contest import ContestRow, Outcome
from tests.runner.conftest import small_network


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Answer]

PACKAGE = Path(qbench.__file__).parent
ROW = "speed/small.onnx/all/w8c-a8t/minmax/s0/b64"
NETWORK = """
name: small
model: small.onnx
data: small.npz
calibration: {samples: 16}
threads: 1
timing: {batch_sizes: 64, references: []}
sweeps: [{name: speed, measure: [accuracy, speed], spec: w8c-a8t, method: minmax}]
"""
DELAY = """

def _slower(self, *arrays, _plain=Session.run):
    import time

    begin = time.perf_counter()
    found, end = _plain(self, *arrays), 2 * time.perf_counter() - begin
    while time.perf_counter() < end:
        pass
    return found


Session.run = _slower
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two checkouts, `before` and `after`, and a suite that times one small network."""
    monkeypatch.chdir(tmp_path)
    for name in ("before", "after"):
        shutil.copytree(PACKAGE, tmp_path / name / "qbench", copy_function=os.symlink)
    slow = tmp_path / "after" / "qbench" / "engine" / "session.py"
    text = slow.read_text(encoding="utf-8")
    slow.unlink()
    slow.write_text(text + DELAY, encoding="utf-8")
    write_onnx(small_network(), tmp_path / "small.onnx")
    images = np.random.default_rng(0).standard_normal((64, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "small.npz", images=images, labels=np.arange(64) % 4)
    (tmp_path / "small.yaml").write_text(NETWORK, encoding="utf-8")
    return tmp_path


def test_a_delay_planted_in_one_of_two_folders_is_found(call: Call, folders: Path) -> None:
    few = ("--processes", "2", "--seconds", "0", "--threshold", "0.2")
    done = call("ab", "before", "after", "small.yaml", "--row", ROW, *few, "--fail-on", "slower", "--json")
    assert done.code in (1, 3), done.err  # two processes on a busy machine may be UNSURE, never SAME
    found = json.loads(done.out)
    (timed,) = found["rows"]
    assert (timed["key"], timed["same_answer"]) == (ROW, True)
    assert timed["judged"]["verdict"] == ("SLOWER" if done.code == 1 else "UNSURE")
    assert timed["judged"]["ratio"][0] < 0.8


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("one", "small.yaml"), "ab: expected A B SUITE, or A..B SUITE, got one small.yaml"),
        (("one..two", "kernels_tiny"), "ab one..two: expected one --row KEY, got 0"),
        (("none", "here", "kernels_tiny"), "none: expected a folder with qbench's sources, a Python, or a commit"),
        ((".", ".", "kernel_tiny"), "kernel_tiny: expected a suite's file (.yaml) or a packaged suite's name; did you"),
        ((".", ".", "none.yaml"), "none.yaml"),
    ],
)
def test_wrong_words_are_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: str
) -> None:
    monkeypatch.chdir(PACKAGE.parent)
    done = call("ab", *words)
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err


def test_a_gate_names_what_is_slower_missing_or_failed_and_what_it_cannot_say(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(key: str, word: Verdict) -> ContestRow:
        return ContestRow(key, 1.0, 1.1, Judged(Ratio(0.9, 0.89, 0.91), 0.001, word, 3), same_answer=True)

    def outcome(*rows: ContestRow, **facts: Any) -> None:
        found = Outcome(rows, facts.get("missing", ()), (), facts.get("failed", {}), 1.0)
        monkeypatch.setattr("qbench.runner.sides.contest.compare_sides", lambda *_: found)

    monkeypatch.chdir(PACKAGE.parent)
    words = ("ab", ".", ".", "kernels_tiny")
    outcome(row("one", "SLOWER"), row("two", "SAME"), missing=("three",), failed={"four": "wrong"})
    done = call(*words, "--fail-on", "slower")
    assert done.code == 1
    for line in (
        "1 SAME, 1 SLOWER: . (B) against . (A)",
        "slower: one: 0.900 [0.890, 0.910] x",
        "missing: three: B has no such row",
        "failed: four: wrong",
    ):
        assert line in done.out
    assert call(*words).code == 0
    outcome(row("one", "UNSURE"))
    assert [call(*words, "--fail-on", "slower", *soft).code for soft in ((), ("--soft",))] == [3, 0]
    outcome(row("one", "FASTER"))
    assert call(*words, "--fail-on", "slower").code == 0
