"""Which panels are worth trying for a product, and what each is expected to take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from qbench.kernels.cuda.choice import LARGEST_SHARED, Job
from qbench.kernels.cuda.hopper_panel import HopperPanelShape
from qbench.kernels.cuda.panel_choice import HopperPanel, Panel
from qbench.kernels.cuda.panel_kernel import panel_bytes
from qbench.kernels.cuda.panel_shape import PanelShape
from qbench.kernels.cuda.shared import SHARED_MARGIN

TALLS = (8, 16, 32, 64)
"""Rows of a panel by mma.sync; products of more rows than the last are for wgmma, or for tiles."""

MOST_STAGES = 8

_SIZES = ((4, 2, 2), (4, 4, 1), (4, 1, 2), (2, 4, 2), (2, 4, 1), (1, 4, 2))
"""Column tiles across, warps that share one, groups of a stage by each: the best guess first."""

_HOPPER = ((1, 1, 16, 2), (1, 1, 32, 2), (1, 1, 64, 2), (2, 1, 32, 2), (2, 1, 64, 1), (2, 2, 64, 1), (1, 2, 128, 1))
"""Warpgroups down and across, rows of each, groups of a stage."""

_READ, _SHARED_BY_ALL = 13.0, 24.0
"""Bytes that a multiprocessor reads in a cycle: a share of memory's 3.0 TB/s, and of the second-level cache's 5.5."""


def panels(job: Job) -> tuple[Panel | HopperPanel, ...]:
    """Return the panels that are worth trying, with as many stages as shared memory holds."""
    if job.product != "u8_t4" or not job.group_size:
        return ()
    return (*_narrow(job), *_wide(job))


def _narrow(job: Job) -> Iterator[Panel]:
    tall = next((tall for tall in TALLS if tall >= job.geometry.rows), None)
    for sizes in _SIZES if tall else ():
        shape = PanelShape(tall or 0, *sizes)
        if shape.totals and job.group_size % 64 == 0:
            facts = panel_bytes(job.product, shape, job.group_size)
            stages = _stages(facts.stage, facts.sums)
            if stages > 2:
                yield Panel(replace(shape, stages=stages))


def _wide(job: Job) -> Iterator[HopperPanel]:
    for sizes in _HOPPER if job.geometry.rows > TALLS[0] else ():
        shape = HopperPanelShape(*sizes, stages=1)
        yield HopperPanel(replace(shape, stages=_stages(shape.stage_bytes + shape.scale_bytes, 0)))


def _stages(stage_bytes: int, other_bytes: int) -> int:
    """Return how many stages fit."""
    room = LARGEST_SHARED - SHARED_MARGIN - other_bytes
    return min(room // stage_bytes, MOST_STAGES)


def cycles(choice: Panel | HopperPanel, job: Job, multiprocessors: int) -> float:
    """Return the expected cycles of a multiprocessor for 128 codes of depth: instructions, memory or cache bound.

    Instructions are those of the listing: what a warp issues for its 16 columns, on one of four schedulers.
    """
    rows, columns = choice.tile
    waves = ceil(ceil(job.geometry.rows / rows) * ceil(job.geometry.columns / columns) / multiprocessors)
    weights = 66.0 * columns  # with their scales
    if isinstance(choice, Panel):
        issued = columns / 64 * (70 + 3 * rows + 10 * choice.shape.is_split)
    else:
        issued = choice.shape.down * choice.shape.across * (120 + 2.2 * choice.shape.tall)
    return waves * max(issued, weights / _READ, (128 * rows + weights) / _SHARED_BY_ALL)
