"""Where kernels run: a device, or Numba's simulator. Both take the same kernels, buffers and launches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function for threads, its literal sizes decided.

    Args:
        name: for tables, e.g. `tile_u8_s8_128x128x64s4`.
        function: the Python function.
        signature: Numba's types of its arguments; arrays are pointers.
        threads: threads of a block.
        shared_bytes: dynamic shared memory of a block.
        needs: least compute capability times ten, e.g. 80.
        arch_specific: whether it is compiled for that architecture alone (sm_90a).
    """

    name: str
    function: Callable[..., None]
    signature: Any
    threads: int
    shared_bytes: int = 0
    needs: int = 80
    arch_specific: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory of a machine: `handle` is an address, or an array of bytes in the simulator."""

    handle: Any
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """A kernel with its arguments, ready to run any number of times."""

    kernel: Kernel
    grid: int
    run: Callable[[], None]


class Machine(Protocol):
    """What a product needs of the machine that it runs on."""

    capability: int

    def upload(self, array: Array) -> Buffer:
        """Return a buffer with a copy of the array's bytes."""
        ...

    def empty(self, size_bytes: int, *, fill: int = 0) -> Buffer:
        """Return a buffer whose bytes are `fill`."""
        ...

    def download(self, buffer: Buffer, dtype: Any, count: int) -> Array:
        """Return the first `count` numbers of a buffer, all launches done."""
        ...

    def write(self, buffer: Buffer, array: Array) -> None:
        """Replace a buffer's first bytes."""
        ...

    def duplicate(self, buffer: Buffer) -> Buffer:
        """Return another buffer with the same bytes."""
        ...

    def launch(self, kernel: Kernel, grid: int, arguments: Sequence[Any]) -> Launch:
        """Return a prepared launch of `grid` blocks; arguments are buffers, numbers and tuples of them."""
        ...
