"""A network in integers: u8 codes between layers, 32-bit sums, requantized in registers; float32 logits at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from qbench.core.tensor import QParams, QTensor
from qbench.engine.container import Container, container_of
from qbench.engine.lowering.layers import Lowered, lower, lower_depthwise
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.plan import SCRATCH, Buffers, Plan, Step, borders, flat_aliases, load_step, spatial
from qbench.engine.plans.stages import images_of_nodes
from qbench.engine.rows_of_taps import GROUP_BYTES, rows_of_taps, takes_rows
from qbench.engine.steps.integer import PACK, add_step, clamp_step, flatten_step, pack_kernel, pool_step
from qbench.engine.steps.other import integer_step
from qbench.engine.windows import window_of
from qbench.graph.network import (
    Activation,
    Add,
    ChannelAffine,
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
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.ways import bind_fastest
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.product import U8_S8, Product
from qbench.kernels.tasks import Task, task_of


def containers(network: Network, activations: Mapping[str, QParams]) -> dict[str, Container]:
    """Return the container of every tensor but the output; flattening keeps its input's.

    Raises:
        NotIntegerError: a tensor has no parameters, or levels that are not uniform.
    """
    found: dict[str, Container] = {}
    flat = {node.output: node.input for node in network.nodes if isinstance(node, Flatten)}
    for tensor in network.shapes:
        if tensor == network.output:
            continue
        params = activations.get(flat.get(tensor, tensor))
        container = None if params is None else container_of(params)
        if container is None:
            why = "stays in float32" if params is None else f"has {type(params.spec.format).__name__} levels"
            raise NotIntegerError(f"activation '{tensor}' {why}")
        found[tensor] = container
    return found


def integer_plan(quantized: QuantizedNetwork, *, variant: str) -> Plan:
    """Return the plan; raise NotIntegerError with the reason when a layer or a tensor has no integer form."""
    network, weights, activations = quantized.network, quantized.weights, quantized.activations
    boxes = containers(network, activations)
    layouts, fills = integer_layouts(network, boxes, 1)
    sizes = images_of_nodes(network, layouts)
    for node in network.nodes:  # a tensor holds the images that its readers take at a time
        layouts.update({t: replace(layouts[t], images=sizes[node.name]) for t in inputs_of(node)})
    layouts[network.output] = replace(layouts[network.output], images=max(sizes.values()))
    if takes_rows(network, weights, boxes[network.input]):
        layouts[network.input] = replace(layouts[network.input], words=layouts[network.input].channels)
    aliases = flat_aliases(network)
    steps: list[Step] = []
    taken: list[int] = []
    for node in network.nodes:
        seen = {**layouts, node.output: replace(layouts[node.output], images=sizes[node.name])}
        if isinstance(node, Conv | Linear):
            if node.name not in weights:
                raise NotIntegerError(f"layer '{node.name}' keeps float32 weights")
            steps += _layer_steps(network, node, weights[node.name], boxes, seen, variant)
        elif not (isinstance(node, Flatten) and node.output in aliases):
            steps.append(_other_step(network, node, boxes, seen))
        taken += [sizes[node.name]] * (len(steps) - len(taken))
        layouts = {**seen, **layouts}
    box = boxes[network.input]
    numbers = tuple(np.float32(v) for v in (box.inverse_scale, box.round_offset, box.high))
    load = load_step(
        "qbench.kernels.quantize.portable:quantize_f32_u8", f"{network.input}:quantize", network.input,
        layouts[network.input], (numbers, box.floor), kind=np.uint8,
    )  # fmt: skip
    return Plan(max(taken), tuple(taken), layouts, fills, aliases, load, tuple(steps), network.output, network.input)


def integer_layouts(
    network: Network, boxes: Mapping[str, Container], images: int
) -> tuple[dict[str, Layout], dict[str, float]]:
    """Return every tensor's layout (u8 codes, float32 logits) and what its border holds: the code of zero."""
    border = borders(network)
    layouts, fills = {}, {}
    for tensor, shape in network.shapes.items():
        channels, height, width = spatial(shape)
        item = 4 if tensor == network.output else 1
        words = U8_S8.pixel_words(channels) if tensor == network.input else padded_channels(channels)
        layouts[tensor] = Layout(images, height, width, channels, words, item, border.get(tensor, (0, 0, 0, 0)))
        fills[tensor] = 0.0 if item == 4 else float(boxes[tensor].pad_code)
    return layouts, fills


