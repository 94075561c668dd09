"""qbench's own side of a kernel cell: one operation bound to its buffers, shared by the threads of a team."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.cells.algorithm import Algorithm, split_algorithm
from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.core.formats import Binary, Ternary, Uniform
from qbench.engine.lowering import MOST_PLANES, counts_bits
from qbench.engine.rows_of_taps import rows_of_taps, shorter
from qbench.engine.team import Job as TeamJob
from qbench.engine.team import Team
from qbench.errors import QBenchError
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.conv.ways import bind_fastest
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.gemm.operation import row_words
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_words
from qbench.kernels.product import B1_B1, T2_T2, U8_S8, Product, parse_product
from qbench.kernels.program import NO_POINTERS, program_of
from qbench.kernels.tasks import Task
from qbench.kernels.variants import choose
from qbench.kernels.winograd.operation import BoundWinograd

Array = npt.NDArray[np.generic]
Bytes = npt.NDArray[np.uint8]


WORTH_SHARING = 1_000_000
"""Operations from which a cell is shared by its threads: a microsecond's, about what their meeting costs."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A task with what rows say of it; `out` is a view of its output buffer, `shape` that of the cell's answer.

    It does the cell's work `turns` times.
    """

    kernel: str
    task: Task
    out: Array
    shape: tuple[int, ...]
    images: int = 1
    resident_bytes: int = 0
    turns: int = 1


NO_ANSWER = (np.empty(0, np.uint8), (0,))
"""Output and shape of what computes nothing."""


class Subject:
    """An operation bound to its buffers and a team of threads."""

    def __init__(self, bound: Bound, *, threads: int) -> None:
        self.kernel, self.resident_bytes, self.turns = bound.kernel, bound.resident_bytes, bound.turns
        self._bound, self._team = bound, Team(threads)
        self._job = TeamJob(program_of((bound.task,)), NO_POINTERS, 0, bound.images, bound.images)

    def run(self) -> None:
        """Compute once more, on all threads."""
        self._team.together(self._job)

    def result(self) -> Array:
        """Return the output of the last run."""
        return self._bound.out.reshape(self._bound.shape)

    def close(self) -> None:
        """End the threads."""
        self._team.close()


def prepare(cell: KernelCell, operands: KernelOperands, *, variant: str = "auto") -> Subject:
    """Return a cell's operation on these operands; raise QBenchError when there is no kernel for it.

    Args:
        cell: what is computed, on how many threads.
        operands: the numbers.
        variant: a name of `variants.NAMES` or `auto`, `+direct` or `+winograd` after it where that is pinned.
    """
    name, algorithm = split_algorithm(variant)
    chosen, problem = choose(name), cell.problem
    threads = cell.threads if problem.operations >= WORTH_SHARING else 1
    if isinstance(problem, ConvProblem) and _is_depthwise(cell, problem) and algorithm != "winograd":
        return Subject(_depthwise(cell, problem, operands, chosen), threads=threads)
    return Subject(_product_of(cell, operands, chosen, algorithm=algorithm, threads=threads), threads=threads)


def _is_depthwise(cell: KernelCell, problem: ConvProblem) -> bool:
    """Return whether the kernels of depthwise layers take it."""
    alone = problem.is_depthwise and problem.out_channels == problem.channels
    return alone and cell.out == "u8" and _is_u8(cell) and not cell.group_size


def _is_u8(cell: KernelCell) -> bool:
    return isinstance(cell.layer_spec.activations.format, Uniform)


def _depthwise(cell: KernelCell, problem: ConvProblem, operands: KernelOperands, variant: str) -> Bound:
    window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
    words = U8_S8.pixel_words(problem.channels)
    lhs = Layout(problem.images, problem.height, problem.width, problem.channels, words, 1, window.pads)
    out = Layout(problem.images, *problem.out_size, problem.out_channels, words, 1)
    params = _params(cell, operands, operands.rhs, product=U8_S8)
    job = Job(U8_S8, Epilogue("u8"), variant, window, lhs, out, groups=problem.channels)
    layer = bind_fastest(job, Weights(operands.rhs, params))
    source, target = _filled(lhs, operands, U8_S8), aligned(out.size_bytes)
    view = out.interior(target)
    return Bound(layer.name, layer.task(source, target), view, view.shape, problem.images, layer.resident_bytes)


def _product_of(
    cell: KernelCell, operands: KernelOperands, variant: str, *, algorithm: Algorithm, threads: int
) -> Bound:
    """Return a matrix product, or a convolution; a grouped one runs as a dense one, as it does in networks."""
    (product, values), problem = _product(cell, variant), cell.problem
    if isinstance(problem, ConvProblem):
        images, height, width, channels = problem.images, problem.height, problem.width, problem.channels
        rhs, size = _dense_ohwi(cell, problem, operands.rhs), problem.out_size
        window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
    else:
        images, height, width, channels = problem.m, 1, 1, problem.k
        rhs, size, window = operands.rhs.reshape(problem.n, 1, 1, problem.k), (1, 1), Window((1, 1))
    item, words = np.dtype(product.lhs_dtype).itemsize, row_words(product, channels)
    in_rows = isinstance(problem, ConvProblem) and _in_rows(problem, product)
    lhs = Layout(images, height, width, channels, channels if in_rows else words, item, window.pads)
    source = _filled(lhs, operands, product)
    weights: Codes = rhs if values is None else np.searchsorted(values, rhs).astype(np.int16)
    if in_rows:
        window, weights, lhs = rows_of_taps(window, weights, lhs)
    epilogue = Epilogue(cell.out, Words(grouped=cell.group_size > 0))
    out = Layout(images, *size, len(rhs), padded_channels(len(rhs)), epilogue.item_bytes)
    params = _params(cell, operands, rhs, product=product)
    job = Job(product, epilogue, variant, window, lhs, out, zero_padding=operands.lhs_zero_point == 0)
    bound = bind_fastest(job, Weights(weights, params, values), algorithm=algorithm)
    if algorithm == "winograd" and not isinstance(bound, BoundWinograd):
        raise QBenchError("Winograd's products are of bytes, by 3 x 3 kernels at stride 1, on at least 4 x 4 pixels")
    target, scratch = aligned(out.size_bytes), aligned(threads * bound.scratch_bytes)
    shape = (images, *size, len(rhs)) if isinstance(problem, ConvProblem) else (problem.m, problem.n)
    grouped = isinstance(problem, ConvProblem) and problem.groups > 1
    return Bound(
        f"{bound.name} as dense" if grouped else bound.name,
        bound.task(source, target, scratch=scratch),
        out.interior(target.view(epilogue.dtype)),
        shape,
        images,
        bound.resident_bytes,
    )


def _in_rows(problem: ConvProblem, product: Product) -> bool:
    """Return whether an image's pixels stand side by side, as the engine lays them out."""
    plain = (product.lhs.kind, product.rhs.kind) == ("u", "s") and problem.groups == 1 and problem.dilations[1] == 1
    return plain and shorter([problem.kernel], problem.channels)


