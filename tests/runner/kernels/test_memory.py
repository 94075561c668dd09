"""Operations that only move memory: every one is exact, plainly and past the caches, and is held to what it moves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.array_utils import byte_bounds

from qbench.core.cells.memory import OPERATIONS, MemoryCell, MemoryProblem
from qbench.core.cells.result import BANDWIDTH, STREAMS, KernelTrial
from qbench.errors import QBenchError
from qbench.kernels.blocks import LINE_BYTES
from qbench.kernels.stream import lines_of, stream_task
from qbench.results.kernels.index import value_against
from qbench.runner.kernels.bound import moved_bytes
from qbench.runner.kernels.memory.operands import draw_memory, expected_memory
from qbench.runner.kernels.memory.subject import _operation, prepare_memory, prepare_stream
from qbench.runner.kernels.subject import Subject
from qbench.runner.kernels.trial import Machine, Parties, run_kernel
from qbench.runner.timing.clock import PartyClock
from qbench.runner.timing.sampling import Rules

SIZES = ((2, 9, 7, 128), (1, 5, 16, 6), (3, 1, 1, 192))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_answers_as_its_reference(operation: str, threads: int) -> None:
    for size in SIZES:
        cell = MemoryCell(MemoryProblem(operation, *size), threads)  # type: ignore[arg-type]
        operands = draw_memory(cell)
        subject = prepare_memory(cell, operands)
        subject.run()
        expected = expected_memory(cell, operands)
        assert subject.result().dtype == expected.dtype
        assert np.array_equal(subject.result(), expected), cell.key
        assert "streaming" not in subject.kernel, "everything fits into the last cache"
        subject.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_written_around_what_is_answered(operation: str) -> None:
    for size in SIZES:
        cell = MemoryCell(MemoryProblem(operation, *size), 1)  # type: ignore[arg-type]
        bound = _operation(cell.problem, draw_memory(cell), streaming=False)
        Subject(bound, threads=1).run()
        buffer = bound.out.base
        assert buffer is not None
        whole = buffer.view(np.uint8)
        first, behind = (end - whole.ctypes.data for end in byte_bounds(bound.out))
        assert not np.any(whole[:first]), cell.key
        assert not np.any(whole[behind:]), cell.key


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "average-pool"])
def test_what_is_written_past_the_caches_is_the_same(operation: str) -> None:
    sizes = ((2, 4, 5, 128), *(((1, 3, 32, 3), (5, 1, 1, 192)) if operation == "quantize" else ()))
    for size in sizes:
        cell = MemoryCell(MemoryProblem(operation, *size), 2)  # type: ignore[arg-type]
        operands = draw_memory(cell)
        subject = Subject(_operation(cell.problem, operands, streaming=True), threads=2)
        subject.run()
        assert subject.kernel.endswith(" streaming")
        assert np.array_equal(subject.result(), expected_memory(cell, operands)), cell.key
        subject.close()


@pytest.mark.parametrize(
    ("operation", "read", "written"),
    [
        ("quantize", 4, 1), ("dequantize", 1, 4), ("requantize", 1, 1), ("requantize-s32", 4, 1), ("add", 2, 1),
        ("concat", 1, 1), ("max-pool", 1, 0.25), ("average-pool", 1, 1 / 64), ("pack-b1", 1, 0.125),
        ("pack-t2", 1, 0.25), ("pack-p2", 1, 0.25), ("unpack-b1", 0.125, 1), ("unpack-t2", 0.25, 1),
    ],
)  # fmt: skip
def test_bytes_moved_are_what_is_read_and_written(operation: str, read: float, written: float) -> None:
    problem = MemoryProblem(operation, 2, 8, 8, 64)  # type: ignore[arg-type]
    numbers = 2 * 8 * 8 * 64
    assert (problem.read_bytes, problem.written_bytes) == (read * numbers, written * numbers)
    assert moved_bytes(MemoryCell(problem)) == problem.moved_bytes == (read + written) * numbers


@pytest.mark.parametrize(
    ("read", "written", "mix"), [(4, 1, (4, 1)), (1, 8, (1, 8)), (2, 1, (2, 1)), (49, 1, (49, 1)), (16, 3, (16, 3))]
)
def test_a_stream_moves_as_many_bytes_in_the_same_mix(read: int, written: int, mix: tuple[int, int]) -> None:
    turns, reads, writes = lines_of(read << 20, written << 20)
    assert (reads, writes) == mix
    assert turns * (reads + writes) * LINE_BYTES == pytest.approx((read + written) << 20, rel=1e-3)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_reads_and_writes_every_line(name: str) -> None:
    cell = MemoryCell(MemoryProblem("add", 4, 8, 8, 64), 2)
    subject = prepare_stream(cell, name)
    before = subject.result().reshape(-1, LINE_BYTES).copy()
    subject.run()
    after = subject.result().reshape(-1, LINE_BYTES)
    assert np.all(np.any(before != after, axis=1)), "a line was not written"
    subject.close()


def test_what_a_stream_moves_is_random() -> None:
    task, _ = stream_task(1 << 16, 1 << 16, streaming=False)
    source = task.keep[0]
    assert isinstance(source, np.ndarray)
    assert len(np.unique(source.reshape(-1, LINE_BYTES), axis=0)) == source.size // LINE_BYTES


def test_a_row_is_held_to_the_faster_stream_of_its_own_rounds() -> None:
    parties = Parties()
    trial = KernelTrial("memory", (), 1, MemoryCell(MemoryProblem("requantize", 1, 16, 16, 64)))
    try:
        rules = Rules(precision=0.5, seconds_a_cell=0.02, sample_s=0.001)
        row = run_kernel(trial, parties, Machine({}, {}), cache_hash="h", rules=rules, clock=PartyClock())
    finally:
        parties.close()
    assert (row.status, row.bound) == ("ok", BANDWIDTH)
    assert [found.cell for found in row.measurements] == ["qbench", *STREAMS]
    stream = row.stream
    assert stream is not None
    assert row.bound_s == stream.median_s == min(found.median_s for found in row.measurements[1:])
    share = value_against(row, BANDWIDTH)
    assert share is not None
    assert 0 < share < 10


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(QBenchError, match="memory: expected one of quantize"):
        MemoryProblem("halve", 1, 1, 1, 1)  # type: ignore[arg-type]
    with pytest.raises(QBenchError, match="concat: expected an even number of channels, got 3"):
        MemoryProblem("concat", 1, 1, 1, 3)
