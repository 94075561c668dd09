"""Kernels as the network uses them: one convolution at a time, all specs in turns with the machine's own ceilings."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from qbench.errors import MachineError
from qbench.kernels.ceiling import arithmetic
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task
from qbench.metrics import speed
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.layers import LayerTeam
from qbench.runner.timing.sampling import Cell, interleave

from .bench import RULES, THREADS, alone, sessions, workbench

BATCH = 256
LAYERS = ("stem", "blocks.0.conv1", "blocks.4.conv1", "blocks.7.conv1")
CEILINGS = {"int8": "u8_s8", "popcount": "b1_b1"}
SWEEPS = 20_000

Values = dict[str, float]


def ceiling(name: str) -> tuple[str, Task, int]:
    """Return a key of `CEILINGS`, its loop on one thread, and the operations of that."""
    loop = arithmetic(CEILINGS[name])
    if loop is None:
        raise MachineError(f"{name}: this machine has no such products")
    return name, loop.task(SWEEPS), loop.operations * SWEEPS


def setup_cache() -> Values:
    """Return every tracked number of this module, e.g. `gops stem w8c-a8t`."""
    bench, found, clock = workbench(), {}, Clock()
    with ExitStack() as stack:
        teams = {spec: LayerTeam(ready, bench.inputs[:1], stack) for spec, ready in sessions(bench).items()}
        limits = [ceiling(name) for name in CEILINGS]
        for layer in LAYERS:
            cells = [Cell(name, partial(run_task, task), 1, operations) for name, task, operations in limits]
            for spec, team in teams.items():
                call, turns = team.call(layer, BATCH, clock=clock)
                operations = BATCH * bench.network.operations(layer)
                cells.append(Cell(spec, call, BATCH, operations, THREADS, turns))
            with alone() as quiet:
                measured = interleave(f"layer/{layer}/batch{BATCH}", cells, RULES, clock=clock, quiet=quiet)
            rows = {measurement.cell: measurement for measurement in measured}
            for spec in teams:
                row, limit = rows[spec], rows["popcount" if spec == "wbc-abt" else "int8"]
                found[f"gops {layer} {spec}"] = speed.gops(row) or 0.0
                share = speed.paired_ratio(limit.samples_s, row.samples_s).ratio * row.operations
                found[f"share {layer} {spec}"] = 100.0 * share / (limit.operations * THREADS)
    return found


setup_cache.timeout = 600  # type: ignore[attr-defined]


class Layers:
    """One layer at batch 256 on two threads; a ceiling is that of one thread, doubled."""

    params = (
        ["stem", "blocks.0.conv1", "blocks.4.conv1", "blocks.7.conv1"],
        ["w8c-a8t", "w4c-a8t", "wtc-a8t", "wbc-abt"],
    )
    param_names = ("layer", "spec")
    version = "1"

    def track_gops(self, values: Values, layer: str, spec: str) -> float:
        return values[f"gops {layer} {spec}"]

    def track_share_of_ceiling(self, values: Values, layer: str, spec: str) -> float:
        return values[f"share {layer} {spec}"]

    track_gops.unit = "Gop/s"  # type: ignore[attr-defined]
    track_share_of_ceiling.unit = "%"  # type: ignore[attr-defined]
