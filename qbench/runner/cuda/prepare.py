"""A cell of a kernel suite on a machine: its operands in the kernels' layouts, on as many buffers as caches need.

The laws of outputs are those of `qbench.core.cells.product`. Activations that are not quantized run in float16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.errors import MachineError
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.machines.machine import Launch, Machine
from qbench.kernels.cuda.operands import CODE_BITS, Geometry
from qbench.kernels.cuda.operation import DeviceProduct, Known, Task
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_t2
from qbench.runner.kernels.lowering import lower_cell

UNWRITTEN = 0xAB


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A cell in the words of the kernels: the task, codes of weights OHWI, parameters."""

    task: Task
    codes: npt.NDArray[np.int16]
    params: ChannelParams

    @property
    def job(self) -> Job:
        """What a choice is asked for."""
        task = self.task
        geometry = Geometry.of(task.product, task.window, task.lhs, task.out, len(self.codes))
        return Job(task.product, task.epilogue, geometry, self.params.group_size)


def describe(cell: KernelCell, operands: KernelOperands) -> Described:
    """Return a cell's task; raise QBenchError where no kernel exists."""
    problem, window, size = cell.problem, Window((1, 1)), (1, 1)
    shape: tuple[int, ...] = operands.lhs.shape
    if isinstance(problem, ConvProblem):
        if problem.groups > 1:
            raise MachineError("grouped convolutions have no CUDA kernel")
        window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
        size = problem.out_size
    else:
        shape = (problem.m, 1, 1, problem.k)
    lowered = lower_cell(cell, operands)
    try:
        product = lowered.device_product
    except NotIntegerError as error:
        raise MachineError(f"{cell.spec}: {error}") from None
    channels, columns = shape[3], len(lowered.codes)
    item = {"f16_s4": 2}.get(product, 4 if product in ("b1_b1", "t2_t2") else 1)
    words = padded_channels(channels) if channels > 4 else 4
    if item == 4:
        words = -(-channels // 32) * (2 if product == "t2_t2" else 1)
    lhs = Layout(shape[0], shape[1], shape[2], channels, words, item, window.pads)
    epilogue = Epilogue(cell.out, lowered.words)
    out = Layout(shape[0], *size, columns, padded_channels(columns), epilogue.item_bytes)
    return Described(Task(product, epilogue, window, lhs, out), lowered.levels, lowered.device_params)


def lhs_bytes(described: Described, operands: KernelOperands) -> npt.NDArray[np.uint8]:
    """Return the lhs in its buffer's layout, its border holding the code of zero."""
    layout, product = described.task.lhs, described.task.product
    codes: Any = operands.lhs.reshape(layout.images, layout.height, layout.width, layout.channels)
    if product in ("b1_b1", "t2_t2"):
        held = (codes > 0) if product == "b1_b1" else (codes + 1)
        words = (pack_u8_b1 if product == "b1_b1" else pack_u8_t2)(
            np.ascontiguousarray(held.astype(np.uint8).reshape(-1, layout.channels))
        )
        whole = np.zeros(layout.shape, np.uint32)
        if any(layout.border):
            raise MachineError(f"{product}: padding of packed activations is packed with them, by whoever packs")
        whole[:] = words.reshape(layout.shape)
        return whole.reshape(-1).view(np.uint8)
    kind = np.float16 if CODE_BITS.get(product) == 16 else np.uint8
    filled: npt.NDArray[Any] = np.full(layout.shape, operands.lhs_zero_point, kind)
    filled[..., layout.channels :] = 0
    layout.interior(filled)[...] = codes
    return filled.reshape(-1).view(np.uint8)


class Prepared:
    """A cell on a machine, `copies` times over, so that consecutive runs find nothing of their own in a cache.

    Attributes:
        kernel: what runs.
        resident_bytes: bytes of packed weights and parameters of one copy.
        set_bytes: bytes of one copy with its lhs and output.
    """

    def __init__(
        self,
        machine: Machine,
        described: Described,
        lhs: Any,
        choice: Choice,
        *,
        copies: int = 1,
        known: Known | None = None,
    ) -> None:
        self._machine, self._task = machine, described.task
        first = DeviceProduct(machine, described.task, described.codes, described.params, choice, known=known)
        products = [first, *(first.twin() for _ in range(copies - 1))]
        self._outs = [machine.empty(described.task.out.size_bytes, fill=UNWRITTEN) for _ in range(copies)]
        self._launches: list[tuple[Launch, ...]] = [
            product.attach(machine.upload(lhs), out) for product, out in zip(products, self._outs, strict=True)
        ]
        self.kernel, self.resident_bytes = products[0].name, products[0].resident_bytes
        self.set_bytes = self.resident_bytes + described.task.lhs.size_bytes + described.task.out.size_bytes
        self.copies = copies

    def run(self) -> None:
        """Compute every copy once, in turn."""
        for launches in self._launches:
            for launch in launches:
                launch.run()

    def result(self, copy: int = 0) -> npt.NDArray[Any]:
        """Return a copy's output of the last run, (m, n) or NHWC."""
        out = self._task.out
        dtype = self._task.epilogue.dtype
        whole = self._machine.download(self._outs[copy], dtype, out.size_bytes // np.dtype(dtype).itemsize)
        inner = out.interior(whole.reshape(out.shape))
        return inner.reshape(-1, out.channels) if (out.height, out.width) == (1, 1) else inner
