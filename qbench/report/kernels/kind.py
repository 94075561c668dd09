"""The page of kernels, in the table of kinds."""

from __future__ import annotations

from qbench.report.kernels.page import kernel_page
from qbench.report.kind import PageKind

KERNELS = PageKind(kernel_page, several=False)
