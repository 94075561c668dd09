"""Steps over tokens that have no weights: float32 in, float32 or u8 codes out. Their loops are in `kernels.tokens`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.graph import Add, Attention, Clamp, LayerNorm, Softmax, TokenMean, Unary
from qbench.graph.embedding import Embedding
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task, task_of
from qbench.kernels.tokens.rounds import attention_kind, room_of

Layouts = Mapping[str, Layout]
Floats = npt.NDArray[np.float32]
ROWS, ATTENTION = "qbench.kernels.tokens.rows", "qbench.kernels.tokens.attention"
ELEMENTWISE = "qbench.kernels.elementwise.portable"
GELU = ("gelu", "gelu_tanh")
_NO_FLOATS, _NO_CODES = np.empty(0, np.float32), np.empty(0, np.uint8)


def codes_name(tensor: str) -> str:
    """Return the name of the buffer that holds a tensor's codes."""
    return f"{tensor}:codes"


def _reals(buffers: Buffers, tensor: str) -> Floats:
    return buffers[tensor].view(np.float32)


def _ends(buffers: Buffers, tensor: str, box: Container | None) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Return where a step writes: (float32 numbers, codes), one of them empty."""
    if box is None:
        return _reals(buffers, tensor), _NO_CODES
    return _NO_FLOATS, buffers[codes_name(tensor)]


def _numbers(box: Container | None) -> tuple[tuple[np.float32, np.float32, np.float32], bool]:
    """Return (inverse_scale, offset, high) of codes and whether they are rounded down."""
    if box is None:
        return (np.float32(1), np.float32(0), np.float32(0)), False
    return (np.float32(box.inverse_scale), np.float32(box.round_offset), np.float32(box.high)), box.floor


def _written(tensor: str, box: Container | None) -> tuple[str, str]:
    """Return the buffer that a step writes and how its kernel's name ends."""
    return (tensor, "f32") if box is None else (codes_name(tensor), "u8")


def quantize_step(tensor: str, layouts: Layouts, box: Container) -> Step:
    """Return the step that writes a float32 tensor's codes."""
    layout = layouts[tensor]

    def join(buffers: Buffers) -> Task:
        arguments = (_reals(buffers, tensor), buffers[codes_name(tensor)], layout.channels, layout.words)
        return task_of(f"{ROWS}:quantize_rows_f32_u8", (*arguments, *_numbers(box)), units=layout.height)

    kind = "quantize_rows_f32_u8/portable"
    return Step(f"{tensor}:quantize", kind, 0, (tensor,), codes_name(tensor), join, True)


def embedding_step(name: str, ends: tuple[str, str], found: Embedding, layouts: Layouts, kind: str) -> Step:
    """Return the step that looks ids of the type `kind` up in a table; `ends` are what it reads and writes."""
    a, out = layouts[ends[0]], layouts[ends[1]]

    def join(buffers: Buffers) -> Task:
        arguments = (buffers[ends[0]].view(kind), found.table, found.places, _reals(buffers, ends[1]), out.words)
        return task_of(f"{ROWS}:gather_rows_f32", arguments, units=a.words)

    return Step(name, "gather_rows_f32/portable", 0, ends[:1], ends[1], join, False)  # a table is no layer's weights


def layer_norm_step(
    node: LayerNorm, added: Add | None, layouts: Layouts, box: Container | None, operations: int
) -> Step:
    """Return a layer norm's step, of a sum where `added` says so."""
    layout = layouts[node.output]
    reads: tuple[str, ...] = (node.input,) if added is None else added.inputs
    zeros = np.zeros(layout.words, np.float32)
    affine = (np.ascontiguousarray(node.scale, np.float32), np.ascontiguousarray(node.offset, np.float32))
    sizes = (layout.channels, layout.words, 0 if added is None else layout.words)
    writes, kind = _written(node.output, box)

    def join(buffers: Buffers) -> Task:
        other = zeros if added is None else _reals(buffers, reads[1])
        tensors = (_reals(buffers, reads[0]), other, *_ends(buffers, node.output, box))
        arguments = (*tensors, affine, sizes, np.float32(node.epsilon), *_numbers(box))
        return task_of(f"{ROWS}:layer_norm_f32", arguments, units=layout.height)

    name = f"{'add_' if added else ''}layer_norm_f32_{kind}/portable"
    return Step(node.name, name, operations, reads, writes, join, False)


