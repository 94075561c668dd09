"""qbench's own side of a kernel cell: one operation bound to its buffers, shared by the threads of a team."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.problem import ConvProblem, KernelCell, KernelOperands
from qbench.engine.lowering import MOST_PLANES
from qbench.engine.team import Job, Team
from qbench.errors import QBenchError
from qbench.kernels.conv.operation import OUT_DTYPE, ChannelParams, bind, is_words, lhs_dtype, pack_weights
from qbench.kernels.conv.reference import Window
from qbench.kernels.gemm.operation import row_words
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_planes, pack_u8_t2
from qbench.kernels.program import NO_POINTERS, program_of
from qbench.kernels.variants import choose

Array = npt.NDArray[np.generic]


def prepare(cell: KernelCell, operands: KernelOperands, *, variant: str = "auto") -> Subject:
    """Return a cell's operation on these operands; raise QBenchError when there is no kernel for it."""
    return Subject(cell, operands, variant=variant)


class Subject:
    """A cell's operation bound to its buffers."""

    def __init__(self, cell: KernelCell, operands: KernelOperands, *, variant: str = "auto") -> None:
        chosen, product, values = choose(variant), *_product(cell)
        problem = cell.problem
        if isinstance(problem, ConvProblem):
            if problem.groups > 1:
                raise QBenchError("grouped convolutions have no kernel")
            images, height, width, channels = problem.images, problem.height, problem.width, problem.channels
            rhs, size = operands.rhs, problem.out_size
            window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
        else:
            images, height, width, channels = problem.m, 1, 1, problem.k
            rhs, size, window = operands.rhs.reshape(problem.n, 1, 1, problem.k), (1, 1), Window((1, 1))
        weights = rhs if values is None else np.searchsorted(values, rhs).astype(np.int16)
        packed = pack_weights(weights, product, chosen, values=values, group_size=cell.group_size)
        item = np.dtype(lhs_dtype(product)).itemsize
        lhs = Layout(images, height, width, channels, row_words(product, channels), item, window.pads)
        out = Layout(images, *size, len(rhs), padded_channels(packed.channels), np.dtype(OUT_DTYPE[cell.out]).itemsize)
        epilogue = cell.out + ("+grouped" if cell.group_size else "")
        params = _params(cell, operands, depth=int(np.prod(rhs.shape[1:])))
        bound = bind(product, epilogue, chosen, window, lhs, out, packed, params)
        self._source, self._target = aligned(lhs.size_bytes), aligned(out.size_bytes)
        self._fill(lhs, operands, product)
        self._out, self._kind = out, cell.out
        self._shape = (images, *size, len(rhs)) if isinstance(problem, ConvProblem) else (problem.m, problem.n)
        self.kernel, self.resident_bytes = bound.name, packed.data.nbytes
        self._task = bound.task(self._source, self._target)
        self._team = Team(cell.threads)
        self._job = Job(program_of((self._task,)), NO_POINTERS, 0, images, images)

    def run(self) -> None:
        """Compute once more, on all threads."""
        self._team.together(self._job)

    def _fill(self, lhs: Layout, operands: KernelOperands, product: str) -> None:
        codes = operands.lhs.reshape(lhs.images, lhs.height, lhs.width, lhs.channels)
        typed = self._source.view(lhs_dtype(product))
        if not is_words(product):
            typed.reshape(lhs.shape)[..., : lhs.channels] = operands.lhs_zero_point
            lhs.interior(typed)[...] = codes
            return
        flat = codes.astype(np.int16).reshape(-1, lhs.channels)
        if product[0] == "p":
            words = pack_u8_planes(flat.astype(np.uint8), int(product[1]))
        else:
            words = (
                pack_u8_b1((flat > 0).astype(np.uint8))
                if product == "b1_b1"
                else pack_u8_t2((flat + 1).astype(np.uint8))
            )
        top, left = lhs.border[:2]
        shaped = words.reshape(*codes.shape[:3], -1)
        typed.reshape(lhs.shape)[:, top : top + lhs.height, left : left + lhs.width, : shaped.shape[-1]] = shaped

    def result(self) -> Array:
        """Return the output of the last run."""
        return self._out.interior(self._target.view(OUT_DTYPE[self._kind])).reshape(self._shape)


def _product(cell: KernelCell) -> tuple[str, npt.NDArray[np.int8] | None]:
    """Return the kernel's product, and the levels that weights are indices into."""
    weights, activations = cell.layer_spec.weights.format, cell.layer_spec.activations.format
    if isinstance(activations, Binary | Ternary):
        return ("b1_b1" if isinstance(weights, Binary) else "t2_t2"), None
    if isinstance(weights, Binary):
        return "u8_t1", np.array([-1, 1], np.int8)
    bits = 2 if isinstance(weights, Ternary) else weights.bits if isinstance(weights, Uniform) else 8
    if isinstance(activations, Uniform) and bits * activations.bits <= MOST_PLANES:
        return f"p{activations.bits}_p{bits}", None
    return f"{'u8' if isinstance(activations, Uniform) else 'f32'}_s{bits}", None


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
