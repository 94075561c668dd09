"""Rows of networks, in the table of kinds."""

from __future__ import annotations

from qbench.core.trial import TrialResult
from qbench.results.compare import compared_networks
from qbench.results.gates.expected import shown
from qbench.results.history.timing import network_timings
from qbench.results.index import frame
from qbench.results.kind import RowKind
from qbench.results.tables import markdown_table

NETWORKS = RowKind(TrialResult, frame, markdown_table, compared_networks, network_timings, shown=shown)
