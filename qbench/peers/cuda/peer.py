"""What every peer on the GPU does, and what they share: tensors of a cell, a stream that is not PyTorch's own."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.errors import MachineError

Array = npt.NDArray[np.generic]


class PreparedPeer(Protocol):
    """A cell ready to run, on as many buffers as were asked for.

    Attributes:
        kernel: what runs.
        note: what is different from qbench's own operation.
        exact: whether its answer must be the law's to the last bit.
    """

    kernel: str
    note: str
    exact: bool

    def run(self) -> None:
        """Compute every copy once, in turn, on the stream."""

    def result(self) -> Array:
        """Return the first copy's answer, (m, n) or NHWC, all work done."""


class CudaPeer(Protocol):
    """Another library's single operations on the GPU.

    Attributes:
        name: the peer's name in suites and results.
        distributions: the packages that it runs on, as an index names them.
    """

    name: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]

    def missing(self) -> str | None:
        """Return why the library cannot be used here, or None; whether there is a GPU is seen when it is used."""

    def supports(self, cell: KernelCell) -> str | None:
        """Return why it cannot compute a cell, or None."""

    def prepare(
        self, cell: KernelCell, operands: KernelOperands, *, stream: int, copies: int
    ) -> tuple[PreparedPeer, ...]:
        """Return its ways to compute a cell; whoever has a clock takes the fastest."""


def missing_module(*names: str) -> str | None:
    """Return which of these modules is not installed, or None. Imports none of them."""
    return next((f"{name} is not installed" for name in names if find_spec(name) is None), None)


def torch_on(stream: int) -> Any:
    """Return PyTorch, with the stream at that address as the current one.

    Raises:
        MachineError: PyTorch is missing or sees no GPU.
    """
    if reason := missing_module("torch"):
        raise MachineError(reason)
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise MachineError("torch sees no CUDA device")
    torch.cuda.set_stream(torch.cuda.ExternalStream(stream))
    return torch


def centred_lhs(operands: KernelOperands) -> npt.NDArray[np.int8]:
    """Return lhs codes minus their zero point as int8; raise MachineError where they do not fit."""
    if operands.lhs.dtype == np.int8:
        return np.ascontiguousarray(operands.lhs, np.int8)
    if operands.lhs_zero_point != 128:
        raise MachineError("codes 0..255 around zero point 0 do not fit signed bytes")
    codes = np.ascontiguousarray(operands.lhs, np.uint8)
    return (codes ^ np.uint8(128)).view(np.int8)


def int8_gemm_only(cell: KernelCell, *, least_rows: int = 1) -> str | None:
    """Return why a cell is not a plain int8 product to s32, or None."""
    problem = cell.problem
    if not isinstance(problem, GemmProblem):
        return "products only"
    if cell.spec != "w8c-a8t":
        return "8-bit weights and activations only"
    if problem.m < least_rows:
        return f"at least {least_rows} rows, got {problem.m}"
    return (
        f"k and n must be multiples of 8, got {problem.k} and {problem.n}" if problem.k % 8 or problem.n % 8 else None
    )
