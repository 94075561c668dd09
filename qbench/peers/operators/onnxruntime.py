"""onnxruntime's integer operators, one node per model: 8-bit products and convolutions, products with 4-bit weights.

Convolutions are its own channels-last QLinearConv, which is what it makes of a network's QLinearConv by itself.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.graph.writing.one_node import CONTRIB, one_node_bytes
from qbench.kernels import VNNI, instruction_sets
from qbench.peers.onnxruntime.session import missing_library, multiply_exactly
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, reals

Array = npt.NDArray[np.generic]
_ERRORS_ONLY = 3
_ACCURACY_INT8 = 4
_SIZES = (16, 32, 64, 128, 256)


class OnnxRuntime:
    """MLAS behind onnxruntime's CPU provider."""

    name: ClassVar[str] = "onnxruntime"
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def missing(self) -> str | None:
        """Return why onnxruntime cannot be used here, or None."""
        return missing_library()

    def supports(self, cell: KernelCell) -> str | None:
        """Return why onnxruntime has no kernel for `cell`, or None."""
        if is_uniform(cell, weight_bits=8):
            return None if cell.out != "f32" else "float32 outputs of its 8-bit operators are not timed"
        if not is_uniform(cell, weight_bits=4) or cell.out != "f32" or not isinstance(cell.problem, GemmProblem):
            return "has weights of 8 bits, and of 4 bits in groups with float32 outputs, only"
        if cell.group_size not in _SIZES:
            return f"MatMulNBits has groups of {', '.join(map(str, _SIZES))} only"
        return None

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> OnnxRuntimeOperator:
        """Return the operation as a session of one node, bound to its buffers."""
        if cell.out == "f32":
            return _nbits(cell, operands)
        if isinstance(cell.problem, GemmProblem):
            return _gemm(cell, cell.problem, operands)
        return _conv(cell, cell.problem, operands)


class OnnxRuntimeOperator:
    """One session with one input and one output, both bound."""

    def __init__(self, content: bytes, lhs: Array, out: Array, facts: OperatorFacts, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        multiply_exactly(options)
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # pybind exceptions of onnxruntime share no public parent
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"onnxruntime: expected a node that it accepts, got: {reason}") from error
        self.facts = facts
        self._lhs, self._out = np.ascontiguousarray(lhs), out  # the binding holds their memory
        binding = session.io_binding()
        binding.bind_input("lhs", "cpu", 0, lhs.dtype, lhs.shape, self._lhs.ctypes.data)
        binding.bind_output("out", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
        self._session: Any = session
        self._binding: Any = binding

    def run(self) -> object:
        """Compute the output once more."""
        return self._session.run_with_iobinding(self._binding)

    def result(self) -> Array:
        """Return the output, NHWC."""
        wants_nhwc = self.facts.kernel == "ConvInteger"
        return np.moveaxis(self._out, 1, 3) if wants_nhwc else self._out


def _gemm(cell: KernelCell, problem: GemmProblem, operands: KernelOperands) -> OnnxRuntimeOperator:
    lhs, rhs, zero = operands.lhs, np.ascontiguousarray(operands.rhs.T), np.uint8(operands.lhs_zero_point)
    if cell.out == "s32":
        out: Array = np.zeros((problem.m, problem.n), np.int32)
        content = one_node_bytes("MatMulInteger", ["lhs", rhs, np.array(zero)], lhs=lhs, out=out)
        return OnnxRuntimeOperator(content, lhs, out, OperatorFacts("MatMulInteger"), threads=cell.threads)
    out = np.zeros((problem.m, problem.n), np.uint8)
    out_scale, out_zero = np.array(operands.out_scale, np.float32), np.array(operands.out_zero_point, np.uint8)
    inputs: list[Array | str] = [
        "lhs", np.array(operands.lhs_scale, np.float32), np.array(zero), rhs, operands.rhs_scale,
        np.zeros(problem.n, np.int8), operands.bias, out_scale, out_zero,
    ]  # fmt: skip
    content = one_node_bytes("QGemm", inputs, lhs=lhs, out=out, domain=CONTRIB)
    return OnnxRuntimeOperator(content, lhs, out, OperatorFacts("QGemm", code_steps=1), threads=cell.threads)


def _conv(cell: KernelCell, problem: ConvProblem, operands: KernelOperands) -> OnnxRuntimeOperator:
    rhs = np.ascontiguousarray(np.moveaxis(operands.rhs, 3, 1))
    zero = np.array(np.uint8(operands.lhs_zero_point))
    attributes: dict[str, Any] = {
        "kernel_shape": problem.kernel,
        "strides": problem.strides,
        "pads": problem.pads,
        "dilations": problem.dilations,
        "group": problem.groups,
    }
    if cell.out == "s32":
        lhs = np.ascontiguousarray(np.moveaxis(operands.lhs, 3, 1))
        out: Array = np.zeros((problem.images, problem.out_channels, *problem.out_size), np.int32)
        content = one_node_bytes("ConvInteger", ["lhs", rhs, zero], lhs=lhs, out=out, attributes=attributes)
        facts = OperatorFacts("ConvInteger", packed="each call", note="NCHW in and out")
        return OnnxRuntimeOperator(content, lhs, out, facts, threads=cell.threads)
    out = np.zeros((problem.images, *problem.out_size, problem.out_channels), np.uint8)
    weights, zero_weight = _exact_weights(rhs)
    inputs: list[Array | str] = [
        "lhs", np.array(operands.lhs_scale, np.float32), zero, weights, operands.rhs_scale, zero_weight,
        np.array(operands.out_scale, np.float32), np.array(operands.out_zero_point, np.uint8), operands.bias,
    ]  # fmt: skip
    content = one_node_bytes(
        "QLinearConv", inputs, lhs=operands.lhs, out=out, domain=CONTRIB, attributes=attributes | {"channels_last": 1}
    )
    facts = OperatorFacts("QLinearConv channels last", code_steps=1)
    return OnnxRuntimeOperator(content, operands.lhs, out, facts, threads=cell.threads)


def _exact_weights(codes: Array) -> tuple[Array, Array]:
    """Return weights and their zero point: unsigned ones where signed ones would saturate; no option helps there."""
    if instruction_sets() & VNNI:
        return codes, np.array(0, np.int8)
    return (codes.astype(np.int16) + 128).astype(np.uint8), np.array(128, np.uint8)


def _nbits(cell: KernelCell, operands: KernelOperands) -> OnnxRuntimeOperator:
    problem = cell.problem
    assert isinstance(problem, GemmProblem)
    lhs = reals(operands)
    out = np.zeros((problem.m, problem.n), np.float32)
    codes = (operands.rhs.astype(np.int16) + 8).astype(np.uint8)
    data = (codes[:, 0::2] | codes[:, 1::2] << 4).reshape(problem.n, -1, cell.group_size // 2)
    attributes = {
        "K": problem.k,
        "N": problem.n,
        "bits": 4,
        "block_size": cell.group_size,
        "accuracy_level": _ACCURACY_INT8,
    }
    inputs: list[Array | str] = ["lhs", data, operands.rhs_scale]
    content = one_node_bytes("MatMulNBits", inputs, lhs=lhs, out=out, domain=CONTRIB, attributes=attributes)
    note = "float32 activations, quantized symmetrically in groups on each call"
    facts = OperatorFacts("MatMulNBits accuracy level 4", least_sqnr_db=30.0, note=note)
    return OnnxRuntimeOperator(content, lhs, out, facts, threads=cell.threads)
