"""Nodes without weights as numbers: what a CPU's steps and a device's launches both compute with.

All are of real = scale * (code - zero_point): sums and means are rescaled to the output's codes in one rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.graph.nodes import Activation, Add, Clamp, Pool

Boxes = Mapping[str, Container]


def code_limits(clamp: Clamp | None, out: Container) -> tuple[float, float]:
    """Return the lowest and highest code that a clamp leaves in a container."""
    low, high = (clamp.low, clamp.high) if clamp else (-np.inf, np.inf)
    codes = (np.float32(out.zero_point) + np.float32(v) * np.float32(out.inverse_scale) for v in (low, high))
    first, last = (float(np.clip(np.rint(v), 0, out.high)) for v in codes)
    return first, last


@dataclass(frozen=True, slots=True)
class LoweredAdd:
    """out = round(scale_a * a + scale_b * b + offset), clamped to low..high; `floor` says how to round."""

    scales: tuple[float, float]
    offset: float
    low: float
    high: float
    floor: bool


def lower_add(node: Add, boxes: Boxes) -> LoweredAdd:
    """Return the numbers of a sum."""
    out, (left, right) = boxes[node.output], node.inputs
    scales = boxes[left].scale / out.scale, boxes[right].scale / out.scale
    zeros = sum(scale * boxes[tensor].zero_point for scale, tensor in zip(scales, node.inputs, strict=True))
    return LoweredAdd(scales, out.round_offset - zeros, *code_limits(node.activation, out), out.floor)


def lower_clamp(node: Activation, boxes: Boxes) -> npt.NDArray[np.uint8]:
    """Return the clamp and rescale as a table of 256 codes."""
    source, out = boxes[node.input], boxes[node.output]
    reals = (np.arange(256) - source.zero_point) * source.scale
    t = np.clip(reals, node.clamp.low, node.clamp.high) / out.scale + out.round_offset
    return np.asarray(np.clip(np.floor(t) if out.floor else np.rint(t), 0, out.high), np.uint8)


@dataclass(frozen=True, slots=True)
class LoweredPool:
    """out = round(ratio * x + offset), clamped to 0..high, x the largest code of a window or the mean of its codes.

    `keeps_codes` says that codes mean the same before and after: the largest of them needs no rescaling.
    """

    ratio: float
    offset: float
    high: float
    floor: bool
    keeps_codes: bool

    def mean_of(self, pixels: int) -> float:
        """Return what a sum of the codes of so many pixels is multiplied by."""
        return self.ratio / pixels


def lower_pool(node: Pool, boxes: Boxes) -> LoweredPool:
    """Return the numbers of a pooling node."""
    source, out = boxes[node.input], boxes[node.output]
    ratio = source.scale / out.scale
    offset = float(np.float32(out.round_offset - source.zero_point * ratio))
    same = (source.scale, source.zero_point) == (out.scale, out.zero_point) and source.high <= out.high
    return LoweredPool(ratio, offset, float(out.high), out.floor, same)
