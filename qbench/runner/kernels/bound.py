"""The least time that a cell can take here, by the ceiling of its arithmetic or of the memory that it lives in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.core.cells.memory import MemoryCell
from qbench.core.cells.product import ConvProblem, KernelCell
from qbench.core.cells.result import AnyCell
from qbench.core.formats import Binary, Float32, NumberFormat, Ternary

SHORT_BITS = 6
"""Bits of weights up to which products may be summed in 16 bits, where a CPU has no dot instruction."""
_OUT_BYTES = {"s32": 4, "u8": 1, "f32": 4}


@dataclass(frozen=True, slots=True)
class Bound:
    """Which ceiling binds, by its name in the run's header, and the seconds that it allows; "" when none is known.

    The ceiling's loop does the cell's operations `times` times in those seconds: products by bit planes count once.
    """

    name: str
    seconds: float
    times: int = 1


def moved_bytes(cell: AnyCell) -> int:
    """Return the least traffic: the codes of lhs and rhs at their packed width, scales, and the output, each once."""
    if isinstance(cell, MemoryCell):
        return cell.problem.moved_bytes
    problem, spec = cell.problem, cell.layer_spec
    if isinstance(problem, ConvProblem):
        numbers = problem.images * problem.height * problem.width * problem.channels
        channels = problem.out_channels
        rows = problem.images * problem.out_size[0] * problem.out_size[1]
    else:
        numbers, channels, rows = problem.m * problem.k, problem.n, problem.m
    scales = channels * (problem.depth // cell.group_size if cell.group_size else 1)
    lhs = -(-numbers * _stored_bits(spec.activations.format, at_least=8) // 8)
    rhs = -(-channels * problem.depth * _stored_bits(spec.weights.format, at_least=0) // 8)
    return lhs + rhs + 4 * scales + _OUT_BYTES[cell.out] * rows * channels


def bound(cell: KernelCell, ceilings: Mapping[str, float], caches: Mapping[str, int]) -> Bound:
    """Return what binds `cell` on a machine.

    Args:
        cell: the cell.
        ceilings: from `ceilings.measure`, with `threads` of this cell or with one thread.
        caches: bytes of one core's caches, from `environment.core_caches`.
    """
    suffix = "1" if cell.threads == 1 else "all"
    found = [
        Bound(f"{name}_{suffix}", times * cell.problem.operations / 1e9 / rate, times)
        for name, times in _arithmetic(cell)
        if (rate := ceilings.get(f"{name}_{suffix}"))
    ]
    fastest = min(found, key=lambda one: one.seconds, default=Bound("", 0.0))
    level = _level(moved_bytes(cell), cell.threads, caches)
    names = [name for name in (f"{level}_{suffix}", f"read_gb_s_{suffix}") if ceilings.get(name)]
    memory = Bound(names[0], moved_bytes(cell) / 1e9 / ceilings[names[0]]) if names else Bound("", 0.0)
    return max(fastest, memory, key=lambda one: one.seconds)


def _stored_bits(number_format: NumberFormat, *, at_least: int) -> int:
    """Return the bits of a code as it is stored: activations in bytes unless binary or ternary, weights packed."""
    if isinstance(number_format, Binary | Ternary | Float32):
        return number_format.bits
    return max(number_format.bits, at_least)


def _arithmetic(cell: KernelCell) -> list[tuple[str, int]]:
    """Return the ceilings that the cell's products may run under, and how many each takes; the fastest one binds."""
    weights, activations = cell.layer_spec.weights.format, cell.layer_spec.activations.format
    if isinstance(activations, Float32):
        return [("float32_gflops", 1)]
    if isinstance(weights, Binary) and isinstance(activations, Binary):
        return [("popcount_gops", 1), ("int8_gops", 1)]
    if isinstance(weights, Ternary) and isinstance(activations, Ternary):
        return [("ternary_gops", 1), ("int8_gops", 1)]
    planes = weights.bits * activations.bits
    short = [("short_gops", 1)] if weights.bits <= SHORT_BITS else []
    return [("int8_gops", 1), *short, ("popcount_gops", planes)]


def _level(size: int, threads: int, caches: Mapping[str, int]) -> str:
    """Return the ceiling of the fastest memory level that holds `size` bytes, half of each thread's second level."""
    if size <= caches.get("l2", 0) * threads // 2:
        return "read_l2_gb_s"
    return "read_l3_gb_s" if size <= caches.get("l3", 0) // 2 else "read_gb_s"
