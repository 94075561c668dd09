"""OpenVINO's BinaryConvolution: the one optimized binary convolution on x86 that a wheel brings.

Between layers its activations are single bits, written by a FakeQuantize of two levels that is fused into the layer
before. A layer alone would have to read float32, so a chain of equal layers is timed and divided by its length.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.core.formats import Binary
from qbench.peers.openvino.session import missing_library
from qbench.peers.operators.openvino import Array, OpenVinoOperator
from qbench.peers.operators.operator_peer import OperatorFacts

CHAIN = 16


class OpenVinoBinary:
    """`opset1.BinaryConvolution` between bits."""

    name: ClassVar[str] = "openvino-binary"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library()

    def supports(self, cell: KernelCell) -> str | None:
        """Return why OpenVINO has no kernel for `cell`, or None."""
        spec, problem = cell.layer_spec, cell.problem
        bits = isinstance(spec.weights.format, Binary) and isinstance(spec.activations.format, Binary)
        if not bits or not isinstance(problem, ConvProblem) or cell.out != "s32" or problem.groups > 1:
            return "has convolutions of bits by bits only"
        same = problem.out_size == (problem.height, problem.width) and problem.channels == problem.out_channels
        return None if same else "only a chain of equal layers is timed: expected an output like the input"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> OpenVinoBinaryOperator:
        """Return the chain; one layer alone gives the answer that is checked."""
        return OpenVinoBinaryOperator(cell, operands)


class OpenVinoBinaryOperator:
    """A chain of layers to be timed, and one layer to be checked."""

    def __init__(self, cell: KernelCell, operands: KernelOperands) -> None:
        lhs = np.moveaxis(operands.lhs, 3, 1).astype(np.float32)  # an input in NHWC crashes OpenVINO 2026.4 here
        self._one = OpenVinoOperator(cell, _model(cell, operands, layers=1), lhs, "BinaryConvolution")
        self._chain = OpenVinoOperator(cell, _model(cell, operands, layers=CHAIN), lhs, "BinaryConvolution")
        found = self._chain.facts
        self.facts = OperatorFacts(
            found.kernel, isa=found.isa, turns=CHAIN, note=f"a layer of a chain of {CHAIN}, bits in and bits out"
        )

    def run(self) -> object:
        """Compute the chain once more."""
        return self._chain.run()

    def result(self) -> Array:
        """Return the sums of one layer."""
        self._one.run()
        return np.moveaxis(self._one.result(), 1, 3).astype(np.int32)


def _model(cell: KernelCell, operands: KernelOperands, *, layers: int) -> Any:
    """Return float32 -> bits -> layers -> float32 sums of the last one."""
    import openvino
    from openvino import opset15 as ops

    problem = cell.problem
    assert isinstance(problem, ConvProblem)
    weights = np.ascontiguousarray(np.moveaxis(operands.rhs, 3, 1))
    bits = np.packbits(weights.reshape(-1) > 0, bitorder="little")
    tensor = openvino.Tensor(bits, openvino.Shape(list(weights.shape)), openvino.Type.u1)
    rhs = ops.constant(tensor, shared_memory=False)
    (top, left, bottom, right), shape = problem.pads, (problem.images, problem.channels, problem.height, problem.width)
    lhs = ops.parameter(shape, np.float32)
    found: Any = lhs
    for _ in range(layers):
        bounds = [ops.constant(np.full([1] * 4, value, np.float32)) for value in (0.0, 0.0, 0.0, 1.0)]
        found = ops.fake_quantize(found, *bounds, 2)
        found = ops.binary_convolution(
            found, rhs, problem.strides, (top, left), (bottom, right), problem.dilations, "xnor-popcount", -1.0
        )
    return openvino.Model([found], [lhs], "operation")
