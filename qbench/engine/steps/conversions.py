"""Steps that take a tensor from one form to another, and those that take an input from the caller's array.

What they convert is a buffer's grid; borders stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import Dynamic
from qbench.core.tensor import QParams
from qbench.engine.container import Container, container_of, level_thresholds
from qbench.engine.plans.plan import Bind, Buffers, Step
from qbench.engine.steps import dynamic
from qbench.kernels.layout import Layout
from qbench.kernels.product import Product
from qbench.kernels.quantize.levels import level_starts
from qbench.kernels.tasks import Task, task_of

Layouts = Mapping[str, Layout]
Ends = tuple[str, str]
"""The buffers that a step reads and writes."""
QUANTIZE, PLANES = "qbench.kernels.quantize.portable", "qbench.kernels.quantize.planes"
COPY = "qbench.kernels.elementwise.portable:copy_rows_f32"
PACK = "qbench.kernels.pack.portable"
ROWS = "qbench.kernels.tokens.rows"
_KINDS = {1: np.uint8, 4: np.float32}


def to_codes(tensor: str, ends: Ends, layouts: Layouts, box: Container) -> Step:
    """Return the step that writes the codes of reals."""
    a, out = (layouts[name] for name in ends)
    numbers = _quantizing(box)
    if (a.border, a.width, a.words) == (out.border, 1, out.words) and not any(a.border):
        arguments: tuple[object, ...] = (a.channels, a.words, numbers, box.floor)

        def join_rows(buffers: Buffers) -> Task:
            flat = buffers[ends[0]].view(np.float32), buffers[ends[1]]
            return task_of(f"{ROWS}:quantize_rows_f32_u8", (*flat, *arguments), units=a.height)

        return _step(tensor, "quantize", "quantize_rows_f32_u8", ends, join_rows, integer=True)
    corners = (a.border[:2], out.border[:2])

    def join(buffers: Buffers) -> Task:
        whole = (_whole(buffers, name, layouts) for name in ends)
        arguments = (*whole, _size(a), corners, numbers, box.floor)
        return task_of(f"{PLANES}:quantize_reals_f32_u8", arguments, units=a.height)

    return _step(tensor, "quantize", "quantize_reals_f32_u8", ends, join, integer=True)


def split_step(tensor: str, ends: Ends, layouts: Layouts, box: Container, shift: int) -> Step:
    """Return the step that writes the high (shift 8) or the low bytes (shift 0) of the codes of reals."""
    a, out = (layouts[name] for name in ends)
    corners = (a.border[:2], out.border[:2])

    def join(buffers: Buffers) -> Task:
        whole = (_whole(buffers, name, layouts) for name in ends)
        arguments = (*whole, _size(a), corners, _quantizing(box), shift)
        return task_of("qbench.kernels.quantize.split:split_f32_u8", arguments, units=a.height)

    return _step(tensor, "high" if shift else "low", "split_f32_u8", ends, join, integer=True)


def to_reals(tensor: str, ends: Ends, layouts: Layouts, box: Container) -> Step:
    """Return the step that writes what codes stand for."""
    a, out = (layouts[name] for name in ends)
    corners = (a.border[:2], out.border[:2])

    def join(buffers: Buffers) -> Task:
        whole = (_whole(buffers, name, layouts) for name in ends)
        arguments = (*whole, _size(a), corners, _dequantizing(box))
        return task_of("qbench.kernels.quantize.dequantize:dequantize_u8_f32", arguments, units=a.height)

    return _step(tensor, "dequantize", "dequantize_u8_f32", ends, join, integer=True)


def to_plain(tensor: str, ends: Ends, layouts: Layouts, box: Container | None) -> Step:
    """Return the step that writes codes (of the container `box`) or reals in ONNX's order."""
    a, kernel = layouts[ends[0]], "planes_f32_f32" if box is None else "planes_u8_f32"
    more: tuple[object, ...] = () if box is None else (_dequantizing(box),)

    def join(buffers: Buffers) -> Task:
        planes = buffers[ends[1]].view(np.float32).reshape(a.images, a.channels, a.height, a.width)
        arguments = (_whole(buffers, ends[0], layouts), planes, _size(a), a.border[:2], *more)
        return task_of(f"{PLANES}:{kernel}", arguments, units=a.height)

    return _step(tensor, "planes", kernel, ends, join, integer=box is not None)


def from_plain(tensor: str, ends: Ends, layouts: Layouts, box: Container | None) -> Step:
    """Return the step that writes the codes, or the reals where `box` is None, of images in ONNX's order."""
    return _from_images(tensor, ends, layouts, box, loads=False)


def load_images(tensor: str, target: str, layouts: Layouts, box: Container | None) -> Step:
    """Return the step that takes images (n, c, h, w) from the caller's array, as codes or as reals."""
    return _from_images(tensor, ("", target), layouts, box, loads=True)


def _from_images(tensor: str, ends: Ends, layouts: Layouts, box: Container | None, *, loads: bool) -> Step:
    out = layouts[ends[1]]
    size, shape = (out.channels, out.height, out.width), (out.images, out.channels, out.height, out.width)
    kernel = "copy_f32_f32" if box is None else "quantize_f32_u8"
    more: tuple[object, ...] = () if box is None else (_quantizing(box), box.floor)

    def join(buffers: Buffers) -> Task:
        # its shape is what counts where it loads: every run writes its own address
        x = np.empty(shape, np.float32) if loads else buffers[ends[0]].view(np.float32).reshape(shape)
        arguments = (x, _whole(buffers, ends[1], layouts), size, out.border[:2], *more)
        return task_of(f"{QUANTIZE}:{kernel}", arguments, units=out.height)

    reads = () if loads else ends[:1]
    name = f"{tensor}:{'layout' if box is None else 'quantize'}"
    return Step(name, f"{kernel}/portable", 0, reads, ends[1], join, box is not None)


