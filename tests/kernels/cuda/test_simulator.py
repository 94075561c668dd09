"""Whole small products in Numba's simulator: index maps, tails, packing and pipelines, bit for bit, without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("in_simulator.py")
EXPECTED = {"words": 6, "tiles": 8, "groups": 4, "hopper": 3, "skinny": 10, "panel": 5, "hopper panel": 2, "layers": 4}
PATIENCE_S = 300


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("group", EXPECTED)
def test_simulated_kernels_equal_their_law(group: str) -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, str(SCRIPT), group]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(found) == EXPECTED[group]
    assert [detail for detail in found.values() if detail] == []


FAILING = """
from qbench.kernels.cuda.machines.simulator import Simulator
Simulator()
from numba import cuda
@cuda.jit
def kernel(ended):
    if cuda.threadIdx.x == 0:
        return
    if cuda.threadIdx.x == 3 and not ended[0]:
        raise ValueError("thread three")
    cuda.syncthreads()
    ended[cuda.threadIdx.x] = 1
import numpy
kernel[1, 5](numpy.ones(5))
print("threads wait for those that have not ended", flush=True)
kernel[1, 5](numpy.zeros(5))
"""


@pytest.mark.usefixtures("compiler")
def test_a_thread_that_ends_or_fails_lets_the_others_go_on() -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-c", FAILING]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    assert done.stdout == "threads wait for those that have not ended\n", done.stderr[-2000:]
    assert "tid=[3, 0, 0] ctaid=[0, 0, 0]: thread three" in done.stderr


@pytest.mark.usefixtures("compiler")
def test_the_simulator_says_what_it_needs() -> None:
    code = "from qbench.kernels.cuda.machines.simulator import Simulator\nSimulator()"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "needs NUMBA_ENABLE_CUDASIM=1 before Numba is imported" in done.stderr
