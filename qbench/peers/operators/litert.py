"""LiteRT (TensorFlow Lite with XNNPACK): int8 products and convolutions, and products with weights of 4 bits.

Its integer activations are int8: codes and zero point move down by 128, which changes no product. Products with 4-bit
weights take float32 and quantize it row by row on each call; the rows are built so that this finds our very codes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.peers.operators import litert_model as model
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, missing_module, reals

_SHIFT = 128
_VALID = 1


class LiteRt:
    """XNNPACK behind the interpreter of ai-edge-litert."""

    name: ClassVar[str] = "litert"
    distributions: ClassVar[tuple[str, ...]] = ("ai-edge-litert",)

    def missing(self) -> str | None:
        """Return why LiteRT cannot be used here, or None."""
        return missing_module("ai_edge_litert.interpreter", "peers")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why LiteRT has no kernel for `cell`, or None."""
        if is_uniform(cell, weight_bits=8) and not cell.group_size:
            if cell.out == "u8":
                groups = 1 if isinstance(cell.problem, GemmProblem) else cell.problem.groups
                whole = isinstance(cell.problem, GemmProblem) or groups == 1 or cell.problem.is_depthwise
                return None if whole else "its grouped convolution is no XNNPACK kernel"
            return "its integer kernels give int8 only" if cell.out == "s32" else _dynamic(cell)
        if is_uniform(cell, weight_bits=4):
            return "its kernels with 4-bit weights give float32 only" if cell.out != "f32" else _dynamic(cell)
        return "has weights of 8 and of 4 bits with activations of 8 bits only"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> LiteRtOperator:
        """Return the operation as a model of one node."""
        if cell.out == "f32":
            note = "float32 activations, quantized row by row on each call"
            facts = OperatorFacts("XNNPACK FULLY_CONNECTED", least_sqnr_db=40.0, note=note)
            return LiteRtOperator(cell, _dynamic_model(cell, operands), reals(operands), facts)
        lhs = (operands.lhs.astype(np.int16) - _SHIFT).astype(np.int8)
        build = _conv_model if isinstance(cell.problem, ConvProblem) else _gemm_model
        facts = OperatorFacts(f"XNNPACK {_operator(cell)}", code_steps=1)
        return LiteRtOperator(cell, build(cell, operands), lhs, facts)


def _dynamic(cell: KernelCell) -> str | None:
    return None if isinstance(cell.problem, GemmProblem) else "float32 outputs of integer convolutions are not timed"


class LiteRtOperator:
    """One interpreter; input and output stay in its own memory."""

    def __init__(self, cell: KernelCell, content: bytes, lhs: npt.NDArray[np.generic], facts: OperatorFacts) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter: Any = Interpreter(model_content=content, num_threads=cell.threads)
            self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], lhs)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"litert: expected a model that it accepts, got: {str(error).splitlines()[0]}") from error
        self.facts = facts
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._is_code = cell.out == "u8"

    def run(self) -> object:
        """Compute the output once more."""
        return self._interpreter.invoke()

    def result(self) -> npt.NDArray[np.generic]:
        """Return the output of the last call; int8 codes moved back up."""
        found: npt.NDArray[np.generic] = self._interpreter.get_tensor(self._output)
        return (found.astype(np.int16) + _SHIFT).astype(np.uint8) if self._is_code else found


def _operator(cell: KernelCell) -> str:
    if isinstance(cell.problem, GemmProblem):
        return "FULLY_CONNECTED"
    return "DEPTHWISE_CONV_2D" if cell.problem.is_depthwise else "CONV_2D"


