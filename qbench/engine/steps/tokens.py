"""Steps over rows of tokens, without weights: float32 in, float32 or u8 codes out. Loops are in `kernels.tokens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.graph import Hadamard, LayerNorm, Softmax, TokenMean, Unary
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task, task_of

if TYPE_CHECKING:
    from qbench.graph.embedding import Embedding

Layouts = Mapping[str, Layout]
Buffernames = tuple[str, ...]
Floats = npt.NDArray[np.float32]
ROWS = "qbench.kernels.tokens.rows"
HADAMARD = "qbench.kernels.tokens.hadamard"
GELU = ("gelu", "gelu_tanh")
_NO_FLOATS, _NO_CODES = np.empty(0, np.float32), np.empty(0, np.uint8)


def reals_of(buffers: Buffers, tensor: str) -> Floats:
    """Return a buffer as float32 numbers."""
    return buffers[tensor].view(np.float32)


def ends_of(buffers: Buffers, target: str, box: Container | None) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Return where a step writes: (float32 numbers, codes), one of them empty."""
    return (reals_of(buffers, target), _NO_CODES) if box is None else (_NO_FLOATS, buffers[target])


def numbers_of(box: Container | None) -> tuple[tuple[np.float32, np.float32, np.float32], bool]:
    """Return (inverse_scale, offset, high) of codes and whether they are rounded down."""
    if box is None:
        return (np.float32(1), np.float32(0), np.float32(0)), False
    return (np.float32(box.inverse_scale), np.float32(box.round_offset), np.float32(box.high)), box.floor


def suffix(box: Container | None) -> str:
    """Return how the name of a step ends that writes numbers, or codes of a container."""
    return "f32" if box is None else "u8"


def embedding_step(name: str, ends: tuple[str, str], found: Embedding, layouts: Layouts, kind: str) -> Step:
    """Return the step that looks ids of the type `kind` up in a table; `ends` are what it reads and writes."""
    a, out = layouts[ends[0]], layouts[ends[1]]

    def join(buffers: Buffers) -> Task:
        arguments = (buffers[ends[0]].view(kind), found.table, found.places, reals_of(buffers, ends[1]), out.words)
        return task_of(f"{ROWS}:gather_rows_f32", arguments, units=a.words)

    return Step(name, "gather_rows_f32/portable", 0, ends[:1], ends[1], join, False)  # a table is no layer's weights


def layer_norm_step(
    node: LayerNorm, reads: Buffernames, target: str, layouts: Layouts, box: Container | None, operations: int
) -> Step:
    """Return a layer norm's step, of the sum of the buffers that it reads where they are two."""
    layout, is_sum = layouts[target], len(reads) == 2
    kernel = "layer_norm_f32" if node.centred else "rms_norm_f32"
    zeros = np.zeros(layout.words, np.float32)
    affine = (np.ascontiguousarray(node.scale, np.float32), np.ascontiguousarray(node.offset, np.float32))
    sizes = (layout.channels, layout.words, layout.words if is_sum else 0)

    def join(buffers: Buffers) -> Task:
        other = reals_of(buffers, reads[1]) if is_sum else zeros
        tensors = (reals_of(buffers, reads[0]), other, *ends_of(buffers, target, box))
        arguments = (*tensors, affine, sizes, np.float32(node.epsilon), *numbers_of(box))
        return task_of(f"{ROWS}:{kernel}", arguments, units=layout.height)

    name = f"{'add_' if is_sum else ''}{kernel}_{suffix(box)}/portable"
    return Step(node.name, name, operations, reads, target, join, False)


def gelu_step(node: Unary, ends: tuple[str, str], layouts: Layouts, box: Container | None, operations: int) -> Step:
    """Return the step of gelu, computed in float32; `ends` are the buffers that it reads and writes."""
    layout, (source, target) = layouts[ends[1]], ends
    tanh = node.function == "gelu_tanh"
    kernel = f"gelu_f32_{suffix(box)}"

    def join(buffers: Buffers) -> Task:
        more = () if box is None else numbers_of(box)
        arrays = (reals_of(buffers, source), reals_of(buffers, target) if box is None else buffers[target])
        arguments = (*arrays, layout.channels, layout.words, *more, tanh)
        return task_of(f"{ROWS}:{kernel}", arguments, units=layout.height)

    return Step(node.name, f"{kernel}/portable", operations, (source,), target, join, False)


def hadamard_step(
    node: Hadamard, ends: tuple[str, str], layouts: Layouts, box: Container | None, operations: int
) -> Step:
    """Return the step of a Walsh-Hadamard transform; `ends` are the buffers that it reads and writes."""
    layout, (source, target) = layouts[ends[1]], ends
    sizes, factor = (layout.channels, layout.words, node.block), np.float32(node.block**-0.5)

    def join(buffers: Buffers) -> Task:
        room = np.empty(2 * node.block * layout.images * layout.height, np.float32)
        arguments = (reals_of(buffers, source), *ends_of(buffers, target, box), room, sizes, factor, *numbers_of(box))
        return task_of(f"{HADAMARD}:hadamard_f32", arguments, units=layout.height)

    return Step(node.name, f"hadamard_f32_{suffix(box)}/portable", operations, (source,), target, join, False)


def softmax_step(node: Softmax, layouts: Layouts, operations: int) -> Step:
    """Return the step of a softmax over the channels."""
    layout = layouts[node.output]

    def join(buffers: Buffers) -> Task:
        arguments = (reals_of(buffers, node.input), reals_of(buffers, node.output), layout.channels, layout.words)
        return task_of(f"{ROWS}:softmax_f32_f32", arguments, units=layout.height)

    return Step(node.name, "softmax_f32_f32/portable", operations, (node.input,), node.output, join, False)


def mean_step(node: TokenMean, layouts: Layouts, operations: int) -> Step:
    """Return the step of the mean over tokens."""
    a = layouts[node.input]

    def join(buffers: Buffers) -> Task:
        arguments = (reals_of(buffers, node.input), reals_of(buffers, node.output), a.height, a.channels, a.words)
        return task_of(f"{ROWS}:mean_rows_f32", arguments, units=1)

    return Step(node.name, "mean_rows_f32/portable", operations, (node.input,), node.output, join, False)
