"""What a memory operation is fed, and what it must answer by the readable references. Drawn from its label alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.memory import POOL_KERNEL, POOL_PAD, POOL_STRIDE, MemoryCell, MemoryProblem
from qbench.kernels.elementwise import reference as elementwise
from qbench.kernels.pack import reference as packing
from qbench.kernels.pool import reference as pooling
from qbench.kernels.quantize import reference as quantizing

Array = npt.NDArray[np.generic]
INVERSE_SCALE, OFFSET, HIGH = 25.0, 100.0, 255
"""Of `quantize`."""
ZERO_POINT, SCALE = 100.0, 0.04
"""Of `dequantize`."""
SCALES = (0.55, 0.4, 3.25)
"""Of `add`: of both sides, and the offset."""
LIMITS = (0.0, 255.0)
PACKED_BITS = 2
"""Planes of `pack-p2`."""


@dataclass(frozen=True, slots=True, eq=False)
class MemoryOperands:
    """The tensors, NHWC (`quantize` reads NCHW, packed words are (pixels, words)), and tables or channels' numbers."""

    tensors: tuple[Array, ...]
    tables: tuple[npt.NDArray[Any], ...] = ()


def draw_memory(cell: MemoryCell) -> MemoryOperands:
    """Return tensors whose codes fill their range, the same in every process."""
    problem = cell.problem
    digest = hashlib.sha256(problem.label.encode()).digest()[:8]
    generator = np.random.default_rng(int.from_bytes(digest))
    images, height, width, channels = problem.shape
    codes = {"pack-b1": 2, "unpack-b1": 2, "pack-t2": 3, "unpack-t2": 3, "pack-p2": 1 << PACKED_BITS}
    high = codes.get(problem.operation, 256)
    if problem.operation == "quantize":
        return MemoryOperands((generator.standard_normal((images, channels, height, width), dtype=np.float32) * 3,))
    if problem.operation == "requantize-s32":
        sums = generator.integers(-30_000, 30_000, problem.shape, dtype=np.int32)
        correction = generator.integers(-500, 500, channels, dtype=np.int32)
        scale = generator.uniform(0.001, 0.005, channels).astype(np.float32)
        return MemoryOperands((sums,), (correction, scale, np.full(channels, 128, np.float32)))
    shapes = {"add": (problem.shape,) * 2, "concat": ((images, height, width, channels // 2),) * 2}
    tensors = tuple(
        generator.integers(0, high, shape, dtype=np.uint8) for shape in shapes.get(problem.operation, (problem.shape,))
    )
    table = generator.permutation(256).astype(np.uint8)
    if problem.operation == "concat":  # codes of one part stay as they are, those of the other are requantized
        return MemoryOperands(tensors, (np.stack([np.arange(256, dtype=np.uint8), table]),))
    if problem.operation.startswith("unpack"):
        pack = packing.pack_u8_b1 if problem.operation == "unpack-b1" else packing.pack_u8_t2
        return MemoryOperands((_by_image(tensors, lambda a: pack(a.reshape(-1, channels))),))
    return MemoryOperands(tensors, (table,) if problem.operation == "requantize" else ())


def expected_memory(cell: MemoryCell, operands: MemoryOperands) -> Array:
    """Return the references' answer, image by image: NHWC, or (pixels, words) of packed words as int32."""
    law, problem = _law(cell.problem, operands), cell.problem
    if problem.operation.startswith("unpack"):
        return law(operands.tensors[0]).reshape(problem.shape)
    found = _by_image(operands.tensors, law)
    return found.view(np.int32) if problem.operation.startswith("pack") else found


def _by_image(tensors: tuple[Array, ...], law: Callable[..., Array]) -> Array:
    """Return what `law` makes of a few images at a time: references make wide copies."""
    step = max(1, (4 << 20) // max(1, tensors[0][0].size))
    parts = [law(*(t[i : i + step] for t in tensors)) for i in range(0, len(tensors[0]), step)]
    return np.concatenate(parts)


def _law(problem: MemoryProblem, operands: MemoryOperands) -> Callable[..., Array]:
    """Return the reference of an operation, of its tensors alone."""
    tables, mean = operands.tables, mean_numbers(problem)
    laws: dict[str, Callable[..., Array]] = {
        "quantize": lambda x: quantizing.quantize_f32_u8(x, INVERSE_SCALE, OFFSET, HIGH, floor=False),
        "dequantize": lambda a: quantizing.dequantize_u8_f32(a, ZERO_POINT, SCALE),
        "requantize": lambda a: elementwise.table_u8_u8(a, tables[0]),
        "requantize-s32": lambda acc: quantizing.requantize_s32_u8(acc, (*tables,), *LIMITS, floor=False),  # type: ignore[arg-type]
        "add": lambda a, b: elementwise.add_u8_u8_u8(a, b, *SCALES, *LIMITS, floor=False),
        "concat": lambda a, b: elementwise.concat_u8_u8([a, b], tables[0]),
        "max-pool": lambda a: pooling.max_u8_u8(a, POOL_KERNEL, POOL_STRIDE, POOL_PAD),
        "average-pool": lambda a: pooling.global_average_u8_u8(a, *mean, HIGH, floor=False),
        "pack-b1": lambda a: packing.pack_u8_b1(a.reshape(-1, problem.channels)),
        "pack-t2": lambda a: packing.pack_u8_t2(a.reshape(-1, problem.channels)),
        "pack-p2": lambda a: packing.pack_u8_planes(a.reshape(-1, problem.channels), PACKED_BITS),
        "unpack-b1": lambda bits: packing.unpack_b1_u8(bits, problem.channels),
        "unpack-t2": lambda bits: packing.unpack_t2_u8(bits, problem.channels),
    }
    return laws[problem.operation]


def mean_numbers(problem: MemoryProblem) -> tuple[float, float]:
    """Return multiplier and offset of `average-pool`."""
    return 1.5 / (problem.height * problem.width), -64.0
