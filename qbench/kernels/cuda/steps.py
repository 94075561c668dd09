"""Launches of the kernels between products: from layouts and numbers to arguments."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from qbench.kernels.cuda import layers
from qbench.kernels.cuda.machines.machine import Buffer, Kernel, Launch, Machine
from qbench.kernels.layout import Layout

Corner = tuple[int, int, int, int]


def _launch(machine: Machine, kernel: Kernel, count: int, arguments: tuple[Any, ...]) -> Launch:
    return machine.launch(kernel, ceil(count / layers.THREADS), arguments)


def _frame(layout: Layout) -> tuple[int, int, int, int]:
    """Return elements' pitch in pixels: (row, image), words per pixel, and the first interior pixel."""
    width = layout.padded_width
    return width, width * layout.padded_height, layout.words, layout.border[0] * width + layout.border[1]


def _rows(machine: Machine, layout: Layout) -> Buffer:
    return machine.upload(layout.pixel_offsets().astype(np.int32))


def _pixels(layout: Layout) -> int:
    return layout.images * layout.height * layout.width


def quantize(
    machine: Machine, x: Buffer, out: Buffer, layout: Layout, numbers: tuple[float, float, float], *, floor: bool
) -> Launch:
    """Return the launch from float32 images (n, c, h, w) to codes; `numbers` is (inverse_scale, offset, high)."""
    count = _pixels(layout)
    pitch, plane, words, corner = _frame(layout)
    sizes = (count, layout.channels, layout.height, layout.width, pitch, plane, words, corner)
    return _launch(machine, layers.quantize_kernel(floor=floor), count, (x, out, sizes, numbers))


def pack(machine: Machine, codes: Buffer, out: Buffer, layout: Layout, *, ternary: bool) -> Launch:
    """Return the launch from codes of `layout`, border included, to words of 32 channels."""
    words = ceil(layout.channels / 32)
    count = layout.images * layout.padded_height * layout.padded_width * words
    kernel = layers.pack_kernel(ternary=ternary)
    return _launch(machine, kernel, count, (codes, out, (count, layout.channels, words, layout.words)))


def add(
    machine: Machine,
    buffers: tuple[Buffer, Buffer, Buffer],
    layouts: tuple[Layout, Layout, Layout],
    numbers: tuple[float, ...],
    *,
    floor: bool,
) -> Launch:
    """Return the launch of a rescaled sum; `numbers` is (scale_a, scale_b, offset, low, high)."""
    count = _pixels(layouts[2]) * layouts[2].channels
    tables = tuple(_rows(machine, layout) for layout in layouts)
    sizes = (count, layouts[2].channels)
    return _launch(machine, layers.add_kernel(floor=floor), count, (*buffers, tables, sizes, numbers))


def table(
    machine: Machine, buffers: tuple[Buffer, Buffer], layouts: tuple[Layout, Layout], codes: np.ndarray
) -> Launch:
    """Return the launch of out = codes[a], 256 codes."""
    count = _pixels(layouts[1]) * layouts[1].channels
    tables = tuple(_rows(machine, layout) for layout in layouts)
    arguments = (*buffers, machine.upload(codes), tables, (count, layouts[1].channels))
    return _launch(machine, layers.table_kernel(), count, arguments)


def global_average(
    machine: Machine,
    buffers: tuple[Buffer, Buffer],
    layouts: tuple[Layout, Layout],
    numbers: tuple[float, float, float],
    *,
    floor: bool,
) -> Launch:
    """Return the launch of an image's mean; `numbers` is (multiplier, offset, high); the output has no border."""
    a, out = layouts
    count = a.images * a.channels
    pitch, plane, words, corner = _frame(a)
    sizes = (a.images, a.channels, a.height, a.width, pitch, plane, words, corner, out.words)
    return _launch(machine, layers.average_kernel(floor=floor), count, (*buffers, sizes, numbers))


def max_pool(
    machine: Machine,
    buffers: tuple[Buffer, Buffer],
    layouts: tuple[Layout, Layout],
    window: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
    numbers: tuple[float, float, float, float],
    *,
    floor: bool,
) -> Launch:
    """Return the launch of windows' maxima; `window` is (kernel, strides, (top, left) padding).

    `numbers` is (multiplier, offset, low, high).
    """
    a, out = layouts
    count = _pixels(out) * out.channels
    sizes = (count, out.channels, a.height, a.width, out.height, out.width, *_frame(a))
    flat = tuple(number for pair in window for number in pair)
    arguments = (*buffers, _rows(machine, out), sizes, flat, numbers)
    return _launch(machine, layers.max_pool_kernel(floor=floor), count, arguments)
