"""Runs a suite of a network with `device: cuda` in the simulator and prints its folder; see test_networks.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qbench.kernels.cuda.choose.choice import Job, Tiles, Words
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.runner import run_suite
from qbench.runner.cuda import health, maker
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.cuda.worker import Holder
from qbench.runner.machine import devices
from qbench.suite import load_suite
from tests.runner.cuda.in_simulator import Device

CHOICES = (Tiles(TileShape(1, 2, 1, 2, 64, 2)), Tiles(TileShape(1, 2, 1, 2, 128, 2)), Words("plain", side=4))


def pick(task: object, codes: object, params: object, job: Job) -> Tiles | Words:
    return next(choice for choice in CHOICES if choice.reason_against(job, 90) is None)


class HereWorker:
    """A worker that holds the simulator in this very process."""

    def __init__(self) -> None:
        device: Any = Device()
        self._holder = Holder(device, DeviceClock(device), pick=pick)

    def ask(self, verb: str, content: object = None) -> Any:
        if verb == "ceilings":  # their loops are long
            return {"int8_gops_1": 1.0, "read_gb_s_1": 1.0}
        return self._holder.answer(verb, content)

    def close(self) -> None:
        """Hold nothing else."""


def main(suite: str, root: str) -> None:
    maker.Worker = HereWorker  # type: ignore[assignment,misc]
    devices.Cuda.unavailable = lambda _: None  # type: ignore[method-assign,assignment,return-value]
    devices._gpu = lambda: {"device": "Simulator", "compute_capability": 9.0}  # type: ignore[assignment]
    health.read = lambda when: {"when": when}
    sys.stdout.write(f"{run_suite(load_suite(Path(suite)), results_root=Path(root), quick=True)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
