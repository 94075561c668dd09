"""Timing is exclusive; accuracy shares; a run folder has one writer; a dead process holds nothing."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from qbench.errors import MachineError, ResultsError
from qbench.runner.machine.lock import machine_lock_path, timing, working, writing

HOLD = """
import sys
from pathlib import Path
from qbench.runner.machine import lock
with getattr(lock, sys.argv[1])(path=Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(kind: str, path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, kind, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def blocked(path: Path, kind: int) -> bool:
    with path.open("r+") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_nobody_runs_beside_a_timing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with timing(path=path):
        assert blocked(path, fcntl.LOCK_SH)
        assert blocked(path, fcntl.LOCK_EX)
    assert not blocked(path, fcntl.LOCK_EX)


def test_accuracy_trials_share_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with working(path=path):
        assert not blocked(path, fcntl.LOCK_SH)
        assert blocked(path, fcntl.LOCK_EX)


def test_a_waiter_says_so_once_and_a_dead_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = hold("timing", path)
    waits: list[str] = []
    reached = threading.Event()

    def wait() -> None:
        with timing(path=path, on_wait=lambda: (waits.append("waiting"), process.kill())):  # type: ignore[func-returns-value]
            reached.set()

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(timeout=20)
    process.communicate()
    assert reached.is_set()
    assert waits == ["waiting"]


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with writing(tmp_path / "suite"), pytest.raises(ResultsError, match="another qbench"), writing(tmp_path / "suite"):
        pass


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="expected a lock file"), writing(tmp_path / "file" / "suite"):
        pass
    with pytest.raises(MachineError, match="expected a lock file"), timing(path=tmp_path / "file" / "lock"):
        pass


def test_all_processes_of_a_machine_meet_at_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QBENCH_LOCK")
    assert machine_lock_path().parent == Path(tempfile.gettempdir())
    monkeypatch.setenv("QBENCH_LOCK", "/shared/lock")
    assert machine_lock_path() == Path("/shared/lock")
