"""Suites of kernels, in the table of kinds."""

from __future__ import annotations

from qbench.suite.kernels.schema import KernelSuite
from qbench.suite.kind import SuiteKind

KERNELS = SuiteKind(KernelSuite, "kernels.schema.json")
