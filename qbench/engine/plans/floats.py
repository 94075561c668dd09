"""A network in float32, with any tensor's numbers replaced by what their codes stand for (fake quantization)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams, QTensor
from qbench.engine.container import container_of, level_thresholds
from qbench.engine.plans.covered import check_covered
from qbench.engine.plans.plan import Buffers, Plan, Step, borders, flat_aliases, load_step, spatial
from qbench.engine.steps.integer import flatten_step
from qbench.engine.steps.other import float_step
from qbench.engine.windows import dense_ohwi, has_own_windows, window_of
from qbench.graph.network import (
    Activation,
    Add,
    ChannelAffine,
    Clamp,
    Concat,
    Conv,
    Flatten,
    Layer,
    Linear,
    Mul,
    Network,
    Node,
    Pool,
    Resize,
    Select,
    Unary,
    inputs_of,
)
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.weights import depth_weights
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.product import F32_F32
from qbench.kernels.quantize.levels import level_starts
from qbench.kernels.tasks import Task, task_of

Floats = npt.NDArray[np.float32]
UNBOUNDED = Clamp(-np.inf, np.inf)


def float_layouts(network: Network, images: int) -> dict[str, Layout]:
    """Return the float32 layout of every tensor; raise ModelError for a network that has no plan."""
    check_covered(network)
    border = borders(network)
    found = {}
    for tensor, shape in network.shapes.items():
        channels, height, width = spatial(shape)
        found[tensor] = Layout(
            images, height, width, channels, padded_channels(channels), 4, border.get(tensor, (0, 0, 0, 0))
        )
    return found


def float_plan(quantized: QuantizedNetwork, *, images: int, variant: str) -> Plan:
    """Return the plan; what is quantized is simulated, layers without codes keep their float32 weights."""
    network, activations = quantized.network, quantized.activations
    layouts = float_layouts(network, images)
    aliases = flat_aliases(network)
    steps: list[Step] = []
    first = _fake_quantize(network.input, layouts[network.input], activations.get(network.input))
    steps += [first] if first else []
    for node in network.nodes:
        if isinstance(node, Flatten) and node.output in aliases:
            continue
        steps.append(_step(network, node, layouts, quantized.weights, variant))
        fake = _fake_quantize(node.output, layouts[node.output], activations.get(node.output))
        steps += [fake] if fake and node.output != network.output and not isinstance(node, Flatten) else []

    load = load_step(
        "qbench.kernels.quantize.portable:copy_f32_f32", f"{network.input}:layout", network.input,
        layouts[network.input], (), kind=np.float32,
    )  # fmt: skip
    sizes = (images,) * len(steps)
    return Plan(images, sizes, layouts, {}, aliases, load, tuple(steps), network.output, network.input)


def _step(
    network: Network, node: Node, layouts: Mapping[str, Layout], weights: Mapping[str, QTensor], variant: str
) -> Step:
    operations = network.operations(node.name)
    match node:
        case Conv() | Linear():
            return layer_step(node, layouts, weights.get(node.name), variant, operations)
        case Add() | Activation():
            return _elementwise_step(node, layouts, operations)
        case Pool():
            return _pool_step(node, layouts, operations)
        case Flatten():
            return flatten_step(node, layouts)
        case Mul() | Concat() | Select() | ChannelAffine() | Unary() | Resize():
            return float_step(node, layouts, operations)
        case _:
            raise AssertionError(node)  # `check_covered` has refused it


def layer_step(
    node: Layer,
    layouts: Mapping[str, Layout],
    quantized: QTensor | None,
    variant: str,
    operations: int,
    *,
    plain: bool = False,
) -> Step:
    """Return a layer's step; `plain` leaves residual and activation out (for calibration before the addition)."""
    if isinstance(node, Conv) and has_own_windows(node) and (plain or node.residual is None):
        return _depthwise_step(node, layouts, quantized, operations, plain=plain)
    ohwi = dense_ohwi(node, None if quantized is None else quantized.dequantize())
    clamp = UNBOUNDED if node.activation is None or plain else node.activation
    residual = node.residual if isinstance(node, Conv) and not plain else None
    zeros = np.zeros(len(ohwi), np.float32)
    params = ChannelParams(zeros.astype(np.int32), zeros, node.bias.astype(np.float32), low=clamp.low, high=clamp.high)
    epilogue, beside = Epilogue("f32", Words(residual=residual is not None)), layouts[residual] if residual else None
    ends = layouts[node.input], layouts[node.output]
    job = Job(F32_F32, epilogue, variant, window_of(node), *ends, beside, zero_padding=True)
    packed = pack_weights(Weights(ohwi, params), F32_F32, variant)
    bound = bind(job, packed, params)

    def join(buffers: Buffers) -> Task:
        return bound.task(buffers[node.input], buffers[node.output], buffers[residual] if residual else None)

    return Step(node.name, bound.name, operations, inputs_of(node), node.output, join, False, packed.data.size)


