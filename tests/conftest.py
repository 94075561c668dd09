"""What all tests share: a timing lock of their own, and a closing word on the kernel variants that were covered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qbench.kernels import variants


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no run outside these tests make them wait, nor them it: their times are believed by nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QBENCH_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which kernel variants ran here, and why others did not."""
    covered = [name for name in variants.NAMES if variants.unavailable(name) is None]
    absent = [f"{name} ({variants.unavailable(name)})" for name in variants.NAMES if name not in covered]
    terminalreporter.write_line(f"kernel variants covered: {', '.join(covered)}")
    terminalreporter.write_line(f"not on this machine: {', '.join(absent) or 'none'}")
