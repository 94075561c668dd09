"""OpenVINO's integer operations, one per model: products and convolutions of 8 bits, products with 4-bit weights.

Networks are built as OpenVINO's own quantized ones are: codes, subtract, multiply, operation, FakeQuantize. Its passes
fuse that into one integer primitive; the name of the primitive that ran says whether they did.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.peers.openvino.session import missing_library
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, real_bias, reals

Array = npt.NDArray[np.generic]
_LEVELS = 256


class OpenVino:
    """oneDNN and OpenVINO's own kernels behind its CPU plugin."""

    name: ClassVar[str] = "openvino"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library()

    def supports(self, cell: KernelCell) -> str | None:
        """Return why OpenVINO has no kernel for `cell`, or None."""
        if is_uniform(cell, weight_bits=8) and not cell.group_size:
            return None if cell.out == "u8" else "its integer kernels are fused to u8 outputs"
        if is_uniform(cell, weight_bits=4) and isinstance(cell.problem, GemmProblem) and cell.out == "f32":
            return None
        return "has weights of 8 bits with u8 outputs, and 4-bit products with float32 outputs, only"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> OpenVinoOperator:
        """Return the operation as a compiled model."""
        if cell.out == "f32":
            return OpenVinoOperator(cell, _dynamic(cell, operands), reals(operands), "FullyConnected")
        graph = _conv if isinstance(cell.problem, ConvProblem) else _gemm
        kind = "Convolution" if isinstance(cell.problem, ConvProblem) else "FullyConnected"
        return OpenVinoOperator(cell, graph(cell, operands), operands.lhs, kind)


class OpenVinoOperator:
    """One infer request; input and output are shared."""

    def __init__(self, cell: KernelCell, model: Any, lhs: Array, kind: str) -> None:
        import openvino

        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": cell.threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # the runner pins every thread of the process, the same way for all
        }
        if cell.out == "f32":
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = cell.group_size or cell.problem.depth
        try:
            compiled = openvino.Core().compile_model(model, "CPU", settings)
        except Exception as error:  # pybind exceptions of openvino share no public parent
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
            raise ModelError(f"openvino: expected a model that it accepts, got: {reason}") from error
        self._lhs = np.ascontiguousarray(lhs)
        self._request: Any = compiled.create_infer_request()
        self._request.set_input_tensor(0, openvino.Tensor(self._lhs, shared_memory=True))
        self._out: Array = self._request.get_output_tensor(0).data
        self.primitives = _primitives(compiled)
        dynamic = cell.out == "f32"
        self.facts = OperatorFacts(
            f"{kind} {self.primitives.get(kind, '')}".strip(),
            isa=_isa(self.primitives.get(kind, "")),
            code_steps=1,
            least_sqnr_db=30.0 if dynamic else 100.0,
            note="float32 activations, quantized on each call" if dynamic else "",
        )

    def run(self) -> object:
        """Compute the output once more."""
        return self._request.infer()

    def result(self) -> Array:
        """Return the output of the last call."""
        return self._out


def _primitives(compiled: Any) -> dict[str, str]:
    """Return layer type -> primitive that runs it, e.g. Convolution -> brgconv_avx512_vnni_I8."""
    found = {}
    for node in compiled.get_runtime_model().get_ops():
        facts = node.get_rt_info()
        found[str(facts["layerType"].astype(str))] = str(facts["primitiveType"].astype(str))
    return found


def _isa(primitive: str) -> str:
    start = primitive.find("avx")
    return "" if start < 0 else primitive[start:].partition("_")[0]


def _dequantized(codes: Any, zero_point: int, scale: npt.ArrayLike) -> Any:
    from openvino import opset15 as ops

    found = ops.convert(codes, "f32")
    if zero_point:
        found = ops.subtract(found, ops.constant(np.float32(zero_point)))
    return ops.multiply(found, ops.constant(np.asarray(scale, np.float32)))


def _requantized(codes: Any, operands: KernelOperands) -> Any:
    """Return codes as reals by FakeQuantize: behind the NHWC transpose a subtract and a multiply are not recognized."""
    from openvino import opset15 as ops

    low = np.float32(-operands.lhs_zero_point * operands.lhs_scale)
    high = np.float32((_LEVELS - 1 - operands.lhs_zero_point) * operands.lhs_scale)
    bounds = [ops.constant(np.full([1] * 4, value, np.float32)) for value in (0.0, 255.0, low, high)]
    return ops.fake_quantize(ops.convert(codes, "f32"), *bounds, _LEVELS)


