"""Every operator peer keeps the promises of `qbench.peers.operators.operator_peer`.

Authors of other peers: register yours under `qbench.operators` and run this file. Each runs in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.errors import QBenchError
from qbench.kernels import VNNI, instruction_sets
from qbench.peers.operators import OPERATORS
from qbench.peers.operators.operator_peer import OperatorPeer
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.party import Party
from qbench.runner.kernels.worker import Task

DEPTHWISE = ConvProblem(1, 9, 7, 24, 24, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 24)
PROBLEMS = (
    GemmProblem(1, 64, 33),
    GemmProblem(13, 160, 32),
    ConvProblem(1, 9, 7, 24, 17, (3, 3), (1, 1), (1, 1, 1, 1)),
    ConvProblem(2, 8, 8, 16, 32, (3, 3), (2, 2), (1, 1, 1, 1)),
    ConvProblem(1, 7, 7, 32, 16, (1, 1), (2, 2)),
    ConvProblem(1, 11, 11, 3, 8, (7, 7), (2, 2), (3, 3, 3, 3)),
    DEPTHWISE,
    ConvProblem(1, 8, 8, 64, 64, (3, 3), (1, 1), (1, 1, 1, 1)),
)
SPECS = (
    ("w8c-a8t", "s32"),
    ("w8c-a8t", "u8"),
    ("w8c-a8t", "f32"),
    ("w4c-a8t", "f32"),
    ("w4g32-a8t", "f32"),
    ("wb-ab", "s32"),
)
KNOWN_WRONG = {
    ("torch-fbgemm", DEPTHWISE): "its depthwise kernel saturates at 16 bits (pytorch/FBGEMM issue 125)",
    ("torch-x86", DEPTHWISE): "it chooses fbgemm here",
}
SATURATING = frozenset({"openvino", "torch-pt2e", "torch-onednn", "torch-fbgemm", "torch-x86", "onednn"})
"""Peers that sum two products of 8 bits to 16 where the CPU has no VNNI; rows of suites say that they are wrong."""


def cells(threads: int = 1) -> list[KernelCell]:
    found = []
    for problem in PROBLEMS:
        for spec, out in SPECS:
            if "g32" in spec and problem.depth % 32:
                continue
            found.append(KernelCell(problem, spec, out, threads))  # type: ignore[arg-type]
    return found


@pytest.fixture(params=list(OPERATORS))
def peer(request: pytest.FixtureRequest) -> OperatorPeer:
    found: OperatorPeer = OPERATORS.load(request.param)()
    assert found.name == request.param
    return found


@pytest.fixture
def party(peer: OperatorPeer) -> Iterator[Party]:
    with Party(peer.name) as found:
        try:
            found.prepare(task(next(cell for cell in cells() if peer.supports(cell) is None)))
        except QBenchError as error:
            if "cannot be" in str(error) or "is not installed" in str(error):
                pytest.skip(str(error))
        yield found


def task(cell: KernelCell) -> Task:
    operands = draw_operands(cell)
    return Task(cell, operands, expected_output(cell, operands))


def test_what_a_peer_cannot_do_is_one_line(peer: OperatorPeer) -> None:
    reasons = [peer.supports(cell) for cell in cells()]
    assert None in reasons, "a peer has a kernel for something"
    assert all(reason is None or (reason and "\n" not in reason) for reason in reasons)


def test_a_peer_has_a_line_that_says_what_it_is(peer: OperatorPeer) -> None:
    assert (type(peer).__doc__ or "").strip().endswith(".")


@pytest.mark.parametrize("threads", [1, 2])
def test_every_answer_of_a_peer_is_right(peer: OperatorPeer, party: Party, threads: int) -> None:
    if peer.name in SATURATING and not instruction_sets() & VNNI:
        pytest.skip(f"{peer.name} saturates at 16 bits on a CPU without VNNI")
    ran, wrong = 0, []
    for cell in cells(threads):
        if peer.supports(cell) is not None or (peer.name, cell.problem) in KNOWN_WRONG:
            continue
        try:
            facts = party.prepare(task(cell))
        except QBenchError as error:
            wrong.append(f"{cell.key}: {error}")
            continue
        ran += 1
        assert facts["kernel"]
        assert facts["packed"] in ("once", "each call")
        assert facts["turns"] >= 1
        assert party.elapsed_s(2) > 0
    assert wrong == []
    assert ran or threads > 1, "numkong runs on one thread"
