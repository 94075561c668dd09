"""NumKong: products of packed s8 matrices, and Hamming distances of packed bits. One thread."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.core.formats import Binary
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, missing_module

Array = npt.NDArray[np.generic]
_LEVELS = ("turin", "genoa", "icelake", "skylake", "alder", "haswell")
"""NumKong's names of instruction sets, best first; the ones from icelake on have avx512vnni."""


class NumKong:
    """Dot products and Hamming distances of packed matrices."""

    name: ClassVar[str] = "numkong"
    distributions: ClassVar[tuple[str, ...]] = ("numkong",)

    def missing(self) -> str | None:
        """Return why NumKong cannot be used here, or None."""
        return missing_module("numkong", "peers")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why NumKong has no kernel for `cell`, or None."""
        if not isinstance(cell.problem, GemmProblem) or cell.out != "s32":
            return "has matrix products with s32 outputs only"
        if not is_uniform(cell, weight_bits=8) and not _is_binary(cell):
            return "has products of 8 bits, and of 1 bit, only"
        return "runs on one thread" if cell.threads > 1 else None

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> NumKongOperator:
        """Return the product with the rhs packed; codes move down by the zero point, which is 128."""
        return NumKongOperator(operands, depth=cell.problem.depth, binary=_is_binary(cell))


class NumKongOperator:
    """One packed rhs, one lhs, one output."""

    def __init__(self, operands: KernelOperands, *, depth: int, binary: bool) -> None:
        import numkong

        can = numkong.get_capabilities()
        isa = next((level for level in _LEVELS if can.get(level)), "")
        rows, columns = len(operands.lhs), len(operands.rhs)
        self._depth = depth if binary else 0
        if binary:
            self._lhs: Any = np.packbits(operands.lhs.astype(np.int8) > 0, axis=1)
            packed = numkong.hammings_pack(np.packbits(operands.rhs > 0, axis=1), dtype="uint1")
            self._out: Any = numkong.zeros((rows, columns), dtype="uint32")
        else:
            self._lhs = (operands.lhs.astype(np.int16) - operands.lhs_zero_point).astype(np.int8)
            packed = numkong.dots_pack(operands.rhs, dtype="int8")
            self._out = numkong.zeros((rows, columns), dtype="int32")
        self._packed = packed
        self._call = numkong.hammings_packed if binary else numkong.dots_packed
        name = "hammings_packed" if binary else "dots_packed"
        note = "lhs packed to bits beforehand; distances, not sums" if binary else ""
        self.facts = OperatorFacts(f"numkong.{name}", isa=isa, note=note)

    def run(self) -> object:
        """Compute the output once more."""
        return self._call(self._lhs, self._packed, out=self._out)

    def result(self) -> Array:
        """Return the output as sums of products: depth - 2 * distance for bits."""
        found = np.asarray(self._out)
        return (self._depth - 2 * found.astype(np.int64)).astype(np.int32) if self._depth else found


def _is_binary(cell: KernelCell) -> bool:
    spec = cell.layer_spec
    return isinstance(spec.weights.format, Binary) and isinstance(spec.activations.format, Binary)
