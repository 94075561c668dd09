"""Suites of networks, in the table of kinds."""

from __future__ import annotations

from qbench.suite.kind import SuiteKind
from qbench.suite.schema import Suite

NETWORKS = SuiteKind(Suite, "suite.schema.json")