def _dense_ohwi(cell: KernelCell, problem: ConvProblem, rhs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return the weights of all input channels, zeros where a group does not see one."""
    if problem.groups == 1:
        return rhs
    if isinstance(cell.layer_spec.weights.format, Binary) or isinstance(cell.layer_spec.activations.format, Binary):
        raise QBenchError("a grouped convolution runs as a dense one, and binary weights have no code of zero for it")
    if cell.group_size:
        raise QBenchError("a grouped convolution runs as a dense one, for which groups of scales do not line up")
    full = np.zeros((*rhs.shape[:3], problem.channels), np.int8)
    inputs, outputs = problem.channels // problem.groups, problem.out_channels // problem.groups
    for group in range(problem.groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        full[rows, ..., group * inputs : (group + 1) * inputs] = rhs[rows]
    return full


def _filled(lhs: Layout, operands: KernelOperands, product: Product) -> Bytes:
    """Return the lhs's buffer: codes, the code of zero in the border, packed to words of bits where it is wanted."""
    source = aligned(lhs.size_bytes)
    codes = operands.lhs.reshape(lhs.images, lhs.height, lhs.width, lhs.channels)
    typed = source.view(product.lhs_dtype)
    if not product.is_words:
        typed.reshape(lhs.shape)[..., : lhs.channels] = operands.lhs_zero_point
        lhs.interior(typed)[...] = codes
        return source
    flat = codes.astype(np.int16).reshape(-1, lhs.channels)
    held = flat if product.lhs_planes else flat > 0 if product.is_binary else flat + 1
    words = pack_words(product, held.astype(np.uint8))
    top, left = lhs.border[:2]
    shaped = words.reshape(*codes.shape[:3], -1)
    typed.reshape(lhs.shape)[:, top : top + lhs.height, left : left + lhs.width, : shaped.shape[-1]] = shaped
    return source


def _product(cell: KernelCell, variant: str) -> tuple[Product, npt.NDArray[np.int8] | None]:
    """Return the kernel's product, and the levels that weights are indices into."""
    weights, activations = cell.layer_spec.weights.format, cell.layer_spec.activations.format
    if isinstance(activations, Binary | Ternary):
        return (B1_B1 if isinstance(weights, Binary) else T2_T2), None
    if isinstance(weights, Binary):
        return parse_product("u8_t1"), np.array([-1, 1], np.int8)
    bits = 2 if isinstance(weights, Ternary) else weights.bits if isinstance(weights, Uniform) else 8
    if isinstance(activations, Uniform) and bits * activations.bits <= MOST_PLANES and counts_bits(variant):
        return parse_product(f"p{activations.bits}_p{bits}"), None
    return parse_product(f"{'u8' if isinstance(activations, Uniform) else 'f32'}_s{bits}"), None


def _params(
    cell: KernelCell, operands: KernelOperands, weights: npt.NDArray[np.int8], *, product: Product
) -> ChannelParams:
    rhs = weights.reshape(len(weights), -1).astype(np.int64)
    depth = rhs.shape[1]
    groups = depth // cell.group_size if cell.group_size else 1
    sums = rhs.reshape(len(rhs), groups, -1).sum(axis=2).T
    correction = -operands.lhs_zero_point * sums
    if product.is_binary:
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
