"""torch's 8-bit operators: the eager ones with three engines, and those that its compiler calls (PT2E)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, missing_module, real_bias

Array = npt.NDArray[np.generic]


class TorchOperator:
    """A call that gives a new tensor; torch keeps the memory of the last one for the next."""

    def __init__(self, call: Callable[[], Any], facts: OperatorFacts, *, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.facts = facts
        self.run = torch.inference_mode()(call)
        try:
            self._last = self.run()
        except RuntimeError as error:
            raise ModelError(f"torch: expected an operation that it accepts, got: {_first_line(error)}") from error

    def result(self) -> Array:
        """Return the output, NHWC."""
        found = self.run()
        found = found.int_repr() if found.is_quantized else found.float() if found.is_floating_point() else found
        array: Array = (found.permute(0, 2, 3, 1) if found.dim() == 4 else found).contiguous().numpy()
        return array


class _Torch8Bit:
    """What the 8-bit peers of torch have in common."""

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_module("torch", "torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why torch has no kernel for `cell`, or None."""
        if not is_uniform(cell, weight_bits=8) or cell.group_size or cell.out != "u8":
            return "has weights and activations of 8 bits with u8 outputs only"
        if isinstance(cell.problem, ConvProblem):
            top, left, bottom, right = cell.problem.pads
            if (top, left) != (bottom, right):
                return "its convolutions pad both ends alike"
        return None


class TorchFbgemm(_Torch8Bit):
    """Eager quantized operators with the engine fbgemm."""

    name: ClassVar[str] = "torch-fbgemm"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    engine: ClassVar[str] = "fbgemm"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> TorchOperator:
        """Return the operation with weights prepacked by the engine."""
        import torch

        torch.backends.quantized.engine = self.engine
        scales = torch.from_numpy(operands.rhs_scale.astype(np.float64))
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        lhs, rhs, bias = _tensors(cell, operands)
        codes = torch._make_per_tensor_quantized_tensor(lhs, operands.lhs_scale, operands.lhs_zero_point)
        weights = torch._make_per_channel_quantized_tensor(rhs, scales, zeros, 0)
        scale, zero = operands.out_scale, operands.out_zero_point
        ops = torch.ops.quantized
        if isinstance(cell.problem, GemmProblem):
            packed = ops.linear_prepack(weights, bias)
            facts = OperatorFacts(f"quantized.linear {self.engine}", code_steps=1)
            return TorchOperator(lambda: ops.linear(codes, packed, scale, zero), facts, threads=cell.threads)
        packed = ops.conv2d_prepack(weights, bias, *_geometry(cell.problem))
        facts = OperatorFacts(f"quantized.conv2d {self.engine}", code_steps=1)
        return TorchOperator(lambda: ops.conv2d.new(codes, packed, scale, zero), facts, threads=cell.threads)


class TorchOnednn(TorchFbgemm):
    """Eager quantized operators with the engine onednn."""

    name: ClassVar[str] = "torch-onednn"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    engine: ClassVar[str] = "onednn"


class TorchX86(TorchFbgemm):
    """Eager quantized operators with the engine x86, which chooses between the other two."""

    name: ClassVar[str] = "torch-x86"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    engine: ClassVar[str] = "x86"


class TorchPt2e(_Torch8Bit):
    """What torch.compile calls for a network quantized by PT2E: oneDNN primitives with prepacked weights."""

    name: ClassVar[str] = "torch-pt2e"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> TorchOperator:
        """Return the operation with weights prepacked by oneDNN."""
        import torch

        ops = torch.ops.onednn
        scales = torch.from_numpy(operands.rhs_scale.copy())
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        lhs, rhs, bias = _tensors(cell, operands)
        lhs_law = (operands.lhs_scale, operands.lhs_zero_point)
        tail: tuple[Any, ...] = (operands.out_scale, operands.out_zero_point, torch.uint8, "none", [], "")
        if isinstance(cell.problem, GemmProblem):
            packed = ops.qlinear_prepack(rhs, list(lhs.shape))
            facts = OperatorFacts("onednn.qlinear_pointwise", code_steps=1)

            def linear() -> Any:
                return ops.qlinear_pointwise(lhs, *lhs_law, packed, scales, zeros, bias, *tail)

            return TorchOperator(linear, facts, threads=cell.threads)
        geometry = _geometry(cell.problem)
        packed = ops.qconv_prepack(rhs, scales, *lhs_law, *geometry, list(lhs.shape))
        facts = OperatorFacts("onednn.qconv_pointwise", code_steps=1)

        def conv() -> Any:
            return ops.qconv_pointwise(lhs, *lhs_law, packed, scales, zeros, bias, *geometry, *tail)

        return TorchOperator(conv, facts, threads=cell.threads)


class TorchIntMm:
    """`torch._int_mm`: s8 by s8 to s32."""

    name: ClassVar[str] = "torch-int-mm"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_module("torch", "torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why torch has no kernel for `cell`, or None."""
        whole = is_uniform(cell, weight_bits=8) and isinstance(cell.problem, GemmProblem) and cell.out == "s32"
        return None if whole else "has products of 8 bits with s32 outputs only"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> TorchOperator:
        """Return the product; codes move down by the zero point, which is 128."""
        import torch

        lhs = torch.from_numpy((operands.lhs.astype(np.int16) - operands.lhs_zero_point).astype(np.int8))
        rhs = torch.from_numpy(operands.rhs).t()
        facts = OperatorFacts("torch._int_mm", packed="each call")
        return TorchOperator(lambda: torch._int_mm(lhs, rhs), facts, threads=cell.threads)


def _tensors(cell: KernelCell, operands: KernelOperands) -> tuple[Any, Any, Any]:
    """Return lhs, rhs and bias in float32; images and kernels channels last."""
    import torch

    lhs, rhs = torch.from_numpy(operands.lhs), torch.from_numpy(operands.rhs)
    if isinstance(cell.problem, ConvProblem):
        lhs, rhs = lhs.permute(0, 3, 1, 2), rhs.permute(0, 3, 1, 2)
    return lhs, rhs, torch.from_numpy(real_bias(operands))


def _geometry(problem: ConvProblem) -> tuple[list[int], list[int], list[int], int]:
    """Return stride, padding, dilation, groups."""
    return list(problem.strides), list(problem.pads[:2]), list(problem.dilations), problem.groups


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
