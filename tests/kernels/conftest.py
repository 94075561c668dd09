"""What this session covered is part of its result: the variants that ran, and why others did not."""

from __future__ import annotations

import pytest

from qbench.kernels import variants


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    covered = [name for name in variants.NAMES if variants.unavailable(name) is None]
    absent = [f"{name} ({variants.unavailable(name)})" for name in variants.NAMES if name not in covered]
    terminalreporter.write_line(f"kernel variants covered: {', '.join(covered)}")
    terminalreporter.write_line(f"not on this machine: {', '.join(absent) or 'none'}")
