"""What a kernel cell is fed, and what it must answer. Drawn only from the cell's key: every process draws the same.

Scales are dyadic with at most three significant bits, so that acc * scale is exact in float32 in whatever order a
library multiplies; libraries can differ at exact halves only, where they may round to even or away from zero.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands, Problem
from qbench.core.formats import Binary, Float32, NumberFormat, Ternary, Uniform
from qbench.errors import QBenchError

Doubles = npt.NDArray[np.float64]

_STEPS = np.array([1.0, 1.25, 1.5, 1.75])
_LHS_SCALE = 2.0**-7
_DEVIATIONS = 3.5
"""Standard deviations of weights that a format's range takes in: what a thousand normal numbers span."""
_ROWS_AT_ONCE = 4096


def out_channels(problem: Problem) -> int:
    """Return the columns of a product, or the output channels of a convolution."""
    return problem.out_channels if isinstance(problem, ConvProblem) else problem.n


def draw_operands(cell: KernelCell) -> KernelOperands:
    """Return codes, and scales that spread the output over 0..255.

    Weights are bell-shaped as trained ones are: without VNNI our speed hangs on them (`qbench.kernels.tiles.pairs`).
    Activations are drawn evenly from the whole range of their format. Those of convolutions stand after a ReLU (zero
    point 0), those of products are centred (zero point 128), as they are in ResNets and in transformers.
    """
    problem, spec = cell.problem, cell.layer_spec
    seed = hashlib.sha256(f"{problem.label}/{cell.spec}/{cell.out}".encode()).digest()[:8]
    generator = np.random.default_rng(int.from_bytes(seed))
    is_conv = isinstance(problem, ConvProblem)
    lhs = _draw(spec.activations.format, _lhs_shape(problem), generator)
    if isinstance(problem, GemmProblem) and isinstance(spec.activations.format, Uniform):
        lhs[:, :2] = (
            spec.activations.format.qmin,
            spec.activations.format.qmax,
        )  # libraries that quantize rows find our codes
    rhs = _draw_weights(spec.weights.format, _rhs_shape(problem), generator).astype(np.int8)
    channels = out_channels(problem)
    groups = () if not cell.group_size else (problem.depth // cell.group_size,)
    if cell.group_size and problem.depth % cell.group_size:
        raise QBenchError(f"{cell.key}: depth {problem.depth} is no multiple of the group of {cell.group_size}")
    rhs_scale = generator.choice(_STEPS, size=(channels, *groups)) * 2.0**-9
    spread = math.sqrt(problem.depth) * float(lhs.std()) * float(rhs.std())
    codes = isinstance(spec.activations.format, Uniform)
    centre = 1 << (spec.activations.format.bits - 1)
    return KernelOperands(
        lhs=lhs,
        rhs=rhs,
        lhs_scale=_LHS_SCALE,
        lhs_zero_point=centre if codes and not is_conv else 0,
        rhs_scale=rhs_scale.astype(np.float32),
        bias=np.rint(generator.normal(0.0, spread, channels)).astype(np.int32),
        out_scale=2.0 ** math.ceil(math.log2(6.0 * spread * 1.5 * 2.0**-9 * _LHS_SCALE / 256.0)),
        out_zero_point=0 if is_conv else 128,
    )


def expected_output(cell: KernelCell, operands: KernelOperands) -> npt.NDArray[np.generic]:
    """Return the law's answer (`qbench.core.cells.product`), (m, n) or NHWC.

    Whole numbers below 2^53 are added by float64 products of a BLAS without any rounding, so this is the int64 sum.
    """
    problem, channels = cell.problem, out_channels(cell.problem)
    if isinstance(problem, ConvProblem):
        binary = isinstance(cell.layer_spec.activations.format, Binary)
        rows: Iterator[Doubles] = _conv_acc(problem, operands, group_size=cell.group_size, binary=binary)
        shape: tuple[int, ...] = (problem.images, *problem.out_size, channels)
    else:
        rows = _gemm_acc(operands, group_size=cell.group_size)
        shape = (problem.m, channels)
    kind = {"s32": np.int32, "u8": np.uint8, "f32": np.float32}[cell.out]
    found = [_finished(cell, operands, acc).astype(kind) for acc in rows]
    return np.concatenate(found).reshape(shape)


def _finished(cell: KernelCell, operands: KernelOperands, acc: Doubles) -> Doubles:
    """Return the output of acc (rows, channels), or of sums that are scaled already when weights come in groups."""
    if cell.out == "s32":
        return acc
    if cell.group_size:
        return acc * operands.lhs_scale
    if cell.out == "f32":
        return acc * (operands.rhs_scale.astype(np.float64) * operands.lhs_scale)
    multiplier = operands.rhs_scale.astype(np.float64) * operands.lhs_scale / operands.out_scale
    codes: Doubles = np.rint((acc + operands.bias) * multiplier) + operands.out_zero_point
    return codes.clip(0, 255)


def _draw(
    number_format: NumberFormat, shape: tuple[int, ...], generator: np.random.Generator
) -> npt.NDArray[np.generic]:
    if isinstance(number_format, Binary):
        return (2 * generator.integers(0, 2, shape, dtype=np.int8) - 1).astype(np.int8)
    if isinstance(number_format, Ternary):
        return generator.integers(-1, 2, shape, dtype=np.int8)
    if isinstance(number_format, Uniform):
        kind = np.int8 if number_format.signed else np.uint8
        return generator.integers(number_format.qmin, number_format.qmax + 1, shape, dtype=kind)
    if isinstance(number_format, Float32):
        return generator.standard_normal(shape, dtype=np.float32)
    raise QBenchError(f"kernels: expected uniform, ternary, binary or float32 numbers, got {number_format}")


def _draw_weights(
    number_format: NumberFormat, shape: tuple[int, ...], generator: np.random.Generator
) -> npt.NDArray[np.generic]:
    if not isinstance(number_format, Uniform):
        return _draw(number_format, shape, generator)
    codes = np.rint(generator.standard_normal(shape, dtype=np.float32) * (number_format.qmax / _DEVIATIONS))
    return np.asarray(np.clip(codes, number_format.qmin, number_format.qmax))


def _lhs_shape(problem: Problem) -> tuple[int, ...]:
    if isinstance(problem, ConvProblem):
        return (problem.images, problem.height, problem.width, problem.channels)
    return (problem.m, problem.k)


def _rhs_shape(problem: Problem) -> tuple[int, ...]:
    if isinstance(problem, ConvProblem):
        return (problem.out_channels, *problem.kernel, problem.channels // problem.groups)
    return (problem.n, problem.k)


def _gemm_acc(operands: KernelOperands, *, group_size: int) -> Iterator[Doubles]:
    weights = _weights(operands, group_size=group_size)
    for start in range(0, len(operands.lhs), _ROWS_AT_ONCE):
        lhs = operands.lhs[start : start + _ROWS_AT_ONCE].astype(np.float64) - operands.lhs_zero_point
        yield lhs @ weights.T


def _weights(operands: KernelOperands, *, group_size: int) -> Doubles:
    """Return (n, depth): codes, times their group's scale where weights come in groups (exact: scales are dyadic)."""
    weights = operands.rhs.reshape(len(operands.rhs), -1).astype(np.float64)
    return weights * np.repeat(operands.rhs_scale, group_size, axis=1) if group_size else weights


def _conv_acc(problem: ConvProblem, operands: KernelOperands, *, group_size: int, binary: bool) -> Iterator[Doubles]:
    weights = _weights(operands, group_size=group_size)
    step, out_step = problem.channels // problem.groups, problem.out_channels // problem.groups
    top, left, bottom, right = problem.pads
    for image in operands.lhs:
        values = image.astype(np.float64) - operands.lhs_zero_point
        padded = np.pad(values, ((top, bottom), (left, right), (0, 0)), constant_values=-1.0 if binary else 0.0)
        if problem.is_depthwise and out_step == 1:
            yield _depthwise_acc(problem, padded, weights)
            continue
        taps = np.stack([padded[rows, columns] for rows, columns in _taps(problem)])
        parts = []
        for group in range(problem.groups):
            seen = taps[..., group * step : (group + 1) * step]
            depth = np.moveaxis(seen, 0, 2).reshape(math.prod(problem.out_size), -1)
            parts.append(depth @ weights[group * out_step : (group + 1) * out_step].T)
        yield np.concatenate(parts, axis=1)


def _depthwise_acc(problem: ConvProblem, padded: Doubles, weights: Doubles) -> Doubles:
    total = np.zeros((*problem.out_size, problem.channels))
    for tap, (rows, columns) in enumerate(_taps(problem)):
        total += padded[rows, columns] * weights[:, tap]
    return total.reshape(-1, problem.channels)


def _taps(problem: ConvProblem) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of the padded image that each tap of the kernel sees."""
    height, width = problem.out_size
    for row in range(problem.kernel[0]):
        for column in range(problem.kernel[1]):
            y, x = row * problem.dilations[0], column * problem.dilations[1]
            (down, across) = problem.strides
            yield slice(y, y + down * (height - 1) + 1, down), slice(x, x + across * (width - 1) + 1, across)
