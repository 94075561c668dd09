"""A transposed convolution is a convolution to s * s times the channels, whose pixels are then put between each other.

    y[s * q + r] = sum over m of x[q + c - m] * w[s * m + (r + p) mod s],   c = (r + p) div s

for stride s and padding p, in each of both dimensions: every phase r is a convolution of its own, and all of them are
one whose taps are 0 where a phase has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qbench.errors import ModelError
from qbench.graph.nodes import Activation, Conv, DepthToSpace, Floats, Unary
from qbench.graph.onnx.draft import Affine, Draft, Raw, UntypedError, reads, writes
from qbench.graph.onnx.tensor_type import BATCH, FLOAT, TensorType
from qbench.graph.order import in_order
from qbench.graph.patterns.web import Web, operator

Single = Affine | Activation | Unary

SINCE = 11
"""The operator set since which DepthToSpace takes its channels in the order of the phases."""
MOST_ZEROS = 4
"""A convolution may have so many times the taps of the transposed one."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One dimension: stride, what is cut at the beginning, taps of each phase, and the window that holds them all."""

    stride: int
    first: int
    taps: int
    pads: tuple[int, int]
    places: tuple[tuple[tuple[int, int], ...], ...]  # phase -> (tap of the window, tap of the file's kernel)


def split_transposed(web: Web) -> list[Draft]:
    """Return the nodes with a Conv and a DepthToSpace in the place of every ConvTranspose that they can stand for.

    Nodes of single numbers that follow it come before the DepthToSpace, where the Conv can take them in.
    """
    made: list[Draft] = []
    gone: set[int] = set()
    for node in web.nodes:
        conv = _conv(web, node) if isinstance(node, Raw) and operator(node) == "ConvTranspose" else None
        if conv is None or not isinstance(node, Raw):
            made.append(node)
            continue
        stride = web.shape(node.output)[1] // web.types[conv.output].shape[1]
        passed = _passed(web, node)
        gone.update(id(one) for one in passed)
        phased = _on_phases(passed, conv.output, stride**2)
        web.types.update({one.output: web.types[conv.output] for one in phased})
        ends = [conv, *phased][-1].output, [node, *passed][-1].output
        made += [conv, *phased, DepthToSpace(node.name, *ends, stride)]
    return in_order([node for node in made if id(node) not in gone], reads=reads, writes=writes)[0]


def _passed(web: Web, node: Draft) -> list[Single]:
    """Return the nodes of single numbers that follow one after the other, each the only reader of what is before."""
    found: list[Single] = []
    while True:
        after = web.only_reader((found[-1] if found else node).output)
        if not isinstance(after, Single) or (isinstance(after, Affine) and after.axis not in (0, None)):
            return found
        found.append(after)


def _on_phases(nodes: Sequence[Single], source: str, phases: int) -> list[Single]:
    made: list[Single] = []
    for node in nodes:
        moved = replace(node, input=source, output=f"{node.output}:phases")
        if isinstance(moved, Affine) and moved.axis == 0:
            scale, offset = np.repeat(moved.scale, phases), np.repeat(moved.offset, phases)
            moved = replace(moved, scale=scale, offset=offset, raw=None)
        source = moved.output
        made.append(moved)
    return made


def _conv(web: Web, node: Raw) -> Conv | None:
    """Return the convolution that computes all phases, None where there is none."""
    reader = web.reader(node)
    try:
        weight = reader.floats(1, "weight", rank=4)
        channels, *size = reader.image()
        out, height, width = reader.written()
        strides, dilations = reader.pair("strides", (1, 1)), reader.pair("dilations", (1, 1))
        groups = reader.integer("group", 1)
        bias = reader.floats(2, "bias") if reader.has(2) else np.zeros(out, np.float32)
    except (UntypedError, ModelError):
        return None
    pads = reader.several("pads") or (0, 0, 0, 0)
    plain = reader.opset >= SINCE and len(node.reads) == 1 and reader.word("auto_pad", "NOTSET") == "NOTSET"
    fits = len(weight) == channels and weight.shape[1] * groups == out and bias.size == out and groups > 0
    if not plain or not fits or strides[0] != strides[1] or dilations != (1, 1) or len(pads) != 4 or min(pads) < 0:
        return None
    kernel = (weight.shape[2], weight.shape[3])
    lines = [_line(size[axis], (height, width)[axis], kernel[axis], strides[axis], pads[axis]) for axis in (0, 1)]
    rows, columns = lines
    if rows is None or columns is None or rows.taps * columns.taps * strides[0] ** 2 > MOST_ZEROS * math.prod(kernel):
        return None
    wide = f"{node.output}:phases"
    wide, count = f"{node.output}:phases", strides[0] ** 2
    web.types[wide] = TensorType(FLOAT, (BATCH, out * count, height // strides[0], width // strides[0]))
    stacked, biases = _phases(weight, rows, columns, groups), np.repeat(bias.reshape(-1), count)
    around = (rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1])
    return Conv(reader.scope(1), node.reads[0], wide, stacked, biases, pads=around, groups=groups)


def _line(size: int, made: int, kernel: int, stride: int, pad: int) -> _Line | None:
    """Return how one dimension is split, None where its phases do not have one length or begin behind the window."""
    if made % stride or made < 1 or stride < 2:
        return None
    phases = []
    for phase in range(stride):
        ahead, tap = divmod(phase + pad, stride)
        phases.append([(ahead - m, stride * m + tap) for m in range(-(-(kernel - tap) // stride))])
    offsets = [offset for phase in phases for offset, _ in phase]
    first, taps = min(offsets), max(offsets) - min(offsets) + 1
    after = made // stride + taps - 1 - size + first
    if first > 0 or after < 0:
        return None
    places = tuple(tuple((offset - first, tap) for offset, tap in phase) for phase in phases)
    return _Line(stride, first, taps, (-first, after), places)


def _phases(weight: Floats, rows: _Line, columns: _Line, groups: int) -> Floats:
    """Return the weights (out * s * s, in / groups, ...) of all phases, those of one channel beside each other."""
    channels, per_group = weight.shape[:2]
    stride = rows.stride
    made = np.zeros((groups, per_group, stride, stride, channels // groups, rows.taps, columns.taps), np.float32)
    grouped = weight.reshape(groups, channels // groups, per_group, *weight.shape[2:]).transpose(0, 2, 1, 3, 4)
    for y, vertical in enumerate(rows.places):
        for x, horizontal in enumerate(columns.places):
            for to_y, from_y in vertical:
                for to_x, from_x in horizontal:
                    made[:, :, y, x, :, to_y, to_x] = grouped[:, :, :, from_y, from_x]
    return made.reshape(groups * per_group * stride * stride, channels // groups, rows.taps, columns.taps)
