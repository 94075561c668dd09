"""Steps of attention: in float32, or on codes of query, key and value. Loops are in `kernels.tokens`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.tokens import Buffernames, Layouts, ends_of, numbers_of, reals_of, suffix
from qbench.graph import Attention
from qbench.kernels.tasks import Task, task_of
from qbench.kernels.tokens.rounds import attention_kind, integer_kind, room_of, words_of

FLOATS, CODES = "qbench.kernels.tokens.attention:attention_f32", "qbench.kernels.tokens.integer:attention_u8"
_NO_MASK = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Operands:
    """The containers of an attention's query, key and value, all of them integers."""

    query: Container
    key: Container
    value: Container

    def scales(self, scale: float) -> tuple[np.float32, np.float32]:
        """Return the scales of scores, whose own factor is given, and of values."""
        return np.float32(self.query.scale * self.key.scale * scale), np.float32(self.value.scale)


def attention_step(
    node: Attention, ends: Buffernames, layouts: Layouts, box: Container | None, variant: str, operations: int
) -> Step:
    """Return the step of an attention without a mask; `ends` are the buffers of query, key, value and result."""
    q, k, v, out = (layouts[name] for name in ends)
    depth = q.channels // node.heads
    kind = attention_kind(variant)
    sizes, widths = (q.height, k.height, node.heads, depth), (q.words, k.words, v.words, out.words)
    *reads, target = ends

    def join(buffers: Buffers) -> Task:
        scratch = np.empty(q.images * node.heads * room_of(k.height, depth), np.float32)
        given = (reals_of(buffers, name) for name in reads)
        arguments = (*given, *ends_of(buffers, target, box), scratch, sizes, widths, np.float32(node.scale))
        return task_of(FLOATS, (*arguments, *numbers_of(box), kind), units=node.heads)

    return Step(node.name, f"attention_f32_{suffix(box)}/{variant}", operations, tuple(reads), target, join, False)


def integer_attention_step(
    node: Attention, ends: Buffernames, layouts: Layouts, boxes: Operands, box: Container | None, variant: str,
    operations: int,
) -> Step:  # fmt: skip
    """Return the step of an attention on codes; `box` is its result's container where that is codes too."""
    q, k, v, out = (layouts[name] for name in ends)
    depth = q.channels // node.heads
    sizes, widths = (q.height, k.height, node.heads, depth, 1), (q.words, k.words, v.words, out.words)
    *reads, target = ends
    zeros, kind = (int(boxes.query.zero_point), int(boxes.value.zero_point)), integer_kind(variant)

    def join(buffers: Buffers) -> Task:
        words = np.empty(q.images * node.heads * words_of(k.height, depth), np.int32)
        query, key, value = (buffers[name] for name in reads)
        arguments = (
            query, key.view(np.int32), value, _NO_MASK, *ends_of(buffers, target, box),
            (words, words.view(np.uint8), words.view(np.float32)), sizes, widths, (0,) * 4, zeros,
            boxes.scales(node.scale), *numbers_of(box), kind,
        )  # fmt: skip
        return task_of(CODES, arguments, units=node.heads)

    return Step(node.name, f"attention_u8_{suffix(box)}/{variant}", operations, tuple(reads), target, join, True)
