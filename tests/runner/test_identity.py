"""What an earlier row depends on: the code, not the sentences about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import qbench
from qbench.runner.identity import hash_of, sources_hash

SOURCE = '''"""A module."""

LIMIT = 3
"""What is too much."""


def double(value: int) -> int:
    """Return twice the value."""
    return 2 * value  # plainly


class Empty:
    """Nothing."""
'''


@pytest.fixture
def before(tmp_path: Path) -> str:
    return hashed(tmp_path, SOURCE)


def hashed(root: Path, source: str, *, name: str = "one.py") -> str:
    room = root / "kernels"
    room.mkdir(exist_ok=True)
    for path in room.iterdir():
        path.unlink()
    (room / name).write_text(source)
    return hash_of(root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Return twice the value.", "Return the value times two."),
        ("  # plainly", ""),
        ('"""A module."""', "# no docstring"),
        ("What is too much.", "Too much."),
        ("return 2 * value", "return (\n        2 * value\n    )"),
    ],
)
def test_prose_changes_no_identity(tmp_path: Path, before: str, old: str, new: str) -> None:
    assert old in SOURCE
    assert hashed(tmp_path, SOURCE.replace(old, new)) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("LIMIT = 3", "LIMIT = 4"), ("2 * value", "value * 2"), ("value: int", "value: float"), ("Empty", "Bare")],
)
def test_code_changes_it(tmp_path: Path, before: str, old: str, new: str) -> None:
    assert hashed(tmp_path, SOURCE.replace(old, new)) != before


def test_the_name_of_a_file_changes_it(tmp_path: Path, before: str) -> None:
    assert hashed(tmp_path, SOURCE, name="two.py") != before


def test_a_string_that_is_used_is_code(tmp_path: Path) -> None:
    found = {hashed(tmp_path, f"def name() -> str:\n    return '{word}'\n") for word in ("a", "b")}
    assert len(found) == 2


def test_every_process_gives_the_same_hash() -> None:
    code = "from qbench.runner.identity import sources_hash; print(sources_hash())"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == sources_hash()


def test_all_rooms_that_compute_are_hashed() -> None:
    assert sources_hash() == hash_of(Path(qbench.__file__).parent)


def test_what_was_found_of_the_sources_is_kept_and_a_damaged_one_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    asked = sources_hash.__wrapped__
    found = asked()
    (kept,) = (tmp_path / "sources").iterdir()
    assert found == hash_of(Path(qbench.__file__).parent)
    kept.write_text("0" * 64)
    assert asked() == "0" * 64
    kept.write_text("0" * 63)
    assert asked() == found
    assert kept.read_text() == found
