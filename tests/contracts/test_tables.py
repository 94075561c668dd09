"""All tables of peers speak alike, whatever a peer runs and wherever: a peer is one file and one line.

Authors of other peers: register yours, and run this file.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.core.trial import Trial
from qbench.peers import PEERS
from qbench.peers.cuda import CUDA_NETWORKS, CUDA_OPERATORS
from qbench.peers.operators import OPERATORS
from qbench.registry import Registry
from qbench.runner.machine.environment import libraries, operator_libraries, versions

NETWORKS, CELLS = (PEERS, CUDA_NETWORKS), (OPERATORS, CUDA_OPERATORS)
ALL = [pytest.param(table, name, id=f"{table.group}:{name}") for table in (*NETWORKS, *CELLS) for name in table]
HEAVY = ("torch", "openvino", "ai_edge_litert", "onnxruntime", "triton", "zentorch", "numkong", "xllamacpp")

TRIALS = [Trial("s", "m", "d", "all", spec, "none") for spec in ("w32-a32", "w8c-a8t", "w3c-a8t")]
SPECS = (("w8c-a8t", "s32"), ("w8c-a8t", "u8"), ("w8c-a8t", "f32"), ("w4g32-a8t", "f32"), ("wb-ab", "s32"))
CASES = [KernelCell(GemmProblem(32, 128, 32), spec, out) for spec, out in SPECS]  # type: ignore[arg-type]
CASES.append(KernelCell(ConvProblem(1, 8, 8, 64, 64, (3, 3), (1, 1), (1, 1, 1, 1)), "wb-ab", "s32"))


def part(table: Registry, name: str) -> Any:
    """The peer; networks on a GPU are made of a network and images, and speak as classes."""
    return table.load(name) if table is CUDA_NETWORKS else table.part(name)


@pytest.mark.parametrize(("table", "name"), ALL)
def test_a_peer_says_its_name_and_what_it_runs_on(table: Registry, name: str) -> None:
    found = part(table, name)
    assert found.name == name
    assert found.distributions
    assert isinstance(found.distributions, tuple)
    assert all(one == one.lower() and one in libraries() for one in found.distributions)


@pytest.mark.parametrize(("table", "name"), ALL)
def test_what_is_missing_is_one_line_or_nothing(table: Registry, name: str) -> None:
    reason = part(table, name).missing()
    assert reason is None or (reason and "\n" not in reason)


@pytest.mark.parametrize(("table", "name"), ALL)
def test_what_it_cannot_do_is_one_line_and_something_it_can(table: Registry, name: str) -> None:
    asked: list[Any] = list(TRIALS if table in NETWORKS else CASES)
    reasons = [part(table, name).supports(one) for one in asked]
    assert None in reasons
    assert all(reason is None or (reason and "\n" not in reason) for reason in reasons)
    if table in NETWORKS and getattr(part(table, name), "precision", "int8") != "simulated":
        assert reasons[2], "3-bit weights are qbench's own"


def test_the_versions_of_a_run_hold_every_package_that_is_installed() -> None:
    found = versions()
    assert {"python", "qbench", "numpy", "numba", "onnxruntime"} <= set(found)
    assert set(found) <= {"python", "qbench", *libraries()}
    for device in ("cpu", "cuda"):
        assert set(operator_libraries(device)) <= set(libraries())


def test_asking_for_names_and_packages_imports_no_library() -> None:
    code = f"""
import sys
from qbench.runner.machine.environment import libraries
libraries()
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
