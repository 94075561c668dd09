"""Helper threads end with the session that they help: a sweep over seeds would collect them."""

from __future__ import annotations

import threading
from pathlib import Path

from click.testing import CliRunner

from qbench.cli import root
from qbench.engine import FloatSession
from qbench.graph import read_onnx
from tests.golden.facts import SMALL


def helpers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "qbench"}


def test_a_closed_session_leaves_no_thread() -> None:
    before = helpers()
    with FloatSession(read_onnx(SMALL), threads=2):
        assert len(helpers() - before) == 1
    assert helpers() <= before


def test_calibrating_correcting_and_scoring_leave_no_thread(tmp_path: Path) -> None:
    before = helpers()
    words = ["quantize", str(SMALL), "--data", str(SMALL.with_suffix(".npz")), "--threads", "2", "--calibration", "16"]
    asked = ["--spec", "w4c-a8t", "--correction", "both", "--no-times", "-o", str(tmp_path)]
    done = CliRunner().invoke(root, [*words, *asked], standalone_mode=False)
    assert done.exception is None, done.output
    assert helpers() <= before
