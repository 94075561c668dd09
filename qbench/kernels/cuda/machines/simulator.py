"""Numba's simulator as a machine: every thread a Python thread, every buffer an array. For small sizes only."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from qbench.errors import MachineError
from qbench.kernels.cuda.language import simulate
from qbench.kernels.cuda.language.block import SIMULATED
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.machines import blocks
from qbench.kernels.cuda.machines.machine import Array, Buffer, Kernel, Launch

_DTYPES = {types.uint8: np.uint8, types.int32: np.int32, types.uint32: np.uint32, types.float32: np.float32}


class Simulator:
    """See `machine.Machine`. Admits kernels of every architecture."""

    capability = 999

    def __init__(self) -> None:
        if not SIMULATED:
            raise MachineError("the CUDA simulator needs NUMBA_ENABLE_CUDASIM=1 before Numba is imported")
        kernel: Any = importlib.import_module("numba.cuda.simulator.kernel")
        kernel.BlockManager = blocks.block_manager(kernel)

    def upload(self, array: Array) -> Buffer:
        """Return a buffer with a copy of the array's bytes."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).copy()
        return Buffer(data, data.size)

    def empty(self, size_bytes: int, *, fill: int = 0) -> Buffer:
        """Return a buffer whose bytes are `fill`."""
        return Buffer(np.full(size_bytes, fill, np.uint8), size_bytes)

    def download(self, buffer: Buffer, dtype: Any, count: int) -> Array:
        """Return the first `count` numbers of a buffer."""
        return np.asarray(buffer.handle[: count * np.dtype(dtype).itemsize].view(dtype).copy())

    def write(self, buffer: Buffer, array: Array) -> None:
        """Replace a buffer's first bytes."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        buffer.handle[: data.size] = data

    def duplicate(self, buffer: Buffer) -> Buffer:
        """Return another buffer with the same bytes."""
        return self.upload(buffer.handle)

    def launch(self, kernel: Kernel, grid: int, arguments: Sequence[Any]) -> Launch:
        """Return a launch that runs block after block."""
        compiled = cuda.jit(kernel.function)
        values = [_value(kind, v) for kind, v in zip(kernel.signature.args, arguments, strict=True)]

        def run() -> None:
            simulate.forget()
            compiled[grid, kernel.threads, 0, kernel.shared_bytes](*values)

        return Launch(kernel, grid, run)


def _value(kind: Any, value: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        return tuple(_value(k, v) for k, v in zip(kind, value, strict=True))
    if isinstance(kind, types.CPointer):
        return value.handle.view(_DTYPES[kind.dtype])
    return np.float32(value) if kind is types.float32 else int(value)
