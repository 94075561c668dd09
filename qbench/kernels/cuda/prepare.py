"""A cell of a kernel suite on a machine: its operands in the kernels' layouts, on as many buffers as caches need.

The laws of outputs are those of `qbench.core.cells.product`. Activations that are not quantized run in float16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.core.formats import Binary, Float32, Ternary, Uniform
from qbench.errors import MachineError
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.machines.machine import Launch, Machine
from qbench.kernels.cuda.operands import CODE_BITS, Geometry
from qbench.kernels.cuda.operation import DeviceProduct, Known, Task
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_t2

UNWRITTEN = 0xAB


def product_of(cell: KernelCell) -> str:
    """Return the product that computes a cell; raise MachineError when there is none."""
    weights, activations = cell.layer_spec.weights.format, cell.layer_spec.activations.format
    if isinstance(activations, Binary) and isinstance(weights, Binary):
        return "b1_b1"
    if isinstance(activations, Ternary) and isinstance(weights, Ternary):
        return "t2_t2"
    is_uniform = isinstance(weights, Uniform) and weights.symmetric
    if isinstance(activations, Float32) and is_uniform and 1 < weights.bits <= 4:
        return "f16_s4"
    if isinstance(activations, Uniform):
        if isinstance(weights, Binary | Ternary):
            return "u8_t1" if isinstance(weights, Binary) else "u8_t2"
        if is_uniform and weights.bits > 1:
            return "u8_s8" if weights.bits > 4 else "u8_t4" if weights.bits > 2 else "u8_t2"
    raise MachineError(f"{cell.spec}: no CUDA kernel multiplies these formats")


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A cell in the words of the kernels: the task, codes of weights OHWI, parameters."""

    task: Task
    codes: npt.NDArray[np.int8]
    params: ChannelParams

    @property
    def job(self) -> Job:
        """What a choice is asked for."""
        task = self.task
        geometry = Geometry.of(task.product, task.window, task.lhs, task.out, len(self.codes))
        return Job(task.product, task.epilogue, geometry, self.params.group_size)


def describe(cell: KernelCell, operands: KernelOperands) -> Described:
    """Return a cell's task; raise MachineError where no kernel exists."""
    product, problem = product_of(cell), cell.problem
    window, size = Window((1, 1)), (1, 1)
    shape: tuple[int, ...] = operands.lhs.shape
    rhs = operands.rhs
    if isinstance(problem, ConvProblem):
        if problem.groups > 1:
            raise MachineError("grouped convolutions have no CUDA kernel")
        window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
        size = problem.out_size
    else:
        shape, rhs = (problem.m, 1, 1, problem.k), rhs.reshape(problem.n, 1, 1, problem.k)
    channels, columns = shape[3], len(rhs)
    item = {"f16_s4": 2}.get(product, 4 if product in ("b1_b1", "t2_t2") else 1)
    words = padded_channels(channels) if channels > 4 else 4
    if item == 4:
        words = -(-channels // 32) * (2 if product == "t2_t2" else 1)
    lhs = Layout(shape[0], shape[1], shape[2], channels, words, item, window.pads)
    epilogue = Epilogue(cell.out, Words(grouped=cell.group_size > 0))
    out = Layout(shape[0], *size, columns, padded_channels(columns), epilogue.item_bytes)
    return Described(Task(product, epilogue, window, lhs, out), rhs, _params(cell, operands))


def _params(cell: KernelCell, operands: KernelOperands) -> ChannelParams:
    depth = cell.problem.depth
    rhs = operands.rhs.reshape(len(operands.rhs), depth)
    groups = depth // cell.group_size if cell.group_size else 1
    sums = rhs.reshape(len(rhs), groups, -1).sum(axis=2, dtype=np.int64).T
    correction = -operands.lhs_zero_point * sums
    scale = np.atleast_2d((operands.rhs_scale * np.float32(operands.lhs_scale)).T)
    offset, low, high = np.zeros(len(rhs), np.float32), -np.inf, np.inf
    if cell.out == "u8":
        scale = scale / np.float32(operands.out_scale)
        offset = offset + np.float32(operands.out_zero_point)
        correction, low, high = correction + operands.bias, 0.0, 255.0
    whole = (correction, scale) if cell.group_size else (correction[0], scale[0])
    return ChannelParams(
        whole[0].astype(np.int32), whole[1].astype(np.float32), offset, low=low, high=high, group_size=cell.group_size
    )


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