def _fused(found: Any, operands: KernelOperands, parameter: Any, *, channel_axis: int, rank: int) -> Any:
    """Add bias and requantize: FakeQuantize onto the codes 0..255, as u8."""
    import openvino
    from openvino import opset15 as ops

    shape = [1] * rank
    shape[channel_axis] = -1
    total = ops.add(found, ops.constant(real_bias(operands).reshape(shape)))
    low = np.float32(-operands.out_zero_point * operands.out_scale)
    high = np.float32((_LEVELS - 1 - operands.out_zero_point) * operands.out_scale)
    bounds = [ops.constant(np.full([1] * rank, value, np.float32)) for value in (low, high, 0.0, 255.0)]
    codes = ops.convert(ops.fake_quantize(total, *bounds, _LEVELS), "u8")
    return openvino.Model([codes], [parameter], "operation")


def _gemm(cell: KernelCell, operands: KernelOperands) -> Any:
    from openvino import opset15 as ops

    lhs = ops.parameter(operands.lhs.shape, np.uint8)
    rhs = _dequantized(ops.constant(operands.rhs), 0, operands.rhs_scale[:, None])
    found = ops.matmul(_dequantized(lhs, operands.lhs_zero_point, operands.lhs_scale), rhs, False, True)
    return _fused(found, operands, lhs, channel_axis=1, rank=2)


def _conv(cell: KernelCell, operands: KernelOperands) -> Any:
    """Return the convolution between codes that lie in NHWC."""
    from openvino import opset15 as ops

    problem = cell.problem
    assert isinstance(problem, ConvProblem)
    shape = (problem.images, problem.channels, problem.height, problem.width)
    lhs = ops.parameter(shape, np.uint8)
    source = _requantized(lhs, operands)
    weights = np.ascontiguousarray(np.moveaxis(operands.rhs, 3, 1))
    (top, left, bottom, right), groups = problem.pads, problem.groups
    geometry = (problem.strides, (top, left), (bottom, right), problem.dilations)
    if groups == 1:
        rhs = _dequantized(ops.constant(weights), 0, operands.rhs_scale[:, None, None, None])
        found = ops.convolution(source, rhs, *geometry)
    else:
        grouped = weights.reshape(groups, -1, *weights.shape[1:])
        scale = operands.rhs_scale.reshape(groups, -1, 1, 1, 1)
        found = ops.group_convolution(source, _dequantized(ops.constant(grouped), 0, scale), *geometry)
    return nhwc(_fused(found, operands, lhs, channel_axis=1, rank=4))


def nhwc(model: Any) -> Any:
    """Return the NCHW `model` with an input and an output that lie in NHWC."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    process = PrePostProcessor(model)
    for end in (process.input(), process.output()):
        end.tensor().set_layout(openvino.Layout("NHWC"))
        end.model().set_layout(openvino.Layout("NCHW"))
    return process.build()


def _dynamic(cell: KernelCell, operands: KernelOperands) -> Any:
    """Return float32 by compressed 4-bit weights, whose activations the plugin quantizes in groups."""
    import openvino
    from openvino import opset15 as ops

    problem = cell.problem
    assert isinstance(problem, GemmProblem)
    lhs = ops.parameter((problem.m, problem.k), np.float32)
    groups = (problem.n, problem.k // cell.group_size, cell.group_size) if cell.group_size else (problem.n, problem.k)
    low, high = operands.rhs[:, 0::2] & 15, operands.rhs[:, 1::2] & 15
    packed = (low | high << 4).astype(np.uint8)
    tensor = openvino.Tensor(packed.reshape(-1), openvino.Shape(list(groups)), openvino.Type.i4)
    codes = ops.convert(ops.constant(tensor, shared_memory=False), "f32")
    rhs = ops.multiply(codes, ops.constant(operands.rhs_scale[..., None].astype(np.float32)))
    if cell.group_size:
        rhs = ops.reshape(rhs, ops.constant(np.array([problem.n, problem.k], np.int64)), False)
    return openvino.Model([ops.matmul(lhs, rhs, False, True)], [lhs], "operation")
