"""What a library promises that runs one operation: it says which cells it has a kernel for, and prepares one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import KernelCell, KernelOperands
from qbench.core.formats import Uniform

Packed = Literal["once", "each call"]


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """What stands beside a peer's time.

    Args:
        kernel: the call, and the library's own name of what it chose, where it gives one.
        packed: whether the weights are brought into the kernel's layout once, or on each call.
        isa: the instruction set that ran, "" where the library does not say.
        code_steps: by how many codes a u8 output may differ at exact halves, which some libraries round away from 0.
        least_sqnr_db: how near an f32 output must be; 100 is float32's own rounding, 25 where the library quantizes
            float32 activations once more on each call.
        turns: how often a call does the operation, where it can only be timed in a chain.
        resident_bytes: bytes of the packed weights, 0 where it is unknown.
        note: what is different from qbench's own operation, e.g. that activations are quantized on each call.
    """

    kernel: str
    packed: Packed = "once"
    isa: str = ""
    code_steps: int = 0
    least_sqnr_db: float = 100.0
    turns: int = 1
    resident_bytes: int = 0
    note: str = ""


class PreparedOperator(Protocol):
    """An operation with its operands in place."""

    @property
    def facts(self) -> OperatorFacts:
        """What it is."""
        ...

    def run(self) -> object:
        """Compute the output once more into buffers that are there already."""
        ...

    def result(self) -> npt.NDArray[np.generic]:
        """Return the output of the last `run`: (m, n), or NHWC."""
        ...


class OperatorPeer(Protocol):
    """Another library's single operations.

    Attributes:
        name: the peer's name in suites and results.
        distributions: the packages that it runs on, as an index names them.
    """

    name: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]

    def missing(self) -> str | None:
        """Return why the library cannot be used here, or None."""
        ...

    def supports(self, cell: KernelCell) -> str | None:
        """Return why the library has no kernel for `cell`, or None. Imports nothing heavy."""
        ...

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> PreparedOperator:
        """Return the operation on these very operands; raise ModelError when the library refuses it."""
        ...


def missing_module(module: str, extra: str) -> str | None:
    """Return why `module` cannot be imported, or None; `extra` names the extra of qbench that brings it."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        return f"{module} cannot be imported ({error}): install qbench with its extra '{extra}'"
    return None


def reals(operands: KernelOperands) -> npt.NDArray[np.float32]:
    """Return the lhs as real numbers, for libraries that quantize activations themselves."""
    codes = operands.lhs.astype(np.float32) - np.float32(operands.lhs_zero_point)
    return np.ascontiguousarray(codes * np.float32(operands.lhs_scale))


def real_bias(operands: KernelOperands) -> npt.NDArray[np.float32]:
    """Return the bias as real numbers (exact: scales are dyadic)."""
    scale = operands.rhs_scale * np.float32(operands.lhs_scale)
    return (operands.bias * scale).astype(np.float32)


def is_uniform(cell: KernelCell, *, weight_bits: int, activation_bits: int = 8) -> bool:
    """Return whether weights and activations are uniform codes of these widths."""
    spec = cell.layer_spec
    sides = ((spec.weights.format, weight_bits), (spec.activations.format, activation_bits))
    return all(isinstance(side, Uniform) and side.bits == bits for side, bits in sides)
