"""Layers with weights as steps, in integers or in float32; the tensors of a layer here are names of buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.core.accumulator import Accumulator
from qbench.core.tensor import QTensor
from qbench.engine.lowering.groups import Part
from qbench.engine.lowering.layers import Lowered
from qbench.engine.plans.plan import SCRATCH, Buffer, Buffers, Step
from qbench.engine.rows_of_taps import GROUP_BYTES, rows_of_taps
from qbench.engine.windows import dense_ohwi, has_own_windows, window_of
from qbench.graph.network import Clamp, Conv, inputs_of
from qbench.graph.weights import depth_weights
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.ways import bind_fastest
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.layout import Layout
from qbench.kernels.product import F32_F32
from qbench.kernels.tasks import Task, task_of
from qbench.kernels.variants import PORTABLE

Layouts = Mapping[str, Layout]
Floats = npt.NDArray[np.float32]
Narrow = tuple[Accumulator, int]
"""Sums of few bits, and the zero point of the codes that they count from."""
UNBOUNDED = Clamp(-np.inf, np.inf)


def integer_layer_step(
    part: Part, lowered: Lowered, layouts: Layouts, variant: str, operations: int, *, zero_padding: bool,
    narrow: Narrow | None = None,
) -> Step:  # fmt: skip
    """Return the step of a layer, or of some groups of one, that reads codes or bits and writes codes or float32.

    Args:
        part: the layer.
        lowered: what kernels are asked for.
        layouts: of all buffers; that of the output says what is written.
        variant: kernel variant.
        operations: per image.
        zero_padding: whether the code of zero is 0.
        narrow: narrower sums to simulate, of what `lower_bytes` makes; None for the 32 bits of the kernels.
    """
    if narrow is not None:
        return _narrow_step(part, lowered, layouts, operations, narrow)
    node, ends = part.layer, _Ends.of(part, layouts)
    epilogue = Epilogue("f32" if ends.out.item_bytes == 4 else "u8", lowered.words)
    window, codes, lhs = window_of(node), lowered.codes, ends.lhs
    if lhs.item_bytes == 1 and lhs.words == lhs.channels < GROUP_BYTES:
        window, codes, lhs = rows_of_taps(window, codes, lhs)
    job = Job(
        lowered.product, epilogue, variant, window, lhs, ends.out, ends.residual, zero_padding=zero_padding,
        groups=lowered.groups,
    )  # fmt: skip
    bound = bind_fastest(
        job, Weights(codes, lowered.params, lowered.values), algorithm="direct" if ends.is_part else "auto"
    )

    def join(buffers: Buffers) -> Task:
        return bound.task(*ends.of_buffers(buffers), scratch=buffers[SCRATCH])

    memory = (bound.resident_bytes, bound.scratch_bytes)
    return Step(node.name, bound.name, operations, inputs_of(node), node.output, join, True, *memory)


def _narrow_step(part: Part, lowered: Lowered, layouts: Layouts, operations: int, narrow: Narrow) -> Step:
    """Return the step of a layer as `lower_bytes` makes it, on plain loops with a narrower accumulator."""
    node, ends, (accumulator, zero) = part.layer, _Ends.of(part, layouts), narrow
    epilogue = Epilogue("f32" if ends.out.item_bytes == 4 else "u8", lowered.words)
    job = Job(lowered.product, epilogue, PORTABLE, window_of(node), ends.lhs, ends.out, ends.residual)
    bound = bind(job, pack_weights(lowered.weights, lowered.product, PORTABLE), lowered.params)

    def join(buffers: Buffers) -> Task:
        return bound.narrow_task(*ends.of_buffers(buffers), accumulator=accumulator, zero=zero)

    kind = f"narrow_{bound.name.removesuffix(PORTABLE)}{accumulator.text}"
    return Step(node.name, kind, operations, inputs_of(node), node.output, join, True, bound.resident_bytes)


def float_layer_step(
    part: Part, quantized: QTensor | None, layouts: Layouts, variant: str, operations: int, *, plain: bool = False
) -> Step:
    """Return the step of a layer, or of some groups of one, in float32; of codes, with what they stand for.

    `plain` leaves residual and activation out (for calibration before the addition).
    """
    node = part.layer
    if isinstance(node, Conv) and has_own_windows(node) and (plain or node.residual is None):
        return _depthwise_step(node, quantized, layouts, operations, plain=plain)
    if isinstance(node, Conv) and plain:
        node = replace(node, residual=None, activation=None)
    ohwi = dense_ohwi(node, None if quantized is None else quantized.dequantize())
    clamp = node.activation or UNBOUNDED
    ends = _Ends.of(replace(part, layer=node), layouts)
    zeros = np.zeros(len(ohwi), np.float32)
    params = ChannelParams(zeros.astype(np.int32), zeros, node.bias.astype(np.float32), low=clamp.low, high=clamp.high)
    epilogue = Epilogue("f32", Words(residual=ends.residual is not None))
    job = Job(F32_F32, epilogue, variant, window_of(node), ends.lhs, ends.out, ends.residual, zero_padding=True)
    packed = pack_weights(Weights(ohwi, params), F32_F32, variant)
    bound = bind(job, packed, params)

    def join(buffers: Buffers) -> Task:
        return bound.task(*ends.of_buffers(buffers))

    return Step(node.name, bound.name, operations, inputs_of(node), node.output, join, False, packed.data.size)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The buffers around a layer as it sees them: those of a part begin at its first channel."""

    part: Part
    lhs: Layout
    out: Layout
    residual: Layout | None

    @classmethod
    def of(cls, part: Part, layouts: Layouts) -> _Ends:
        """Return the ends of a layer whose tensors are names of buffers."""
        node = part.layer
        lhs, out = layouts[node.input], layouts[node.output]
        beside = layouts[node.residual] if isinstance(node, Conv) and node.residual is not None else None
        if len(node.weight) == out.channels:
            return cls(part, lhs, out, beside)
        assert isinstance(node, Conv)
        lhs = replace(lhs, channels=node.weight.shape[1] * node.groups)
        parts = [None if layout is None else replace(layout, channels=len(node.weight)) for layout in (out, beside)]
        return cls(part, lhs, parts[0] or out, parts[1])

    @property
    def is_part(self) -> bool:
        """Whether there are other channels beside."""
        return self.part.is_part

    def of_buffers(self, buffers: Buffers) -> tuple[Buffer, Buffer, Buffer | None]:
        """Return the buffers of input, output and residual, from the first channel on."""
        node, (reads, writes) = self.part.layer, self.part.channels
        residual = node.residual if isinstance(node, Conv) else None
        beside = None
        if residual is not None and self.residual is not None:
            beside = buffers[residual][writes * self.residual.item_bytes :]
        lhs, out = (
            buffers[node.input][reads * self.lhs.item_bytes :],
            buffers[node.output][writes * self.out.item_bytes :],
        )
        return lhs, out, beside


def _depthwise_step(node: Conv, quantized: QTensor | None, layouts: Layouts, operations: int, *, plain: bool) -> Step:
    flat = depth_weights(node) if quantized is None else quantized.dequantize()
    channels, _, kh, kw = node.weight.shape
    rhs = np.ascontiguousarray(flat.reshape(channels, kh, kw).transpose(1, 2, 0), np.float32)
    clamp = UNBOUNDED if node.activation is None or plain else node.activation
    a, b = layouts[node.input], layouts[node.output]
    corners = ((a.border[0] - node.pads[0], a.border[1] - node.pads[1]), b.border[:2])
    size, window = (b.height, b.width, channels), (node.strides, node.dilations)
    limits = (np.float32(clamp.low), np.float32(clamp.high))

    def join(buffers: Buffers) -> Task:
        x, y = (buffers[name].view(np.float32).reshape(layouts[name].shape) for name in (node.input, node.output))
        arguments = (x, rhs, node.bias.astype(np.float32), y, size, corners, window, limits)
        return task_of("qbench.kernels.depthwise.portable:depthwise_f32_f32", arguments, units=b.height)

    kind = "depthwise_f32_f32/portable"
    return Step(node.name, kind, operations, (node.input,), node.output, join, False, rhs.nbytes)
