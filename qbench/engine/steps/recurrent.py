"""One direction of an LSTM or GRU as a step: for every token the product with the hidden state, then the gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams
from qbench.engine.container import Container
from qbench.engine.plans.plan import SCRATCH, Buffers, Step
from qbench.engine.steps.conversions import copy_step, fake_step, pack_step
from qbench.engine.steps.tokens import numbers_of
from qbench.graph.network import Recurrent, inputs_of, outputs_of
from qbench.graph.row_nodes import GATES
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.product import Product
from qbench.kernels.tasks import Task, task_of
from qbench.kernels.turns import clock, in_turns

Layouts = Mapping[str, Layout]
KERNELS = "qbench.kernels.tokens.recurrent"
HIDDEN, FAKE, CODES, BITS, PRODUCT = ":hidden", ":fake", ":codes", ":bits", ":product"
"""Buffers of a step's own: the hidden state, what its codes stand for, codes, their bits; what the product gives."""
_NO_FLOATS, _NO_CODES = np.empty(0, np.float32), np.empty(0, np.uint8)


@dataclass(frozen=True, slots=True)
class HiddenProduct:
    """The product with the hidden state.

    Args:
        make: from layouts to its step, which reads `reads` and writes PRODUCT.
        box: how the state is kept as codes; None where the product reads float32.
        packed: the product whose bits the codes are packed to; None for bytes and floats.
        fake: parameters by whose levels a state in float32 is replaced for the product; None where it is not.
    """

    make: Callable[[Layouts], Step]
    box: Container | None = None
    packed: Product | None = None
    fake: QParams | None = None

    @property
    def reads(self) -> str:
        """The buffer that the product reads."""
        if self.box is None:
            return HIDDEN if self.fake is None else FAKE
        return CODES if self.packed is None else BITS


def recurrent_step(node: Recurrent, product: HiddenProduct, layouts: Layouts, operations: int) -> Step:
    """Return the step of a recurrence whose tensors are names of buffers."""
    images, channels = layouts[node.output].images, node.weight.shape[1]
    codes = _row(images, channels, 1)
    words = codes.words if product.packed is None else product.packed.pixel_words(channels)
    own = {
        HIDDEN: _row(images, channels, 4), FAKE: _row(images, channels, 4), CODES: codes,
        BITS: replace(codes, words=words, item_bytes=4), PRODUCT: _row(images, GATES[node.cell] * channels, 4),
    }  # fmt: skip
    made = product.make(own)

    def join(buffers: Buffers) -> Task:
        scratch = {name: aligned(layout.size_bytes) for name, layout in own.items()}
        scratch[SCRATCH] = aligned(made.scratch_bytes)
        return _Turns(node, product, layouts, {**buffers, **scratch}, own).task(made)

    kind = f"{node.cell.lower()}_{made.kind.partition('_')[2]}"
    output, *more = outputs_of(node)
    return Step(
        node.name, kind, operations, inputs_of(node), output, join, made.in_integers, made.resident_bytes,
        more=tuple(more),
    )  # fmt: skip


def _row(images: int, channels: int, item_bytes: int) -> Layout:
    return Layout(images, 1, 1, channels, padded_channels(channels), item_bytes)


@dataclass(frozen=True, slots=True)
class _Turns:
    """The tasks of one recurrence: those of its states before and after, and those of every token."""

    node: Recurrent
    product: HiddenProduct
    layouts: Layouts
    buffers: Buffers
    own: Layouts

    def task(self, made: Step) -> Task:
        """Return the one task that runs them all."""
        ticks, node = clock(), self.node
        states = [self._floats(HIDDEN), *(np.zeros_like(self._floats(HIDDEN)) for _ in node.last[1:])]
        begin = [self._begin(place, state) for place, state in enumerate(states)]
        turn = [*self._before(), made.bind(self.buffers), self._gates(tuple(states), ticks)]
        end = [self._end(state, last) for state, last in zip(states, node.last, strict=True)]
        return in_turns(self.layouts[node.output].height, ticks, (begin, turn, end))

    def _floats(self, name: str) -> npt.NDArray[np.float32]:
        return self.buffers[name].view(np.float32)

    @property
    def _codes(self) -> npt.NDArray[np.uint8]:
        return _NO_CODES if self.product.box is None else self.buffers[CODES]

    def _begin(self, place: int, state: npt.NDArray[np.float32]) -> Task:
        """Return the task that writes a state before the first token; the hidden one, the first, as codes too."""
        first, width = self.node.first[place], self.own[HIDDEN].words
        given = self._floats(first) if first else _NO_FLOATS
        sizes = (self.own[HIDDEN].channels, self.layouts[first].words if first else width, width)
        codes = _NO_CODES if place else self._codes
        arguments = (given, state, codes, sizes, *numbers_of(self.product.box))
        return task_of(f"{KERNELS}:begin_rows", arguments, units=1)

    def _before(self) -> Iterator[Task]:
        """Yield the tasks between a state and the product that reads it."""
        if self.product.packed is not None:
            yield pack_step((CODES, BITS), self.own, self.product.packed).bind(self.buffers)
        if self.product.box is None and self.product.fake is not None:
            yield copy_step(HIDDEN, (HIDDEN, FAKE), self.own).bind(self.buffers)
            yield fake_step(HIDDEN, FAKE, self.own, self.product.fake).bind(self.buffers)

    def _gates(self, states: tuple[npt.NDArray[np.float32], ...], ticks: npt.NDArray[np.int64]) -> Task:
        node, layouts = self.node, self.layouts
        wide, out, own = layouts[node.gates], layouts[node.output], self.own
        sizes = (own[HIDDEN].channels, out.height, wide.words, own[PRODUCT].words, own[HIDDEN].words, out.words)
        reads = (self._floats(node.gates), self._floats(PRODUCT), states, self._codes)
        writes = (self._floats(node.output), self._floats(node.input))
        arguments = (*reads, *writes, ticks, sizes, *numbers_of(self.product.box), node.reverse)
        return task_of(f"{KERNELS}:{node.cell.lower()}_step", arguments, units=1)

    def _end(self, state: npt.NDArray[np.float32], last: str) -> Task:
        sizes = (self.own[HIDDEN].channels, self.own[HIDDEN].words, self.layouts[last].words)
        return task_of(f"{KERNELS}:end_rows", (state, self._floats(last), sizes), units=1)
