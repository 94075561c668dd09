"""What tests share: a timing lock, a run of each of the smallest suites, and a closing word on kernel variants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qbench.kernels import variants

if TYPE_CHECKING:
    from tests.end_to_end.listener import Listener

SUITES = Path(__file__).parents[1] / "suites"


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no run outside these tests make them wait, nor them it: their times are believed by nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QBENCH_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Listener]:
    """A quick run of suites/tiny.yaml, and what it told; tests that use it are of the group `tiny`, to share it."""
    from qbench.runner import run_suite
    from qbench.suite import load_suite
    from tests.end_to_end.listener import Listener

    listener = Listener()
    root = tmp_path_factory.mktemp("tiny")
    return run_suite(load_suite(SUITES / "tiny.yaml"), results_root=root, quick=True, observer=listener), listener


@pytest.fixture(scope="session")
def tiny_kernel_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick run of suites/kernels_tiny.yaml without peers; tests that use it are of the group `tiny_kernels`."""
    from click.testing import CliRunner

    from qbench.cli import root

    out = tmp_path_factory.mktemp("tiny_kernels")
    words = [
        "run",
        str(SUITES / "kernels_tiny.yaml"),
        "-o",
        str(out),
        "--quick",
        "--set",
        "peers=[]",
        "--set",
        "bars=[]",
    ]
    result = CliRunner().invoke(root, words, standalone_mode=False)
    assert result.exception is None, result.output
    return out / "kernels_tiny"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which kernel variants ran here, and why others did not."""
    covered = [name for name in variants.NAMES if variants.unavailable(name) is None]
    absent = [f"{name} ({variants.unavailable(name)})" for name in variants.NAMES if name not in covered]
    terminalreporter.write_line(f"kernel variants covered: {', '.join(covered)}")
    terminalreporter.write_line(f"not on this machine: {', '.join(absent) or 'none'}")