def _other_step(network: Network, node: Node, boxes: Mapping[str, Container], layouts: Mapping[str, Layout]) -> Step:
    if node.output == network.output and not isinstance(node, Flatten):
        raise NotIntegerError(f"the output comes from '{node.name}', not from a layer with weights")
    operations = network.operations(node.name)
    match node:
        case Add():
            return add_step(node, boxes, layouts, operations)
        case Activation():
            return clamp_step(node, boxes, layouts, operations)
        case Pool():
            return pool_step(node, boxes, layouts, operations)
        case Flatten():
            return flatten_step(node, layouts)
        case Mul() | Concat() | Select() | ChannelAffine() | Unary() | Resize():
            return integer_step(node, boxes, layouts, operations)
    raise NotIntegerError(f"node '{node.name}' ({type(node).__name__}) has no integer step")


def _layer_steps(
    network: Network,
    node: Layer,
    weights: QTensor,
    boxes: Mapping[str, Container],
    layouts: dict[str, Layout],
    variant: str,
) -> list[Step]:
    residual = node.residual if isinstance(node, Conv) else None
    ends = Ends(boxes[node.input], boxes.get(node.output), boxes[residual] if residual else None)
    alone = lower_depthwise(node, weights, ends)
    if alone is not None:
        return [_conv_step(network, node, alone, node.input, layouts, variant)]
    lowered = lower(node, weights, ends, counts=counts_bits(variant))
    if not lowered.product.is_words:
        zero = ends.lhs.zero_point == 0
        return [_conv_step(network, node, lowered, node.input, layouts, variant, zero_padding=zero)]
    packed = f"{node.input}:{lowered.product.lhs}"
    a = layouts[node.input]
    words = replace(a, words=lowered.product.pixel_words(a.channels), item_bytes=4)
    layouts[packed] = words
    return [
        _pack_step(node.input, packed, a, words, lowered.product),
        _conv_step(network, node, lowered, packed, layouts, variant),
    ]


def _conv_step(
    network: Network, node: Layer, lowered: Lowered, source: str, layouts: Mapping[str, Layout], variant: str, *,
    zero_padding: bool = False,
) -> Step:  # fmt: skip
    """Return the step of a layer that reads `source`: its input, or the bits of that."""
    lhs, residual = layouts[source], node.residual if isinstance(node, Conv) else None
    epilogue = Epilogue("f32" if node.output == network.output else "u8", lowered.words)
    window, codes = window_of(node), lowered.codes
    if lhs.item_bytes == 1 and lhs.words == lhs.channels < GROUP_BYTES:
        window, codes, lhs = rows_of_taps(window, codes, lhs)
    job = Job(
        lowered.product, epilogue, variant, window, lhs, layouts[node.output],
        layouts[residual] if residual else None, zero_padding=zero_padding, groups=lowered.groups,
    )  # fmt: skip
    bound = bind_fastest(job, Weights(codes, lowered.params, lowered.values))

    def join(buffers: Buffers) -> Task:
        extra = buffers[residual] if residual else None
        return bound.task(buffers[source], buffers[node.output], extra, scratch=buffers[SCRATCH])

    reads = (source, *inputs_of(node)[1:])
    operations = network.operations(node.name)
    memory = (bound.resident_bytes, bound.scratch_bytes)
    return Step(node.name, bound.name, operations, reads, node.output, join, True, *memory)


def _pack_step(source: str, packed: str, a: Layout, words: Layout, product: Product) -> Step:
    kernel, more = pack_kernel(product)
    pixels = a.padded_height * a.padded_width

    def join(buffers: Buffers) -> Task:
        codes = buffers[source].reshape(-1, a.words)
        bits = buffers[packed].view(np.uint32).reshape(-1, words.words)
        return task_of(f"{PACK}:{kernel}", (codes, bits, a.channels, *more), units=pixels)

    return Step(packed, f"{kernel}/portable", 0, (source,), packed, join, True)
