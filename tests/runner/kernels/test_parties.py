"""Parties in processes of their own: right answers are timed, wrong ones and crashes cost one row."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.core.cells.result import CEILING, OWN, KernelTrial
from qbench.core.trial import Measurement
from qbench.engine.team import Job, Team
from qbench.errors import QBenchError
from qbench.kernels.ceiling import OPERATIONS, READ_UNIT, arithmetic, read_task
from qbench.kernels.program import NO_POINTERS, program_of
from qbench.kernels.tasks import Task as LoopTask
from qbench.kernels.variants import choose
from qbench.kernels.winograd.way import VARIANTS
from qbench.runner.kernels.bound import bound, moved_bytes
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.party import BrokenError, Party
from qbench.runner.kernels.trial import Machine, Parties, run_kernel
from qbench.runner.kernels.worker import Task
from qbench.runner.timing.clock import PartyClock
from qbench.runner.timing.sampling import Rules, interleave

CELL = KernelCell(GemmProblem(9, 64, 33), "w8c-a8t", "s32")
CEILINGS = {
    "int8_gops_1": 1000.0,
    "popcount_gops_1": 5000.0,
    "ternary_gops_1": 2500.0,
    "read_gb_s_1": 20.0,
    "read_l2_gb_s_1": 200.0,
    "read_l3_gb_s_1": 50.0,
}
CACHES = {"l2": 1 << 20, "l3": 32 << 20}
RULES = Rules(precision=0.5, seconds_a_cell=0.02, sample_s=0.001)


@pytest.fixture(scope="module")
def parties() -> Iterator[Parties]:
    found = Parties()
    yield found
    found.close()


def task(cell: KernelCell = CELL, *, wrong: int = 0) -> Task:
    operands = draw_operands(cell)
    expected = expected_output(cell, operands)
    expected.flat[0] += wrong
    return Task(cell, operands, expected)


def test_a_party_answers_rightly_and_is_timed(parties: Parties) -> None:
    party = parties.of("onnxruntime")
    facts = party.prepare(task())
    assert facts["kernel"] == "MatMulInteger"
    assert facts["packed"] == "once"
    clock = PartyClock()
    assert clock.elapsed_s(party, 0) == 0.0
    assert 0 < clock.elapsed_s(party, 3) < 5
    party.drop()


def test_a_wrong_answer_is_not_timed(parties: Parties) -> None:
    with pytest.raises(BrokenError, match="onnxruntime: wrong: 1 of 297 numbers differ"):
        parties.of("onnxruntime").prepare(task(wrong=1))


def test_what_a_library_cannot_do_is_a_reason(parties: Parties) -> None:
    with pytest.raises(QBenchError, match="onnxruntime: has weights of 8 bits") as caught:
        parties.of("onnxruntime").prepare(task(KernelCell(CELL.problem, "wt-a8t", "s32")))
    assert not isinstance(caught.value, BrokenError)


def test_a_party_that_dies_costs_a_row_and_comes_back() -> None:
    with Party("onnxruntime") as party:
        party.prepare(task())
        process = party._process
        assert process is not None
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(BrokenError, match=r"onnxruntime: its process ended \(signal 9\)"):
            party.elapsed_s(1)
        assert party.prepare(task())["kernel"] == "MatMulInteger"


def test_a_row_holds_every_party_with_its_times_or_its_reason(parties: Parties) -> None:
    trial = KernelTrial("s", (), 1, CELL, peers=("onnxruntime", "openvino-binary"), own=("w4c-a8t",))
    row = run_kernel(
        trial, parties, Machine(CEILINGS, CACHES), cache_hash="h", rules=RULES, clock=PartyClock()
    )  # fmt: skip
    assert row.status == "ok"
    assert [party.name for party in row.parties] == [OWN, "qbench w4c-a8t", "onnxruntime", "openvino-binary", CEILING]
    assert [m.cell for m in row.measurements] == [OWN, "qbench w4c-a8t", "onnxruntime", CEILING]
    assert row.parties[3].reason == "has convolutions of bits by bits only"
    assert all(len(m.samples_s) >= 6 and min(m.samples_s) > 0 for m in row.measurements)
    assert {m.operations for m in row.measurements} == {2 * 9 * 64 * 33}


def test_a_library_that_dies_while_it_is_timed_leaves_the_row_to_the_others(
    parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_then_interleave(*words: Any, **named: Any) -> tuple[Measurement, ...]:
        victim = parties.of("onnxruntime")._process
        if victim is not None and victim.pid is not None:
            os.kill(victim.pid, signal.SIGKILL)
        return interleave(*words, **named)

    monkeypatch.setattr("qbench.runner.kernels.trial.interleave", kill_then_interleave)
    trial = KernelTrial("s", (), 1, CELL, peers=("onnxruntime",))
    row = run_kernel(trial, parties, Machine(CEILINGS, CACHES), cache_hash="h", rules=RULES, clock=PartyClock())
    assert row.status == "ok"
    assert [m.cell for m in row.measurements] == [OWN, CEILING]
    assert [party.reason for party in row.parties] == ["", "onnxruntime: its process ended (signal 9)", ""]


def test_a_party_that_raises_while_it_is_timed_leaves_the_row_to_the_others(
    parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, other = Party._ask, "qbench w4c-a8t"

    def break_off(self: Party, verb: str, content: object) -> Any:
        if self.name == other and verb == "time" and content:
            raise BrokenError(f"{other}: RuntimeError: out of memory")
        return ask(self, verb, content)

    def break_then_interleave(*words: Any, **named: Any) -> tuple[Measurement, ...]:
        monkeypatch.setattr(Party, "_ask", break_off)
        return interleave(*words, **named)

    monkeypatch.setattr("qbench.runner.kernels.trial.interleave", break_then_interleave)
    trial = KernelTrial("s", (), 1, CELL, own=("w4c-a8t",))
    row = run_kernel(trial, parties, Machine(CEILINGS, CACHES), cache_hash="h", rules=RULES, clock=PartyClock())
    assert row.status == "ok"
    assert [m.cell for m in row.measurements] == [OWN, CEILING]
    assert [party.reason for party in row.parties] == ["", f"{other}: RuntimeError: out of memory", ""]


def test_a_row_that_qbench_answers_wrongly_is_failed(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    def off_by_one(cell: KernelCell, operands: KernelOperands) -> np.ndarray:
        return expected_output(cell, operands) + 1

    monkeypatch.setattr("qbench.runner.kernels.trial.expected_output", off_by_one)
    trial = KernelTrial("s", (), 1, CELL, peers=("onnxruntime",))
    row = run_kernel(trial, parties, Machine(CEILINGS, CACHES), cache_hash="h", rules=RULES, clock=PartyClock())
    assert row.status == "failed"
    assert [m.cell for m in row.measurements] == [CEILING]
    assert row.reason.startswith("qbench: wrong: 297 of 297 numbers differ")
    assert row.parties[1].reason.startswith("onnxruntime: wrong")


def test_least_traffic_counts_packed_weights_scales_and_every_output() -> None:
    assert moved_bytes(KernelCell(GemmProblem(4, 64, 8), "w8c-a8t", "s32")) == 4 * 64 + 64 * 8 + 4 * 8 + 4 * 4 * 8
    assert moved_bytes(KernelCell(GemmProblem(4, 64, 8), "w4g32-a8t", "f32")) == 256 + 256 + 4 * 16 + 128
    assert moved_bytes(KernelCell(GemmProblem(4, 64, 8), "wb-ab", "s32")) == 32 + 64 + 32 + 128
    conv = ConvProblem(2, 5, 5, 8, 16, (3, 3), (2, 2), (1, 1, 1, 1))
    assert moved_bytes(KernelCell(conv, "w8c-a8t", "u8")) == 2 * 25 * 8 + 16 * 72 + 4 * 16 + 2 * 9 * 16


@pytest.mark.parametrize(
    ("spec", "shape", "name"),
    [
        ("w8c-a8t", (512, 512, 512), "int8_gops_1"),
        ("w4c-a8t", (512, 512, 512), "int8_gops_1"),
        ("wb-ab", (512, 512, 512), "popcount_gops_1"),
        ("wt-at", (512, 512, 512), "ternary_gops_1"),
        ("w2c-a2t", (512, 512, 512), "popcount_gops_1"),
        ("w8c-a8t", (1, 512, 512), "read_l2_gb_s_1"),
        ("w8c-a8t", (1, 2048, 2048), "read_l3_gb_s_1"),
        ("w8c-a8t", (1, 8192, 8192), "read_gb_s_1"),
    ],
)
def test_what_binds_a_product_follows_from_its_numbers_and_its_size(
    spec: str, shape: tuple[int, int, int], name: str
) -> None:
    cell = KernelCell(GemmProblem(*shape), spec, "s32")
    found = bound(cell, CEILINGS, CACHES)
    assert found.name == name
    rate = CEILINGS[name]
    if name.startswith("read"):
        assert found.seconds == pytest.approx(moved_bytes(cell) / 1e9 / rate)
    else:
        planes = 4 if spec == "w2c-a2t" else 1
        assert found.seconds == pytest.approx(cell.problem.operations * planes / 1e9 / rate)


@pytest.mark.parametrize(("spec", "name"), [("w4c-a8t", "short_gops_1"), ("w8c-a8t", "int8_gops_1")])
def test_few_bits_are_bound_by_sums_in_16_bits_where_a_machine_has_them(spec: str, name: str) -> None:
    cell = KernelCell(GemmProblem(512, 512, 512), spec, "s32")
    found = bound(cell, {**CEILINGS, "short_gops_1": 1500.0}, CACHES)
    assert found.name == name


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("spec", "shape", "kernel", "planes"),
    [
        ("w8c-a8t", (64, 512, 512), f"u8_s8 alone/{choose()}", 1),
        ("wb-ab", (64, 512, 512), f"b1_b1 alone/{choose()}", 1),
        ("w2c-a2t", (64, 512, 512), f"b1_b1 alone/{choose()}", 4),
        ("w8c-a8t", (1, 512, 512), "reads", None),
    ],
)
def test_a_row_is_held_to_a_ceiling_that_took_turns_with_it(
    parties: Parties, spec: str, shape: tuple[int, int, int], kernel: str, planes: int | None, threads: int
) -> None:
    cell = KernelCell(GemmProblem(*shape), spec, "s32", threads)
    both = {name.replace("_1", end): rate for name, rate in CEILINGS.items() for end in ("_1", "_all")}
    machine = Machine(both, CACHES)
    row = run_kernel(
        KernelTrial("s", (), 1, cell), parties, machine, cache_hash="h", rules=RULES, clock=PartyClock()
    )  # fmt: skip
    loop = row.measured(CEILING)
    assert loop is not None
    assert row.parties[-1].kernel == kernel
    assert row.bound == bound(cell, both, CACHES).name
    assert row.bound_s == pytest.approx((planes or 1) * loop.median_s)
    assert loop.inner_loops >= 2  # a short cell's work is done many times in a run


def run_together(loop: LoopTask, threads: int) -> None:
    team = Team(threads)
    team.together(Job(program_of((loop,)), NO_POINTERS, 0, 1, 1))
    team.close()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_loop_that_reads_goes_over_every_byte_in_shares(threads: int) -> None:
    task = read_task(4 * READ_UNIT + 1, 2, threads=threads)
    data, sums = (array for array in task.keep if isinstance(array, np.ndarray))
    assert data.size == 5 * READ_UNIT
    numbers = data.view(np.int32)
    numbers[:] = np.arange(numbers.size)
    run_together(task, threads)
    shares = sums.view(np.int32).reshape(threads, -1).sum(axis=1)
    assert shares.sum() == numbers.sum()
    assert np.all(shares > 0)


@pytest.mark.parametrize("product", OPERATIONS)
@pytest.mark.parametrize("threads", [1, 2])
def test_sweeps_are_shared_and_every_thread_leaves_its_sums(product: str, threads: int) -> None:
    loop = arithmetic(product)
    if loop is None:
        pytest.skip("this machine has no such products")
    task = loop.task(threads, threads=threads)
    data, sums = (array for array in task.keep if isinstance(array, np.ndarray))
    data[:] = np.random.default_rng(0).integers(0, 64, data.size)  # as float32 below one
    run_together(task, threads)
    shares = sums.reshape(threads, -1)
    assert np.array_equal(shares, np.broadcast_to(shares[0], shares.shape))
    assert np.any(shares[0])


def test_nothing_binds_where_no_ceiling_was_measured() -> None:
    assert bound(CELL, {}, {}).name == ""
    assert np.isclose(bound(CELL, {}, {}).seconds, 0.0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_convolution_takes_turns_with_all_its_products(parties: Parties, threads: int) -> None:
    if choose() not in VARIANTS:
        pytest.skip("no variant of this machine has Winograd's products")
    cell = KernelCell(ConvProblem(3, 9, 12, 32, 48, (3, 3), (1, 1), (1, 1, 1, 1)), "w8c-a8t", "u8", threads)
    trial = KernelTrial("sweep", (), 1, cell, "auto+winograd", own=("w8c-a8t+direct",))
    row = run_kernel(trial, parties, Machine(CEILINGS, CACHES), cache_hash="", rules=RULES, clock=PartyClock())
    assert row.status == "ok", row.reason
    mine, direct = row.parties[:2]
    assert mine.kernel.endswith("+winograd")
    assert direct.kernel
    assert "winograd" not in direct.kernel
    assert row.measured("qbench w8c-a8t+direct")


def test_winograd_is_refused_where_it_is_none(parties: Parties) -> None:
    trial = KernelTrial("sweep", (), 1, CELL, "auto+winograd")
    row = run_kernel(trial, parties, Machine(CEILINGS, CACHES), cache_hash="", rules=RULES, clock=PartyClock())
    assert row.status == "skipped"
    assert row.reason.startswith("Winograd's products are of bytes, by 3 x 3 kernels")


def test_a_row_over_processes_starts_every_party_anew() -> None:
    own = Parties()
    trial = KernelTrial("s", (), 1, CELL, peers=("onnxruntime",))
    rules, pids = replace(RULES, precision=100.0, processes=2), []
    prepare = Party.prepare

    def noted(self: Party, asked: Task) -> dict[str, Any]:
        facts = prepare(self, asked)
        pids.append(self.pid)
        return facts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Party, "prepare", noted)
        row = run_kernel(trial, own, Machine(CEILINGS, CACHES), cache_hash="h", rules=rules, clock=PartyClock())
    own.close()
    assert row.status == "ok"
    assert len(set(pids)) == len(pids) == 6
    assert all(len(found.processes) == 2 for found in row.measurements)
