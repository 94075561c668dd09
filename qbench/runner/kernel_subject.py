"""qbench's own side of a kernel cell, on the kernels as they are today; `kernels.prepare` takes its place."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.problem import ConvProblem, KernelCell, KernelOperands
from qbench.errors import QBenchError
from qbench.kernels.conv.operation import BoundConv, ChannelParams, bind, lhs_words, pack_weights
from qbench.kernels.conv.reference import Window
from qbench.kernels.gemm.operation import PACKERS
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.variants import choose

Array = npt.NDArray[np.generic]


def prepare(cell: KernelCell, operands: KernelOperands, *, variant: str = "auto") -> Subject:
    """Return a cell's operation on these operands; raise QBenchError when there is no kernel for it."""
    return Subject(cell, operands, variant=variant)


class Subject:
    """A cell's operation bound to its buffers, run on one thread."""

    def __init__(self, cell: KernelCell, operands: KernelOperands, *, variant: str = "auto") -> None:
        chosen, product, values = choose(variant), *_product(cell)
        problem = cell.problem
        shape = (
            (problem.images, problem.height, problem.width, problem.channels)
            if isinstance(problem, ConvProblem)
            else (problem.m, 1, 1, problem.k)
        )
        rhs = operands.rhs if isinstance(problem, ConvProblem) else operands.rhs.reshape(problem.n, 1, 1, problem.k)
        window = Window((1, 1))
        size = (1, 1)
        if isinstance(problem, ConvProblem):
            if problem.groups > 1:
                raise QBenchError("grouped convolutions have no kernel")
            window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
            size = problem.out_size
        weights = rhs if values is None else np.searchsorted(values[: values.argmax() + 1], rhs).astype(np.int16)
        packed = pack_weights(weights, product, chosen, values=values, group_size=cell.group_size)
        item = 4 if product in PACKERS else 1
        images, height, width, channels = shape
        lhs = Layout(images, height, width, channels, lhs_words(product, channels), item, window.pads)
        out = Layout(shape[0], *size, len(rhs), padded_channels(packed.channels), 1 if cell.out == "u8" else 4)
        epilogue = cell.out + ("+grouped" if cell.group_size else "")
        params = _params(cell, operands, depth=int(np.prod(rhs.shape[1:])))
        self._bound: BoundConv = bind(product, epilogue, chosen, window, lhs, out, packed, params)
        self._source, self._target = aligned(lhs.size_bytes), aligned(out.size_bytes)
        self._fill(lhs, operands, product)
        self._out, self._kind = out, cell.out
        self._shape = (*shape[:1], *size, len(rhs)) if isinstance(problem, ConvProblem) else (problem.m, problem.n)
        self.kernel = self._bound.name
        self.resident_bytes = packed.data.nbytes
        head: tuple[Any, ...] = self._bound.arguments(self._source, self._target, None, cell.out, product)
        self.run = partial(self._bound.kernel, *head, 0, shape[0] * size[0] * size[1])

    def _fill(self, lhs: Layout, operands: KernelOperands, product: str) -> None:
        codes = operands.lhs.reshape(lhs.images, lhs.height, lhs.width, lhs.channels).astype(np.int16)
        if product in PACKERS:
            low = -1 if product == "t2_t2" else 0
            words = PACKERS[product](((codes - low) if low else codes > 0).astype(np.uint8).reshape(-1, lhs.channels))
            buffer = self._source.view(np.uint32).reshape(lhs.shape)
            top, left = lhs.border[:2]
            buffer[:, top : top + lhs.height, left : left + lhs.width] = words.reshape(*codes.shape[:3], -1)
            return
        self._source.fill(operands.lhs_zero_point)
        lhs.interior(self._source)[...] = codes

    def result(self) -> Array:
        """Return the output of the last run."""
        dtype = {"u8": np.uint8, "f32": np.float32, "s32": np.int32}[self._kind]
        return self._out.interior(self._target.view(dtype)).reshape(self._shape)


def _product(cell: KernelCell) -> tuple[str, npt.NDArray[np.int8] | None]:
    """Return the kernel's product, and the levels that weights are indices into."""
    weights, activations = cell.layer_spec.weights.format, cell.layer_spec.activations.format
    if isinstance(activations, Binary | Ternary):
        return ("b1_b1" if isinstance(weights, Binary) else "t2_t2"), None
    if isinstance(weights, Ternary):
        return "u8_t2", np.array([-1, 0, 1, 0], np.int8)
    if isinstance(weights, Binary):
        return "u8_t1", np.array([-1, 1], np.int8)
    assert isinstance(weights, Uniform)
    if weights.bits > 4:
        return "u8_s8", None
    bits = 4 if weights.bits > 2 else weights.bits
    return f"u8_t{bits}", (np.arange(1 << bits) + weights.qmin).astype(np.int8)


def _params(cell: KernelCell, operands: KernelOperands, *, depth: int) -> ChannelParams:
    rhs = operands.rhs.reshape(len(operands.rhs), depth).astype(np.int64)
    groups = depth // cell.group_size if cell.group_size else 1
    sums = rhs.reshape(len(rhs), groups, -1).sum(axis=2).T
    correction = -operands.lhs_zero_point * sums
    if _product(cell)[0] == "b1_b1":
        correction = correction + depth
    scale = np.atleast_2d((operands.rhs_scale * np.float32(operands.lhs_scale)).T)
    offset = np.zeros(len(rhs), np.float32)
    low, high = -np.inf, np.inf
    if cell.out == "u8":
        scale = scale / np.float32(operands.out_scale)
        offset = offset + np.float32(operands.out_zero_point)
        correction = correction + operands.bias
        low, high = 0.0, 255.0
    whole = (correction, scale) if cell.group_size else (correction[0], scale[0])
    return ChannelParams(
        whole[0].astype(np.int32), whole[1].astype(np.float32), offset, low=low, high=high, group_size=cell.group_size
    )
