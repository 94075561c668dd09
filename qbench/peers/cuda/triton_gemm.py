"""Triton's int8 product: its tutorial's blocked kernel with `tl.dot` on int8, over its usual block sizes."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.errors import MachineError
from qbench.peers.cuda.peer import Array, centred_lhs, int8_gemm_only, missing_module, torch_on

SIZES = (
    # rows, columns, depth, warps, stages
    (128, 256, 128, 8, 3),
    (128, 128, 128, 8, 4),
    (128, 128, 64, 4, 4),
    (64, 128, 128, 4, 4),
    (64, 64, 128, 4, 5),
)


class TritonGemm:
    """See `peer.CudaPeer`."""

    name: ClassVar[str] = "triton"
    distributions: ClassVar[tuple[str, ...]] = ("triton", "torch")

    def missing(self) -> str | None:
        """Return why it cannot be used here, or None."""
        return missing_module("torch", "triton")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why it cannot compute a cell, or None."""
        problem = cell.problem
        if isinstance(problem, GemmProblem) and problem.k % 128:
            return f"k must be a multiple of 128, got {problem.k}"
        return int8_gemm_only(cell, least_rows=16)

    def prepare(self, cell: KernelCell, operands: KernelOperands, *, stream: int, copies: int) -> tuple[_Prepared, ...]:
        """Return one way for each block size."""
        torch = torch_on(stream)
        if reason := self.missing():
            raise MachineError(reason)
        kernel = importlib.import_module("qbench.peers.cuda.triton_kernel").int8_gemm
        lhs, rhs = centred_lhs(operands), np.ascontiguousarray(operands.rhs, np.int8)
        sets = []
        for _ in range(copies):
            a, b = torch.from_numpy(lhs.copy()).cuda(), torch.from_numpy(rhs.copy()).cuda()
            sets.append((a, b, torch.empty((len(lhs), len(rhs)), dtype=torch.int32, device="cuda")))
        note = "" if cell.out == "s32" else "stops at s32"
        return tuple(_Prepared(torch, kernel, sets, size, note) for size in SIZES)


class _Prepared:
    """See `peer.PreparedPeer`."""

    exact = True

    def __init__(self, torch: Any, kernel: Any, sets: list[tuple[Any, Any, Any]], size: Any, note: str) -> None:
        self._torch, self._kernel, self._sets, self._size, self.note = torch, kernel, sets, size, note
        self.kernel = "triton {}x{}x{}, {} warps, {} stages".format(*size)

    def run(self) -> None:
        """Compute every copy once."""
        rows, columns, depth, warps, stages = self._size
        for a, b, out in self._sets:
            (m, k), n = a.shape, b.shape[0]
            grid = (-(-m // rows) * -(-n // columns),)
            self._kernel[grid](
                a, b, out, m, n, k, ROWS=rows, COLUMNS=columns, DEPTH=depth, TALL=8, num_warps=warps, num_stages=stages
            )

    def result(self) -> Array:
        """Return the sums."""
        self._torch.cuda.synchronize()
        found: Array = self._sets[0][2].cpu().numpy()
        return found