def load_rows(tensor: str, target: str, layouts: Layouts, kind: str) -> Step:
    """Return the step that copies rows of numbers of a type (ids, arrays as they are) from the caller's array."""
    layout = layouts[target]
    rows, numbers = layout.images * layout.height, np.dtype(kind)

    def join(buffers: Buffers) -> Task:
        x = np.empty((rows, layout.channels), numbers)  # its shape is what counts: every run writes its own address
        out = buffers[target].view(numbers).reshape(rows, -1)
        return task_of(COPY, (x, out, layout.channels), units=layout.height)

    return Step(f"{tensor}:load", "copy_rows/portable", 0, (), target, join, numbers.kind in "iu")


def to_rows(tensor: str, ends: Ends, layouts: Layouts) -> Step:
    """Return the step that writes rows of reals side by side, without what pads their channels."""
    return _copied(tensor, "rows", ends, layouts[ends[0]])


def from_rows(tensor: str, ends: Ends, layouts: Layouts) -> Step:
    """Return the step that writes rows that stand side by side as reals with padded channels."""
    return _copied(tensor, "layout", ends, layouts[ends[1]])


def _copied(tensor: str, what: str, ends: Ends, layout: Layout) -> Step:
    rows = layout.images * layout.height

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[name].view(np.float32).reshape(rows, -1) for name in ends)
        return task_of(COPY, (*arrays, layout.channels), units=layout.height)

    return _step(tensor, what, "copy_rows_f32", ends, join, integer=False)


def copy_step(tensor: str, ends: Ends, layouts: Layouts) -> Step:
    """Return the step that copies reals into a buffer of the same layout."""
    layout = layouts[ends[0]]

    def join(buffers: Buffers) -> Task:
        rows = [buffers[name].view(np.float32).reshape(-1, layout.words) for name in ends]
        pixels = layout.padded_height * layout.padded_width
        return task_of(COPY, (*rows, layout.words), units=pixels)

    return _step(tensor, "copy", "copy_rows_f32", ends, join, integer=False)


def fake_step(tensor: str, name: str, layouts: Layouts, params: QParams) -> Step:
    """Return the step that replaces reals by what their codes stand for, in place."""
    if isinstance(params.spec.granularity, Dynamic):
        return dynamic.fake_step(tensor, name, layouts, params)
    layout = layouts[name]
    place = (layout.border[0], layout.border[1], layout.height, layout.width, layout.channels)
    box = container_of(params)
    kernel = "fake_quantize_levels_f32" if box is None else "fake_quantize_f32"

    def join(buffers: Buffers) -> Task:
        x = buffers[name].view(np.float32).reshape(layout.shape)
        if box is None:
            thresholds, reals = level_thresholds(params)
            arguments: tuple[object, ...] = (x, x.view(np.uint32), place, thresholds, reals, level_starts(thresholds))
        else:
            values = (box.inverse_scale, box.round_offset, box.high, box.zero_point, box.scale)
            arguments = (x, place, tuple(np.float32(v) for v in values), box.floor)
        return task_of(f"{QUANTIZE}:{kernel}", arguments, units=layout.height)

    return _step(tensor, "fake", kernel, (name, name), join, integer=False)


def pack_step(ends: Ends, layouts: Layouts, product: Product) -> Step:
    """Return the step that packs codes to the words that a product of bits reads."""
    a, words = (layouts[name] for name in ends)
    kernel, more = pack_kernel(product)

    def join(buffers: Buffers) -> Task:
        codes = buffers[ends[0]].reshape(-1, a.words)
        bits = buffers[ends[1]].view(np.uint32).reshape(-1, words.words)
        arguments = (codes, bits, a.channels, *more)
        return task_of(f"{PACK}:{kernel}", arguments, units=a.padded_height * a.padded_width)

    return Step(ends[1], f"{kernel}/portable", 0, ends[:1], ends[1], join, True)


def pack_kernel(product: Product) -> tuple[str, tuple[int, ...]]:
    """Return what packs u8 codes to the words that a product of bits reads, and what it takes besides."""
    if product.lhs_planes:
        return "pack_u8_planes", (product.lhs_planes,)
    return f"pack_u8_{product.lhs}", ()


def _step(tensor: str, what: str, kernel: str, ends: Ends, join: Bind, *, integer: bool) -> Step:
    return Step(f"{tensor}:{what}", f"{kernel}/portable", 0, ends[:1], ends[1], join, integer)


def _whole(buffers: Buffers, name: str, layouts: Layouts) -> npt.NDArray[np.generic]:
    layout = layouts[name]
    whole: npt.NDArray[np.generic] = buffers[name].view(_KINDS[layout.item_bytes]).reshape(layout.shape)
    return whole


def _size(layout: Layout) -> tuple[int, int, int]:
    return layout.height, layout.width, layout.channels


def _quantizing(box: Container) -> tuple[np.float32, np.float32, np.float32]:
    return np.float32(box.inverse_scale), np.float32(box.round_offset), np.float32(box.high)


def _dequantizing(box: Container) -> tuple[np.float32, np.float32]:
    return np.float32(box.zero_point), np.float32(box.scale)
