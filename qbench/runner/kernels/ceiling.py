"""What a cell of products is held to, in turns with it: as many operations, or as many bytes read, and nothing else."""

from __future__ import annotations

import math

from qbench.core.cells.product import KernelCell
from qbench.errors import QBenchError
from qbench.kernels.ceiling import arithmetic, read_task
from qbench.runner.kernels.bound import moved_bytes
from qbench.runner.kernels.subject import NO_ANSWER, Bound, Subject
from qbench.runner.machine.ceilings import ARITHMETIC

LEAST_SWEEPS = 100
"""Of a run, each thread's: 0.5 ms of `vpdpbusd`, beside which calling it and the threads' meeting are nothing."""
LEAST_BYTES = 4 * 2**20
"""Read in a run by each thread."""


def prepare_ceiling(cell: KernelCell, ceiling: str) -> Subject:
    """Return the loop of a ceiling, by its name in the run's header, for the work of a cell.

    A run does that work several times where it is little (`turns`), so that whole sweeps are it to half a percent.

    Raises:
        QBenchError: this machine has no such products.
    """
    name, threads = ceiling.rpartition("_")[0], cell.threads
    if name not in ARITHMETIC:
        size = moved_bytes(cell)
        turns = math.ceil(LEAST_BYTES * threads / size)
        return Subject(
            Bound("reads", (read_task(size, turns, threads=threads),), *NO_ANSWER, turns=turns), threads=threads
        )
    loop = arithmetic(ARITHMETIC[name])
    if loop is None:
        raise QBenchError(f"{ceiling}: this machine has no such products")
    operations = cell.problem.operations
    turns = math.ceil(LEAST_SWEEPS * threads * loop.operations / operations)
    sweeps = threads * round(turns * operations / (threads * loop.operations))
    label = f"{loop.product} alone/{loop.target.name}"
    return Subject(Bound(label, (loop.task(sweeps, threads=threads),), *NO_ANSWER, turns=turns), threads=threads)
