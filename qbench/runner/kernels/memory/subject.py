"""qbench's own side of a memory operation: the kernels that networks run, on buffers without a border.

What is written past the caches is decided here, by one rule: where read and written bytes together are more than the
last cache holds, nothing of what is written would be there when it is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.core.cells.memory import POOL_KERNEL, POOL_PAD, POOL_STRIDE, MemoryCell, MemoryProblem
from qbench.core.cells.result import STREAMS
from qbench.kernels.blocks import BLOCK
from qbench.kernels.layout import aligned, padded_channels
from qbench.kernels.pool.blocks import BLOCK as CHANNELS_A_UNIT
from qbench.kernels.product import U8_S8
from qbench.kernels.quantize.portable import PIXELS
from qbench.kernels.stream import stream_task
from qbench.kernels.tasks import task_of
from qbench.runner.kernels.memory.operands import (
    HIGH,
    INVERSE_SCALE,
    LIMITS,
    OFFSET,
    PACKED_BITS,
    SCALE,
    SCALES,
    ZERO_POINT,
    MemoryOperands,
    mean_numbers,
)  # fmt: skip
from qbench.runner.kernels.subject import Array, Bound, Subject
from qbench.runner.machine.environment import core_caches

ROOM = "qbench.kernels."
CORNER = (0, 0)
SINGLE = np.float32


def prepare_memory(cell: MemoryCell, operands: MemoryOperands) -> Subject:
    """Return a memory operation on these operands."""
    problem = cell.problem
    passes = problem.moved_bytes > core_caches().get("l3", 0) and _whole_lines(problem)
    return Subject(_operation(problem, operands, streaming=passes), threads=cell.threads)


def prepare_stream(cell: MemoryCell, name: str) -> Subject:
    """Return one of the parties of `STREAMS`: as many bytes, read and written, and nothing computed."""
    problem = cell.problem
    task, target = stream_task(problem.read_bytes, problem.written_bytes, streaming=name == STREAMS[1])
    return Subject(Bound("reads and writes", (task,), target, target.shape), threads=cell.threads)


def _whole_lines(problem: MemoryProblem) -> bool:
    """Whether every stretch that is written begins and ends with a cache line."""
    if problem.operation == "quantize" and problem.channels == 3:
        return problem.width % PIXELS == 0
    stretch = problem.channels // 2 if problem.operation == "concat" else problem.channels
    return stretch % BLOCK == 0


def _operation(problem: MemoryProblem, operands: MemoryOperands, *, streaming: bool) -> Bound:
    inputs = tuple(_placed(tensor, stored=_stored(problem, tensor)) for tensor in operands.tensors)
    shape, kind = _output(problem)
    out = aligned(int(np.prod(shape)) * np.dtype(kind).itemsize).view(kind).reshape(shape)
    out.fill(0)
    kernel, arguments, units = _call(problem, inputs, out, operands.tables)
    name = kernel + ("_streaming" if streaming and _streams(kernel) else "")
    task = task_of(f"{ROOM}{name}", arguments, units=units)
    label = f"{kernel.partition(':')[2]}/portable" + (" streaming" if name != kernel else "")
    images = len(inputs[0]) if problem.operation.startswith("unpack") else problem.images
    view = out[..., : problem.channels] if problem.operation in ("quantize", "max-pool") else out
    if problem.operation.startswith("pack"):
        view, images = out.view(np.int32), len(out)
    answer = problem.shape if problem.operation.startswith("unpack") else view.shape
    return Bound(label, (task,), view, answer, images)


def _stored(problem: MemoryProblem, tensor: Array) -> int:
    """Return the numbers from one pixel of an input to the next; windows are read and written by whole sixteens."""
    return padded_channels(problem.channels) if problem.operation == "max-pool" else tensor.shape[-1]


def _placed(tensor: Array, *, stored: int) -> Array:
    """Return a copy that begins with a cache line, its pixels `stored` numbers apart."""
    shape = (*tensor.shape[:-1], stored)
    copy = aligned(int(np.prod(shape)) * tensor.itemsize).view(tensor.dtype).reshape(shape)
    copy[..., : tensor.shape[-1]] = tensor
    return copy


def _streams(kernel: str) -> bool:
    """Whether a kernel has a form that stores past the caches; the mean of images writes too little to need one."""
    return kernel != "pool.portable:global_average_u8_u8"


def _output(problem: MemoryProblem) -> tuple[tuple[int, ...], type[np.generic]]:
    """Return shape and type of the output buffer."""
    images, height, width, channels = problem.shape
    pixels = images * height * width
    if problem.operation.startswith("pack"):
        return (pixels, problem.written_bytes // (4 * pixels)), np.uint32
    if problem.operation.startswith("unpack"):
        return (pixels, channels), np.uint8
    if problem.operation == "max-pool":
        return (images, *problem.pooled, padded_channels(channels)), np.uint8
    if problem.operation == "average-pool":
        return (images, 1, 1, channels), np.uint8
    words = U8_S8.pixel_words(channels) if problem.operation == "quantize" else channels
    return (images, height, width, words), np.float32 if problem.operation == "dequantize" else np.uint8


def _call(
    problem: MemoryProblem, inputs: tuple[Array, ...], out: Array, tables: tuple[Array, ...]
) -> tuple[str, tuple[Any, ...], int]:
    """Return `module:function` below the kernels' room, its arguments, and its units per image (or per pixel)."""
    images, height, width, channels = problem.shape
    size, corners = (height, width, channels), (CORNER, CORNER)
    low, high = SINGLE(LIMITS[0]), SINGLE(LIMITS[1])
    numbers: Callable[..., tuple[np.float32, ...]] = lambda *values: tuple(SINGLE(value) for value in values)  # noqa: E731
    match problem.operation:
        case "quantize":
            given = (inputs[0], out, (channels, height, width), CORNER, numbers(INVERSE_SCALE, OFFSET, HIGH), False)
            return "quantize.portable:quantize_f32_u8", given, height
        case "dequantize":
            reals = (inputs[0], out, size, corners, numbers(ZERO_POINT, SCALE))
            return "quantize.dequantize:dequantize_u8_f32", reals, height
        case "requantize-s32":
            codes = (inputs[0], out, size, corners, tables, (low, high), False)
            return "quantize.requantize:requantize_s32_u8", codes, height
        case "requantize":
            return "elementwise.portable:table_u8_u8", (inputs[0], out, size, corners, tables[0]), height
        case "add":
            sums = (*inputs, out, size, (*corners, CORNER), numbers(*SCALES), (low, high), False)
            return "elementwise.portable:add_u8_u8_u8", sums, height
        case "concat":
            widths = (channels // 2,) * 2
            joined = (inputs, out, (height, width), (*corners, CORNER), widths, tables[0])
            return "elementwise.channels:concat_u8_u8", joined, height
        case "max-pool":
            window = ((POOL_KERNEL,) * 2, (POOL_STRIDE,) * 2, (POOL_PAD,) * 2)
            largest = (inputs[0], out, ((height, width), problem.pooled, channels), corners, window)
            return "pool.portable:max_u8_u8", largest, problem.pooled[0]
        case "average-pool":
            sums_of = np.empty((images, channels), np.int32)
            means = (inputs[0], out, sums_of, size, CORNER, numbers(*mean_numbers(problem), HIGH), False)
            return "pool.portable:global_average_u8_u8", means, -(-channels // CHANNELS_A_UNIT)
        case "pack-p2":
            return "pack.portable:pack_u8_planes", (_pixels(inputs[0]), out, channels, PACKED_BITS), 1
        case "pack-b1" | "pack-t2":
            kind = problem.operation[-2:]
            return f"pack.portable:pack_u8_{kind}", (_pixels(inputs[0]), out, channels), 1
    return f"pack.unpack:unpack_{problem.operation[-2:]}_u8", (inputs[0], out, channels), 1


def _pixels(codes: Array) -> Array:
    return codes.reshape(-1, codes.shape[-1])
