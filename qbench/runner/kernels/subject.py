"""qbench's own side of a kernel cell: one operation bound to its buffers, shared by the threads of a team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.core.cells.algorithm import Algorithm, split_algorithm
from qbench.core.cells.product import ConvProblem, KernelCell, KernelOperands
from qbench.engine.container import Container
from qbench.engine.lowering.groups import Part, lower_parts, parts_of
from qbench.engine.lowering.layers import Lowered
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.plan import SCRATCH
from qbench.engine.rows_of_taps import GROUP_BYTES, rows_of_taps, shorter
from qbench.engine.steps.layers import integer_layer_step
from qbench.engine.team import Job as TeamJob
from qbench.engine.team import Team
from qbench.errors import QBenchError
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.reference import Window
from qbench.kernels.conv.ways import bind_fastest
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.gemm.operation import row_words
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_words
from qbench.kernels.product import U8_S8, Product
from qbench.kernels.program import NO_POINTERS, program_of
from qbench.kernels.tasks import Task
from qbench.kernels.variants import choose
from qbench.kernels.winograd.operation import BoundWinograd
from qbench.runner.kernels.lowering import ends_of, held_codes, layer_of, lower_cell

Array = npt.NDArray[np.generic]
Bytes = npt.NDArray[np.uint8]


WORTH_SHARING = 1_000_000
"""Operations from which a cell is shared by its threads: a microsecond's, about what their meeting costs."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """Tasks with what rows say of them; `out` is a view of its output buffer, `shape` that of the cell's answer.

    It does the cell's work `turns` times.
    """

    kernel: str
    tasks: tuple[Task, ...]
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
        self._job = TeamJob(program_of(bound.tasks), NO_POINTERS, 0, bound.images, bound.images)

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
    lowered = lower_cell(cell, operands, counts=counts_bits(chosen), alone=algorithm != "winograd")
    return Subject(_bound(cell, operands, lowered, chosen, algorithm=algorithm, threads=threads), threads=threads)


def _bound(
    cell: KernelCell, operands: KernelOperands, lowered: Lowered, variant: str, *, algorithm: Algorithm, threads: int
) -> Bound:
    """Return a cell joined to buffers; a grouped convolution runs some groups at a time, as it does in networks."""
    problem, product = cell.problem, lowered.product
    layer, weights = layer_of(cell, operands)
    if cell.out != "s32" and algorithm == "auto" and len(parts_of(layer)) > 1 and not product.is_float:
        parts = lower_parts(layer, weights, ends_of(cell, operands), counts=counts_bits(variant))
        if len(parts) > 1:
            return _in_parts(cell, operands, parts, variant)
    epilogue = Epilogue(cell.out, lowered.words)
    (window, lhs, out), box = _layouts(cell, product), ends_of(cell, operands).lhs
    codes, source = lowered.codes, _filled(lhs, operands, product, box)
    read, alone = lhs, lowered.groups > 1
    if lhs.words == lhs.channels < GROUP_BYTES and not alone:
        window, codes, read = rows_of_taps(window, codes, lhs)
    skips = not (product.is_words or alone) and box.zero_point == 0
    job = Job(product, epilogue, variant, window, read, out, zero_padding=skips, groups=lowered.groups)
    bound = bind_fastest(job, Weights(codes, lowered.params, lowered.values), algorithm=algorithm)
    if algorithm == "winograd" and not isinstance(bound, BoundWinograd):
        raise QBenchError("Winograd's products are of bytes, by 3 x 3 kernels at stride 1, on at least 4 x 4 pixels")
    target, scratch = aligned(out.size_bytes), aligned(threads * bound.scratch_bytes)
    is_conv = isinstance(problem, ConvProblem)
    as_dense = isinstance(problem, ConvProblem) and problem.groups > 1 and not alone
    return Bound(
        f"{bound.name} as dense" if as_dense else bound.name,
        (bound.task(source, target, scratch=scratch),),
        out.interior(target.view(epilogue.dtype)),
        (out.images, out.height, out.width, out.channels) if is_conv else (out.images, out.channels),
        out.images,
        bound.resident_bytes,
    )


def _in_parts(cell: KernelCell, operands: KernelOperands, parts: Sequence[tuple[Part, Lowered]], variant: str) -> Bound:
    """Return a grouped convolution as the steps that a session makes of it."""
    ends, (_, lhs, out) = ends_of(cell, operands), _layouts(cell, U8_S8)
    source, target = _filled(lhs, operands, U8_S8, ends.lhs), aligned(out.size_bytes)
    layouts, zero = {"lhs": lhs, "out": out}, ends.lhs.zero_point == 0
    steps = []
    for part, lowered in parts:
        moved = replace(part, layer=replace(part.layer, input="lhs", output="out"))
        steps.append(integer_layer_step(moved, lowered, layouts, variant, 0, zero_padding=zero))
    buffers = {"lhs": source, "out": target, SCRATCH: aligned(0)}
    return Bound(
        f"{steps[0].kind} in {len(steps)} parts",
        tuple(step.bind(buffers) for step in steps),
        out.interior(target.view(Epilogue(cell.out).dtype)),
        (out.images, out.height, out.width, out.channels),
        out.images,
        sum(step.resident_bytes for step in steps),
    )


def _layouts(cell: KernelCell, product: Product) -> tuple[Window, Layout, Layout]:
    """Return a cell's window, its lhs's layout and its output's."""
    problem, item = cell.problem, np.dtype(product.lhs_dtype).itemsize
    item_out = Epilogue(cell.out).item_bytes
    if not isinstance(problem, ConvProblem):
        lhs = Layout(problem.m, 1, 1, problem.k, row_words(product, problem.k), item)
        return Window((1, 1)), lhs, Layout(problem.m, 1, 1, problem.n, padded_channels(problem.n), item_out)
    window = Window(problem.kernel, problem.strides, problem.pads, problem.dilations)
    channels, columns = problem.channels, problem.out_channels
    words = channels if _in_rows(problem, product) else row_words(product, channels)
    lhs = Layout(problem.images, problem.height, problem.width, channels, words, item, window.pads)
    return window, lhs, Layout(problem.images, *problem.out_size, columns, padded_channels(columns), item_out)


def _in_rows(problem: ConvProblem, product: Product) -> bool:
    """Return whether an image's pixels stand side by side, as the engine lays them out."""
    plain = (product.lhs.kind, product.rhs.kind) == ("u", "s") and problem.groups == 1 and problem.dilations[1] == 1
    return plain and shorter([problem.kernel], problem.channels)


def _filled(lhs: Layout, operands: KernelOperands, product: Product, box: Container) -> Bytes:
    """Return the lhs's buffer: codes in their container, the code of zero in the border, packed where bits are read."""
    source = aligned(lhs.size_bytes)
    codes = held_codes(operands, box).reshape(lhs.images, lhs.height, lhs.width, lhs.channels)
    typed = source.view(product.lhs_dtype)
    if not product.is_words:
        typed.reshape(lhs.shape)[..., : lhs.channels] = box.zero_point
        lhs.interior(typed)[...] = codes
        return source
    words = pack_words(product, codes.reshape(-1, lhs.channels))
    top, left = lhs.border[:2]
    shaped = words.reshape(*codes.shape[:3], -1)
    typed.reshape(lhs.shape)[:, top : top + lhs.height, left : left + lhs.width, : shaped.shape[-1]] = shaped
    return source
