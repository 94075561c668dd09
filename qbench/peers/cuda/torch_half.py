"""PyTorch in half precision: products, and convolutions in channels-last layout, on unquantized numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.peers.cuda.peer import Array, missing_module, torch_on


class TorchHalf:
    """float16; see `peer.CudaPeer`."""

    name: ClassVar[str] = "torch-fp16"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def missing(self) -> str | None:
        """Return why it cannot be used here, or None."""
        return missing_module("torch")

    precision = "float16"

    def supports(self, cell: KernelCell) -> str | None:
        """Return why it cannot compute a cell, or None."""
        problem = cell.problem
        if isinstance(problem, ConvProblem) and problem.pads[:2] != problem.pads[2:]:
            return "padding must be the same on both sides"
        return None

    def prepare(self, cell: KernelCell, operands: KernelOperands, *, stream: int, copies: int) -> tuple[_Prepared, ...]:
        """Return the one way."""
        torch = torch_on(stream)
        torch.backends.cudnn.benchmark = True
        kind = getattr(torch, self.precision)
        lhs = operands.lhs.astype(np.float32) - np.float32(operands.lhs_zero_point)
        lhs, rhs = lhs * np.float32(operands.lhs_scale), _real_weights(cell, operands)
        sets = []
        for _ in range(copies):
            a, b = (torch.from_numpy(v).cuda().to(kind) for v in (lhs, rhs))
            if isinstance(cell.problem, ConvProblem):
                a, b = a.permute(0, 3, 1, 2), b.permute(0, 3, 1, 2)  # views of NHWC memory: channels last
            else:
                b = b.t()
            sets.append((a, b))
        return (_Prepared(torch, sets, cell, self.precision),)


class TorchBfloat(TorchHalf):
    """bfloat16."""

    name: ClassVar[str] = "torch-bf16"
    precision = "bfloat16"


def _real_weights(cell: KernelCell, operands: KernelOperands) -> Any:
    """Return weights as reals, OHWI or (n, k)."""
    rhs = operands.rhs.astype(np.float32)
    flat = rhs.reshape(len(rhs), -1)
    scale = operands.rhs_scale
    wide = np.repeat(scale, cell.group_size, axis=1) if cell.group_size else scale[:, None]
    return (flat * wide).reshape(rhs.shape)


class _Prepared:
    """See `peer.PreparedPeer`."""

    exact = False

    def __init__(self, torch: Any, sets: list[tuple[Any, Any]], cell: KernelCell, precision: str) -> None:
        self._torch, self._sets, self._problem = torch, sets, cell.problem
        is_conv = isinstance(cell.problem, ConvProblem)
        self.kernel = f"torch.{'conv2d' if is_conv else 'mm'} {precision}"
        self.note = f"{precision}, not quantized"
        self._outs: list[Any] = [None] * len(sets)

    def run(self) -> None:
        """Compute every copy once."""
        problem = self._problem
        for i, (a, b) in enumerate(self._sets):
            if isinstance(problem, ConvProblem):
                self._outs[i] = self._torch.nn.functional.conv2d(
                    a, b, None, problem.strides, problem.pads[:2], problem.dilations, problem.groups
                )
            elif self._outs[i] is None:
                self._outs[i] = self._torch.mm(a, b)
            else:
                self._torch.mm(a, b, out=self._outs[i])

    def result(self) -> Array:
        """Return the answer as float32, NHWC or (m, n)."""
        self._torch.cuda.synchronize()
        out = self._outs[0].float().cpu()
        found: Array = (out.permute(0, 2, 3, 1) if out.dim() == 4 else out).contiguous().numpy()
        return found
