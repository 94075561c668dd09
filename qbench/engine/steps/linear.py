"""Linear layers over rows of tokens as steps: in integers, or in float32 with what is quantized simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from qbench.core.tensor import QParams, QTensor
from qbench.engine.container import Container, container_of, level_thresholds
from qbench.engine.lowering.layers import Lowered, lower
from qbench.engine.lowering.params import Ends
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.floats import layer_step
from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.integer import PACK, pack_kernel
from qbench.graph import Linear
from qbench.kernels.conv.job import Job
from qbench.kernels.conv.operation import bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.reference import Window
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout
from qbench.kernels.product import Product
from qbench.kernels.quantize.levels import level_starts
from qbench.kernels.tasks import Task, task_of

QUANTIZE = "qbench.kernels.quantize.portable"
COPY = "qbench.kernels.elementwise.portable:copy_rows_f32"


def integer_linear_steps(
    node: Linear, weights: QTensor, boxes: tuple[Container, Container | None], ends: tuple[str, str],
    layouts: dict[str, Layout], variant: str, operations: int,
) -> list[Step]:  # fmt: skip
    """Return the steps of an integer layer: its product, behind the packing of its input where bits are packed.

    Args:
        node: the layer.
        weights: its codes.
        boxes: how its input is kept, and its output where that is codes.
        ends: the buffers that it reads and writes.
        layouts: of all buffers; that of packed bits is added.
        variant: kernel variant.
        operations: an image.

    Raises:
        NotIntegerError: it has no integer form.
    """
    lowered = lower(node, weights, Ends(*boxes), counts=counts_bits(variant))
    source, target = ends
    steps: list[Step] = []
    if lowered.product.is_words:
        codes = layouts[source]
        source = f"{node.input}:{lowered.product.lhs}"
        words = replace(codes, words=lowered.product.pixel_words(codes.channels), item_bytes=4)
        if source not in layouts:  # layers that read the same codes share their bits
            steps.append(_pack_step(ends[0], source, codes, words, lowered.product))
        layouts[source] = words
    return [*steps, _product_step(node, lowered, boxes[1], (source, target), layouts, variant, operations)]


def _product_step(
    node: Linear, lowered: Lowered, out: Container | None, ends: tuple[str, str], layouts: Mapping[str, Layout],
    variant: str, operations: int,
) -> Step:  # fmt: skip
    source, target = ends
    epilogue = Epilogue("f32" if out is None else "u8", lowered.words)
    job = Job(lowered.product, epilogue, variant, Window((1, 1)), layouts[source], layouts[target])
    bound = bind(job, pack_weights(lowered.weights, lowered.product, variant), lowered.params)

    def join(buffers: Buffers) -> Task:
        return bound.task(buffers[source], buffers[target])

    return Step(node.name, bound.name, operations, (source,), target, join, True, bound.resident_bytes)


def _pack_step(codes: str, packed: str, a: Layout, words: Layout, product: Product) -> Step:
    kernel, more = pack_kernel(product)

    def join(buffers: Buffers) -> Task:
        rows, bits = buffers[codes].reshape(-1, a.words), buffers[packed].view(np.uint32).reshape(-1, words.words)
        return task_of(f"{PACK}:{kernel}", (rows, bits, a.channels, *more), units=a.height)

    return Step(packed, f"{kernel}/portable", 0, (codes,), packed, join, True)


def fake_name(tensor: str) -> str:
    """Return the name of the buffer that holds what a tensor's codes stand for."""
    return f"{tensor}:reals"


def float_linear_step(
    node: Linear, quantized: QTensor | None, layouts: Mapping[str, Layout], variant: str, operations: int, *,
    fake: bool,
) -> Step:  # fmt: skip
    """Return the step of a layer in float32; `fake` says that it reads what its input's codes stand for."""
    moved = replace(node, input=fake_name(node.input)) if fake else node
    return layer_step(moved, layouts, quantized, variant, operations)


def fake_steps(tensor: str, layouts: dict[str, Layout], params: QParams) -> list[Step]:
    """Return the steps that copy a tensor and replace the copy's numbers by what their codes stand for."""
    layout, copy = layouts[tensor], fake_name(tensor)
    layouts[copy] = layout
    box = container_of(params)
    place = (0, 0, layout.height, 1, layout.channels)
    kind = "fake_quantize_levels_f32" if box is None else "fake_quantize_f32"

    def copied(buffers: Buffers) -> Task:
        rows = [buffers[name].view(np.float32).reshape(-1, layout.words) for name in (tensor, copy)]
        return task_of(COPY, (*rows, layout.words), units=layout.height)

    def rounded(buffers: Buffers) -> Task:
        x = buffers[copy].view(np.float32).reshape(layout.shape)
        if box is None:
            thresholds, reals = level_thresholds(params)
            arguments: tuple[object, ...] = (x, x.view(np.uint32), place, thresholds, reals, level_starts(thresholds))
        else:
            values = (box.inverse_scale, box.round_offset, box.high, box.zero_point, box.scale)
            arguments = (x, place, tuple(np.float32(v) for v in values), box.floor)
        return task_of(f"{QUANTIZE}:{kind}", arguments, units=layout.height)

    return [
        Step(f"{tensor}:copy", "copy_rows_f32/portable", 0, (tensor,), copy, copied, False),
        Step(f"{tensor}:fake", f"{kind}/portable", 0, (copy,), copy, rounded, False),
    ]
