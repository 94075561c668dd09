"""PyTorch's int8 product, `torch._int_mm`: sums in int32, nothing fused."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qbench.core.cells.product import KernelCell, KernelOperands
from qbench.peers.cuda.peer import Array, centred_lhs, int8_gemm_only, missing_module, torch_on

LEAST_ROWS = 17
"""`torch._int_mm` refuses fewer."""


class TorchIntMm:
    """See `peer.CudaPeer`."""

    name: ClassVar[str] = "torch-int-mm"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def missing(self) -> str | None:
        """Return why it cannot be used here, or None."""
        return missing_module("torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why it cannot compute a cell, or None."""
        return int8_gemm_only(cell, least_rows=LEAST_ROWS)

    def prepare(self, cell: KernelCell, operands: KernelOperands, *, stream: int, copies: int) -> tuple[_Prepared, ...]:
        """Return the one way."""
        torch = torch_on(stream)
        lhs, rhs = centred_lhs(operands), np.ascontiguousarray(operands.rhs, np.int8)
        sets = []
        for _ in range(copies):
            a, b = torch.from_numpy(lhs.copy()).cuda(), torch.from_numpy(rhs.copy()).cuda()
            sets.append((a, b.t(), torch.empty((len(lhs), len(rhs)), dtype=torch.int32, device="cuda")))
        return (_Prepared(torch, sets, cell.out),)


class _Prepared:
    """See `peer.PreparedPeer`."""

    kernel, exact = "torch._int_mm", True

    def __init__(self, torch: Any, sets: list[tuple[Any, Any, Any]], out: str) -> None:
        self._torch, self._sets = torch, sets
        self.note = "" if out == "s32" else "stops at s32"

    def run(self) -> None:
        """Compute every copy once."""
        for a, b, out in self._sets:
            self._torch._int_mm(a, b, out=out)

    def result(self) -> Array:
        """Return the sums."""
        self._torch.cuda.synchronize()
        found: Array = self._sets[0][2].cpu().numpy()
        return found