def _depthwise_step(
    node: Conv, layouts: Mapping[str, Layout], quantized: QTensor | None, operations: int, *, plain: bool
) -> Step:
    flat = depth_weights(node) if quantized is None else quantized.dequantize()
    channels, _, kh, kw = node.weight.shape
    rhs = np.ascontiguousarray(flat.reshape(channels, kh, kw).transpose(1, 2, 0), np.float32)
    clamp = UNBOUNDED if node.activation is None or plain else node.activation
    a, b = layouts[node.input], layouts[node.output]
    corners = ((a.border[0] - node.pads[0], a.border[1] - node.pads[1]), b.border[:2])
    size, window = (b.height, b.width, channels), (node.strides, node.dilations)
    limits = (np.float32(clamp.low), np.float32(clamp.high))

    def join(buffers: Buffers) -> Task:
        x, y = _whole(buffers, node.input, layouts), _whole(buffers, node.output, layouts)
        arguments = (x, rhs, node.bias.astype(np.float32), y, size, corners, window, limits)
        return task_of("qbench.kernels.depthwise.portable:depthwise_f32_f32", arguments, units=b.height)

    kind = "depthwise_f32_f32/portable"
    return Step(node.name, kind, operations, (node.input,), node.output, join, False, rhs.nbytes)


def _whole(buffers: Buffers, tensor: str, layouts: Mapping[str, Layout]) -> Floats:
    return buffers[tensor].view(np.float32).reshape(layouts[tensor].shape)


def _elementwise_step(node: Add | Activation, layouts: Mapping[str, Layout], operations: int) -> Step:
    clamp = (node.activation or UNBOUNDED) if isinstance(node, Add) else node.clamp
    limits = (np.float32(clamp.low), np.float32(clamp.high))
    out = layouts[node.output]
    size = (out.height, out.width, out.channels)
    tensors = (*inputs_of(node), node.output)
    corners = tuple(layouts[tensor].border[:2] for tensor in tensors)
    kernel = "add_f32_f32_f32" if isinstance(node, Add) else "clamp_f32_f32"

    def join(buffers: Buffers) -> Task:
        arrays = (_whole(buffers, tensor, layouts) for tensor in tensors)
        return task_of(
            f"qbench.kernels.elementwise.portable:{kernel}", (*arrays, size, corners, limits), units=out.height
        )

    return Step(node.name, f"{kernel}/portable", operations, inputs_of(node), node.output, join, False)


def _pool_step(node: Pool, layouts: Mapping[str, Layout], operations: int) -> Step:
    a, out = layouts[node.input], layouts[node.output]
    kernel = (a.height, a.width) if node.kind == "global_average" else node.kernel
    window = (kernel, node.strides, node.pads[:2])
    sizes = ((a.height, a.width), (out.height, out.width), a.channels)
    corners = (a.border[:2], out.border[:2])
    is_max, include = node.kind == "max", node.count_include_pad

    def join(buffers: Buffers) -> Task:
        x, y = _whole(buffers, node.input, layouts), _whole(buffers, node.output, layouts)
        arguments = (x, y, sizes, corners, window, is_max, include)
        return task_of("qbench.kernels.pool.portable:pool_f32_f32", arguments, units=out.height)

    return Step(node.name, "pool_f32_f32/portable", operations, (node.input,), node.output, join, False)


def _fake_quantize(tensor: str, layout: Layout, params: QParams | None) -> Step | None:
    """Return the step that replaces a tensor by its quantized reals, in place."""
    if params is None:
        return None
    place = (layout.border[0], layout.border[1], layout.height, layout.width, layout.channels)
    box = container_of(params)

    kind = "fake_quantize_levels_f32" if box is None else "fake_quantize_f32"

    def join(buffers: Buffers) -> Task:
        x = buffers[tensor].view(np.float32).reshape(layout.shape)
        if box is None:
            thresholds, reals = level_thresholds(params)
            arguments: tuple[object, ...] = (x, x.view(np.uint32), place, thresholds, reals, level_starts(thresholds))
        else:
            values = (box.inverse_scale, box.round_offset, box.high, box.zero_point, box.scale)
            arguments = (x, place, tuple(np.float32(v) for v in values), box.floor)
        return task_of(f"qbench.kernels.quantize.portable:{kind}", arguments, units=layout.height)

    return Step(f"{tensor}:quantize", f"{kind}/portable", 0, (tensor,), tensor, join, False)
