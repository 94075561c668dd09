"""A kernel cell as a layer of a network, lowered as a session lowers one: what a row times is what networks run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.core.formats import Float32
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine.container import Container, container_of
from qbench.engine.lowering.layers import Lowered, lower, lower_depthwise, lower_floats
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.errors import QBenchError
from qbench.graph.network import Conv, Layer, Linear

U8_HIGH = 255


def layer_of(cell: KernelCell, operands: KernelOperands) -> tuple[Layer, QTensor]:
    """Return a cell's operation as a node, and its weights; the bias is that of u8 outputs, in reals."""
    problem, channels = cell.problem, len(operands.rhs)
    bias = np.zeros(channels, np.float32)
    if cell.out == "u8":
        bias = (operands.bias * (operands.rhs_scale.astype(np.float64) * operands.lhs_scale)).astype(np.float32)
    codes = operands.rhs.reshape(channels, -1).astype(np.int16)
    weights = cell.layer_spec.weights
    spec = weights if cell.group_size else replace(weights, granularity=PerChannel())
    zeros = np.zeros_like(operands.rhs_scale)
    tensor = QTensor(codes, QParams(spec, operands.rhs_scale, zeros))
    if not isinstance(problem, ConvProblem):
        return Linear("cell", "lhs", "out", _of_shape(channels, problem.k), bias), tensor
    weight = _of_shape(channels, problem.channels // problem.groups, *problem.kernel)
    window = (problem.strides, problem.pads, problem.dilations, problem.groups)
    return Conv("cell", "lhs", "out", weight, bias, *window), tensor


def _of_shape(*shape: int) -> Floats:
    """Return weights that only their shape is asked of: the numbers are codes."""
    return np.broadcast_to(np.float32(0), shape)


def ends_of(cell: KernelCell, operands: KernelOperands) -> Ends:
    """Return how a cell's codes are kept: its lhs, and its output where that is codes."""
    kind = cell.layer_spec.activations.format
    if isinstance(kind, Float32):
        lhs: Container | None = Container(operands.lhs_scale, 0.0, 0, floor=False)
    else:
        scale, zero = (np.asarray(v, np.float32) for v in (operands.lhs_scale, operands.lhs_zero_point))
        lhs = container_of(QParams(QuantSpec(kind, PerTensor()), scale, zero))
    if lhs is None:
        raise QBenchError(f"{cell.spec}: activations have levels that are not uniform")
    if cell.out != "u8":
        return Ends(lhs, None)
    return Ends(lhs, Container(operands.out_scale, operands.out_zero_point, U8_HIGH, floor=False))


def held_codes(operands: KernelOperands, box: Container) -> npt.NDArray[Any]:
    """Return lhs codes as their container holds them: -1, 1 as 0, 1 and -1, 0, 1 as 0, 1, 2; floats as they are."""
    lhs: npt.NDArray[Any] = operands.lhs
    if lhs.dtype != np.int8:
        return lhs
    return np.asarray(lhs > 0 if box.high == 1 else lhs + 1, np.uint8)


def lower_cell(cell: KernelCell, operands: KernelOperands, *, counts: bool = True, alone: bool = True) -> Lowered:
    """Return what kernels are asked for.

    Args:
        cell: what is computed.
        operands: its numbers.
        counts: whether bits are counted sooner than bytes of few bits are multiplied.
        alone: whether windows of single channels are computed one by one.

    Raises:
        QBenchError: no kernel multiplies these numbers, in one line.
    """
    layer, weights = layer_of(cell, operands)
    try:
        ends = ends_of(cell, operands)
        if isinstance(cell.layer_spec.activations.format, Float32):
            return lower_floats(layer, weights, ends)
        found = lower_depthwise(layer, weights, ends) if alone else None
        return found or lower(layer, weights, ends, counts=counts)
    except NotIntegerError as error:
        raise QBenchError(f"{cell.spec}: {error}") from None
