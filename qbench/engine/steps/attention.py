"""Steps of attention: in float32, or on codes of query, key and value. Loops are in `kernels.tokens`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.tokens import Buffernames, Layouts, ends_of, numbers_of, reals_of, suffix
from qbench.graph import Attention
from qbench.graph.nodes import Shape
from qbench.kernels.tasks import Task, task_of
from qbench.kernels.tokens.rounds import attention_kind, integer_kind, room_of, words_of

FLOATS, CODES = "qbench.kernels.tokens.attention:attention_f32", "qbench.kernels.tokens.integer:attention_u8"
Floats = npt.NDArray[np.float32]
Steps = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Operands:
    """The containers of an attention's query, key and value, all of them integers."""

    query: Container
    key: Container
    value: Container

    def scales(self, scale: float) -> tuple[np.float32, np.float32]:
        """Return the scales of scores, whose own factor is given, and of values."""
        return np.float32(self.query.scale * self.key.scale * scale), np.float32(self.value.scale)


@dataclass(frozen=True, slots=True, eq=False)
class MaskOf:
    """What is added to an attention's scores: a buffer, numbers that are always the same, or both.

    Args:
        steps: numbers of the buffer from (image, window, head, token) to the next, 0 where one serves all.
        bias: the fixed numbers, flat; none where it is empty.
        bias_steps: theirs.
    """

    steps: Steps
    bias: Floats
    bias_steps: Steps

    @classmethod
    def node(cls, node: Attention, shape: Shape) -> MaskOf:
        """Return that of a node whose mask has a shape without the batch, () for none."""
        fixed = np.empty(0, np.float32) if node.bias is None else np.ascontiguousarray(node.bias, np.float32)
        head, token = _steps(shape) if shape else (0, 0)
        window, own_head, own_token = _steps(fixed.shape) if fixed.size else (0, 0, 0)
        image = int(np.prod(shape)) if shape else 0
        return cls((image, 0, head, token), fixed.reshape(-1), (0, window, own_head, own_token))

    def arguments(self, buffers: Buffers, names: Buffernames) -> tuple[Floats, Floats, Steps, Steps]:
        """Return the arrays and steps that a kernel is given; `names` is the mask's buffer, if any."""
        mask = reals_of(buffers, names[0]) if names else np.empty(0, np.float32)
        return mask, self.bias, self.steps, self.bias_steps


def _steps(shape: Shape) -> tuple[int, ...]:
    """Return the numbers from one to the next of every axis but the last, 0 for an axis of one."""
    return tuple(int(np.prod(shape[axis + 1 :])) if shape[axis] > 1 else 0 for axis in range(len(shape) - 1))


def _sizes(node: Attention, ends: Buffernames, layouts: Layouts) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (query tokens, key tokens, heads, a head's channels, windows) and the words of rows."""
    q, k, v, out = (layouts[name] for name in (*ends[:3], ends[-1]))
    sizes = (q.height // node.windows, k.height // node.windows, node.heads, q.channels // node.heads, node.windows)
    return sizes, (q.words, k.words, v.words, out.words)


def attention_step(
    node: Attention, ends: Buffernames, layouts: Layouts, mask: MaskOf, box: Container | None, variant: str,
    operations: int,
) -> Step:  # fmt: skip
    """Return the step of an attention in float32.

    Args:
        node: the node.
        ends: the buffers of query, key, value, of the mask if there is one, and of the result.
        layouts: of all buffers.
        mask: what is added to its scores.
        box: the container of the result where that is codes.
        variant: of the kernels.
        operations: per image.
    """
    (sizes, widths), (*reads, target) = _sizes(node, ends, layouts), ends
    units = node.heads * node.windows

    def join(buffers: Buffers) -> Task:
        scratch = np.empty(layouts[ends[0]].images * units * room_of(sizes[1], sizes[3]), np.float32)
        given = (reals_of(buffers, name) for name in reads[:3])
        arguments = (
            *given, *mask.arguments(buffers, tuple(reads[3:])), *ends_of(buffers, target, box), scratch, sizes, widths,
            np.float32(node.scale), *numbers_of(box), attention_kind(variant),
        )  # fmt: skip
        return task_of(FLOATS, arguments, units=units)

    return Step(node.name, f"attention_f32_{suffix(box)}/{variant}", operations, tuple(reads), target, join, False)


def integer_attention_step(
    node: Attention, ends: Buffernames, layouts: Layouts, mask: MaskOf, boxes: tuple[Operands, Container | None],
    variant: str, operations: int,
) -> Step:  # fmt: skip
    """Return the step of an attention on codes; `boxes` are the containers of what it reads, and of its result."""
    (sizes, widths), (*reads, target), (given, box) = _sizes(node, ends, layouts), ends, boxes
    units = node.heads * node.windows
    zeros = (int(given.query.zero_point), int(given.value.zero_point))

    def join(buffers: Buffers) -> Task:
        words = np.empty(layouts[ends[0]].images * units * words_of(sizes[1], sizes[3]), np.int32)
        query, key, value = (buffers[name] for name in reads[:3])
        arguments = (
            query, key.view(np.int32), value, *mask.arguments(buffers, tuple(reads[3:])),
            *ends_of(buffers, target, box), (words, words.view(np.uint8), words.view(np.float32)), sizes, widths, zeros,
            given.scales(node.scale), *numbers_of(box), integer_kind(variant),
        )  # fmt: skip
        return task_of(CODES, arguments, units=units)

    return Step(node.name, f"attention_u8_{suffix(box)}/{variant}", operations, tuple(reads), target, join, True)
