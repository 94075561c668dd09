"""Runs a row of a suite of `kind: cuda` in Numba's simulator and prints it as JSON; see test_contest.py."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.core.cells.result import KernelTrial
from qbench.kernels.cuda.choose.choice import Skinny, Tiles
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.machines.simulator import Simulator
from qbench.runner.cuda import contest
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.timing.sampling import Rules

TILES = (Tiles(TileShape(1, 2, 1, 2, 64, 2)), Tiles(TileShape(1, 2, 1, 2, 128, 2)))
CELLS = {
    "gemm": KernelCell(GemmProblem(3, 128, 9), "w8c-a8t", "u8"),
    "groups": KernelCell(GemmProblem(3, 128, 9), "w4g64-a8t", "f32"),
    "half": KernelCell(GemmProblem(3, 128, 9), "w4g64-a32", "f32"),
    "conv": KernelCell(ConvProblem(2, 3, 3, 16, 8, (3, 3), (1, 1), (1, 1, 1, 1)), "w8c-a8t", "u8"),
    "binary": KernelCell(GemmProblem(3, 256, 9), "wb-abt", "s32"),
    "ternary": KernelCell(GemmProblem(3, 128, 9), "wt-a8t", "s32"),
}


class Device(Simulator):
    """The simulator with what the contest asks of a device besides: events are moments of the host."""

    stream, name = 0, "simulator"

    def attribute(self, name: str) -> int:
        return {"l2_bytes": 1024}.get(name, 2)

    def synchronize(self) -> None:
        """Nothing runs on."""

    def fill(self, buffer: Any, value: int) -> None:
        buffer.handle[:] = value

    def event(self) -> list[float]:
        return [0.0]

    def record(self, event: list[float]) -> None:
        event[0] = time.perf_counter()

    def elapsed_s(self, start: list[float], end: list[float]) -> float:
        return end[0] - start[0]

    def graph(self, work: Callable[[], None]) -> Callable[[], None]:
        return work


def main(name: str) -> None:
    device: Any = Device()
    contest.candidates = (
        lambda job, capability, multiprocessors: [  # type: ignore[assignment]
            c for c in (Skinny(8, warps=2), *TILES) if c.reason_against(job, 90) is None
        ][:2]
    )
    contest.TRIES = 1
    clock = DeviceClock(device)
    rules = Rules(precision=0.5, seconds_a_cell=0.01, sample_s=1e-4)
    ceilings = {"int8_gops_1": 1.0, "read_gb_s_1": 1.0}
    found = contest.Contest(device, clock, rules, ceilings).run(
        KernelTrial("here", (), 1, CELLS[name], peers=("torch-int-mm",)), cache_hash="hash"
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
