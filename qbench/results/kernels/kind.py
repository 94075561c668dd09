"""Rows of kernels, in the table of kinds."""

from __future__ import annotations

from qbench.core.cells.result import KernelResult
from qbench.results.history.timing import kernel_timings
from qbench.results.kernels.compare import compared_kernels
from qbench.results.kernels.index import kernel_frame, unmet_bars
from qbench.results.kernels.tables import kernel_markdown
from qbench.results.kind import RowKind

KERNELS = RowKind(KernelResult, kernel_frame, kernel_markdown, compared_kernels, kernel_timings, unmet_bars)
