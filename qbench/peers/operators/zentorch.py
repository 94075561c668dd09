"""zentorch: AMD's kernels for torch. Products of 8 bits, weights packed once."""

from __future__ import annotations

from typing import Any, ClassVar

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, missing_module, real_bias
from qbench.peers.operators.torch_quantized import TorchOperator

_KEPT: list[Any] = []
"""Weights of every operation so far: zentorch finds packed weights by address, and for new ones at an address that was
freed it takes the packed form of the old ones [measured: wrong products]."""


class ZenTorch:
    """`torch.ops.zentorch.zentorch_qlinear`."""

    name: ClassVar[str] = "zentorch"
    distributions: ClassVar[tuple[str, ...]] = ("zentorch", "torch")

    def missing(self) -> str | None:
        """Return why zentorch cannot be used here, or None."""
        return missing_module("zentorch", "torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why zentorch has no kernel for `cell`, or None."""
        gemm = is_uniform(cell, weight_bits=8) and isinstance(cell.problem, GemmProblem) and not cell.group_size
        return None if gemm and cell.out != "s32" else "has products of 8 bits with u8 and float32 outputs only"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> TorchOperator:
        """Return the product with prepacked weights."""
        import torch
        import zentorch  # noqa: F401  (registers torch.ops.zentorch)

        ops: Any = torch.ops.zentorch
        lhs = torch.from_numpy(operands.lhs)
        weights = torch.from_numpy(operands.rhs.copy())
        _KEPT.append(weights)
        scales = torch.from_numpy(operands.rhs_scale.copy())
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        lhs_law = torch.tensor([operands.lhs_scale]), torch.tensor([operands.lhs_zero_point], dtype=torch.int32)
        if cell.out == "f32":
            tail: tuple[Any, ...] = (None, None, None, torch.float32)
        else:
            out_law = torch.tensor([operands.out_scale]), torch.tensor([operands.out_zero_point], dtype=torch.int32)
            tail = (torch.from_numpy(real_bias(operands)), *out_law, torch.uint8)

        def call() -> Any:
            return ops.zentorch_qlinear(lhs, weights, lhs_law[0], lhs_law[1], scales, zeros, *tail)

        return TorchOperator(call, OperatorFacts("zentorch_qlinear", code_steps=1), threads=cell.threads)
