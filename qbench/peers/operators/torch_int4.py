"""torch's products with 4-bit weights in groups. Their activations are bfloat16: a class of its own, labelled so."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, missing_module, reals
from qbench.peers.operators.torch_quantized import TorchOperator

_SIZES = (32, 64, 128, 256)


class TorchInt4Pack:
    """`torch._weight_int4pack_mm_for_cpu`."""

    name: ClassVar[str] = "torch-int4pack"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_module("torch", "torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why torch has no kernel for `cell`, or None."""
        gemm = isinstance(cell.problem, GemmProblem) and cell.out == "f32" and is_uniform(cell, weight_bits=4)
        if not gemm or cell.group_size not in _SIZES:
            return f"has products with 4-bit weights in groups of {', '.join(map(str, _SIZES))} only"
        assert isinstance(cell.problem, GemmProblem)
        return "its columns come in 16s" if cell.problem.n % 16 else None

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> TorchOperator:
        """Return the product; scales and zeros are bfloat16, which holds them exactly."""
        import torch

        lhs = torch.from_numpy(reals(operands)).to(torch.bfloat16)
        codes = torch.from_numpy((operands.rhs.astype(np.int32) + 8).astype(np.int32))
        packed = torch._convert_weight_to_int4pack_for_cpu(codes, 1)
        scales = torch.from_numpy(operands.rhs_scale.T.copy())
        params = torch.stack([scales, torch.zeros_like(scales)], dim=-1).to(torch.bfloat16).contiguous()
        facts = OperatorFacts(
            "_weight_int4pack_mm_for_cpu", least_sqnr_db=30.0, note="bfloat16 activations and outputs, no integers"
        )

        def call() -> object:
            return torch._weight_int4pack_mm_for_cpu(lhs, packed, cell.group_size, params)

        return TorchOperator(call, facts, threads=cell.threads)
