"""Layers that read 16-bit codes: two products of bytes, of the high and of the low ones, and what adds them up.

    256 s sum((h - zh) w) sw + (s sum((l - zl) w) sw + b),   code = 256 h + l,   zero_point = 256 zh + zl

Each product is exact in whole numbers, rounded to float32 once; so is their sum.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from qbench.core.accumulator import Accumulator
from qbench.engine.container import Container
from qbench.engine.lowering.groups import Part
from qbench.engine.lowering.layers import Lowered
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.plans.kept import Kept
from qbench.engine.steps import conversions, floats
from qbench.graph.network import Add, Conv, Layer
from qbench.kernels.product import U8_S8


class Operand(NamedTuple):
    """What a product reads: a buffer of codes or bits. `word` ends its step's name, `of` so many share the work."""

    buffer: str
    word: str = ""
    of: int = 1


class Lowers(Protocol):
    """What puts products: the arranger."""

    kept: Kept
    accumulator: Accumulator | None

    def lowered(self, node: Layer, ends: Ends) -> list[tuple[Part, Lowered]]:
        """Return the parts of a layer and what kernels are asked for."""
        ...

    def product(
        self, node: Layer, parts: list[tuple[Part, Lowered]], box: Container, target: str, *, operand: Operand
    ) -> None:
        """Put the steps of an integer layer that write `target`."""
        ...


def place_wide(by: Lowers, node: Layer, box: Container) -> None:
    """Put the steps of a layer whose input has 16-bit codes in `box`; raise NotIntegerError where it has no such form.

    What it writes are reals: the sum of both products, of a residual, and the activation.
    """
    if by.accumulator is not None:
        raise NotIntegerError("narrower sums are simulated of activations of at most 8 bits")
    kept, residual = by.kept, node.residual if isinstance(node, Conv) else None
    bare = replace(node, activation=None) if node.activation is not None else node
    bare = replace(bare, residual=None) if isinstance(bare, Conv) else bare
    halves = tuple(zip((replace(bare, bias=np.zeros_like(node.bias)), bare), box.halves, strict=True))
    made = [by.lowered(layer, Ends(half, None)) for layer, half in halves]
    sums = [kept.sum_of(node.output, word) for word in ("high sum", "low sum")]
    for (layer, half), parts, source, target in zip(halves, made, _halves(kept, node.input), sums, strict=True):
        word = ":high" if source.endswith(":high") else ""
        by.product(layer, parts, half, target, operand=Operand(source, word, of=2))
    clamp = node.activation
    target = kept.write(node.output, "reals") if residual is None else kept.sum_of(node.output)
    add_reals(kept, Add(f"{node.name}:halves", (sums[0], sums[1]), target, clamp if residual is None else None))
    if residual is not None:
        beside = kept.need(residual, "reals")
        add_reals(kept, Add(f"{node.name}:add", (target, beside), kept.write(node.output, "reals"), clamp))


def add_reals(kept: Kept, node: Add) -> None:
    """Put the step of a sum of two buffers of reals."""
    kept.add(node.inputs, (node.output,), partial(floats.elementwise_step, node, operations=0))


def _halves(kept: Kept, tensor: str) -> tuple[str, str]:
    """Return the buffers that hold the high and the low bytes of a tensor's 16-bit codes."""
    tensor = kept.owner(tensor)
    names = f"{tensor}:high", f"{tensor}:low"
    if names[0] not in kept.layouts:
        source, box = kept.need(tensor, "reals"), kept.wide[tensor]
        plain = kept.layouts[kept.buffer(tensor, "reals")]
        layout = replace(plain, words=U8_S8.pixel_words(plain.channels), item_bytes=1)
        for name, half, shift in zip(names, box.halves, (8, 0), strict=True):
            kept.layouts[name], kept.fills[name] = layout, float(half.zero_point)
            step = partial(conversions.split_step, tensor, (source, name), box=box, shift=shift)
            kept.add((source,), (name,), step, beside=True)
    return names