def gelu_step(node: Unary, layouts: Layouts, box: Container | None, operations: int) -> Step:
    """Return the step of gelu, computed in float32."""
    layout, (writes, kind) = layouts[node.output], _written(node.output, box)
    tanh = node.function == "gelu_tanh"
    kernel = f"gelu_f32_{kind}"

    def join(buffers: Buffers) -> Task:
        more = () if box is None else _numbers(box)
        ends = (_reals(buffers, node.input), _reals(buffers, writes) if box is None else buffers[writes])
        arguments = (*ends, layout.channels, layout.words, *more, tanh)
        return task_of(f"{ROWS}:{kernel}", arguments, units=layout.height)

    return Step(node.name, f"{kernel}/portable", operations, (node.input,), writes, join, False)


def add_step(node: Add, layouts: Layouts, operations: int) -> Step:
    """Return the step of an addition that no layer norm takes in."""
    layout = layouts[node.output]
    size, corners = (layout.height, 1, layout.channels), ((0, 0),) * 3
    clamp = node.activation or Clamp(-np.inf, np.inf)
    limits = (np.float32(clamp.low), np.float32(clamp.high))

    def join(buffers: Buffers) -> Task:
        arrays = (_reals(buffers, tensor).reshape(layout.shape) for tensor in (*node.inputs, node.output))
        return task_of(f"{ELEMENTWISE}:add_f32_f32_f32", (*arrays, size, corners, limits), units=layout.height)

    return Step(node.name, "add_f32_f32_f32/portable", operations, node.inputs, node.output, join, False)


def softmax_step(node: Softmax, layouts: Layouts, operations: int) -> Step:
    """Return the step of a softmax over the channels."""
    layout = layouts[node.output]

    def join(buffers: Buffers) -> Task:
        arguments = (_reals(buffers, node.input), _reals(buffers, node.output), layout.channels, layout.words)
        return task_of(f"{ROWS}:softmax_f32_f32", arguments, units=layout.height)

    return Step(node.name, "softmax_f32_f32/portable", operations, (node.input,), node.output, join, False)


def mean_step(node: TokenMean, layouts: Layouts, operations: int) -> Step:
    """Return the step of the mean over tokens."""
    a = layouts[node.input]

    def join(buffers: Buffers) -> Task:
        arguments = (_reals(buffers, node.input), _reals(buffers, node.output), a.height, a.channels, a.words)
        return task_of(f"{ROWS}:mean_rows_f32", arguments, units=1)

    return Step(node.name, "mean_rows_f32/portable", operations, (node.input,), node.output, join, False)


def attention_step(node: Attention, layouts: Layouts, box: Container | None, variant: str, operations: int) -> Step:
    """Return the step of an attention without a mask."""
    q, k, v, out = (layouts[tensor] for tensor in (node.query, node.key, node.value, node.output))
    depth = q.channels // node.heads
    kind = attention_kind(variant)
    sizes, widths = (q.height, k.height, node.heads, depth), (q.words, k.words, v.words, out.words)
    writes, made = _written(node.output, box)

    def join(buffers: Buffers) -> Task:
        scratch = np.empty(q.images * node.heads * room_of(k.height, depth), np.float32)
        reads = (_reals(buffers, node.query), _reals(buffers, node.key), _reals(buffers, node.value))
        arguments = (*reads, *_ends(buffers, node.output, box), scratch, sizes, widths, np.float32(node.scale))
        return task_of(f"{ATTENTION}:attention_f32", (*arguments, *_numbers(box), kind), units=node.heads)

    reads = (node.query, node.key, node.value)
    return Step(node.name, f"attention_f32_{made}/{variant}", operations, reads, writes, join, False)