def _activations(draft: model.Draft, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
    return draft.tensor(shape, model.INT8, params=model.quantization(scale, zero_point - _SHIFT))


def _bias(draft: model.Draft, operands: KernelOperands) -> int:
    params = model.quantization(operands.rhs_scale * np.float32(operands.lhs_scale), 0)
    return draft.tensor(operands.bias.shape, model.INT32, params=params, data=operands.bias)


def _gemm_model(cell: KernelCell, operands: KernelOperands) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    problem, draft = cell.problem, model.Draft()
    assert isinstance(problem, GemmProblem)
    lhs = _activations(draft, (problem.m, problem.k), operands.lhs_scale, operands.lhs_zero_point)
    params = model.quantization(operands.rhs_scale, 0)
    rhs = draft.tensor(operands.rhs.shape, model.INT8, params=params, data=operands.rhs)
    bias = _bias(draft, operands)
    out = _activations(draft, (problem.m, problem.n), operands.out_scale, operands.out_zero_point)
    draft.operator(model.FULLY_CONNECTED, [lhs, rhs, bias], out, schema.FullyConnectedOptionsT())
    return draft.build([lhs], [out])


def _conv_model(cell: KernelCell, operands: KernelOperands) -> bytes:
    """Return PAD (which XNNPACK fuses) and a convolution without padding."""
    from ai_edge_litert import schema_py_generated as schema

    problem, draft = cell.problem, model.Draft()
    assert isinstance(problem, ConvProblem)
    shape = (problem.images, problem.height, problem.width, problem.channels)
    entry = lhs = _activations(draft, shape, operands.lhs_scale, operands.lhs_zero_point)
    if any(problem.pads):
        top, left, bottom, right = problem.pads
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        padding = draft.tensor(amounts.shape, model.INT32, data=amounts)
        wide = (problem.images, problem.height + top + bottom, problem.width + left + right, problem.channels)
        padded = _activations(draft, wide, operands.lhs_scale, operands.lhs_zero_point)
        draft.operator(model.PAD, [lhs, padding], padded, schema.PadOptionsT())
        lhs = padded
    depthwise = problem.is_depthwise
    weights = np.moveaxis(operands.rhs, 0, 3).reshape(1, *problem.kernel, -1) if depthwise else operands.rhs
    params = model.quantization(operands.rhs_scale, 0, axis=3 if depthwise else 0)
    rhs = draft.tensor(weights.shape, model.INT8, params=params, data=weights)
    bias = _bias(draft, operands)
    out_shape = (problem.images, *problem.out_size, problem.out_channels)
    out = _activations(draft, out_shape, operands.out_scale, operands.out_zero_point)
    geometry: dict[str, int] = {
        "padding": _VALID,
        "strideH": problem.strides[0],
        "strideW": problem.strides[1],
        "dilationHFactor": problem.dilations[0],
        "dilationWFactor": problem.dilations[1],
    }
    if depthwise:
        multiplier = problem.out_channels // problem.channels
        options: Any = schema.DepthwiseConv2DOptionsT(depthMultiplier=multiplier, **geometry)
    else:
        options = schema.Conv2DOptionsT(**geometry)
    draft.operator(model.DEPTHWISE_CONV_2D if depthwise else model.CONV_2D, [lhs, rhs, bias], out, options)
    return draft.build([entry], [out])


def _dynamic_model(cell: KernelCell, operands: KernelOperands) -> bytes:
    """Return float32 -> FULLY_CONNECTED with codes of 8 or 4 bits -> float32."""
    from ai_edge_litert import schema_py_generated as schema

    problem, draft = cell.problem, model.Draft()
    assert isinstance(problem, GemmProblem)
    lhs = draft.tensor((problem.m, problem.k), model.FLOAT32)
    if cell.group_size:
        scales = operands.rhs_scale.astype(np.float16)
        params = model.blockwise(draft.tensor(scales.shape, model.FLOAT16, data=scales), cell.group_size)
    else:
        params = model.quantization(operands.rhs_scale, 0)
    four = cell.layer_spec.weights.format.bits == 4
    low, high = operands.rhs[:, 0::2] & 15, operands.rhs[:, 1::2] & 15
    data = (low | high << 4).astype(np.uint8) if four else operands.rhs
    rhs = draft.tensor(operands.rhs.shape, model.INT4 if four else model.INT8, params=params, data=data)
    out = draft.tensor((problem.m, problem.n), model.FLOAT32)
    options = schema.FullyConnectedOptionsT(asymmetricQuantizeInputs=True)
    draft.operator(model.FULLY_CONNECTED, [lhs, rhs, -1], out, options)
    return draft.build([lhs], [out])
