"""Which panels are worth trying for a product of so many rows: those that were the fastest on an H100, best first."""

from __future__ import annotations

from dataclasses import replace

from qbench.kernels.cuda.choose.choice import LARGEST_SHARED, Job
from qbench.kernels.cuda.choose.panel_choice import HopperPanel, Panel
from qbench.kernels.cuda.language.shared import SHARED_MARGIN
from qbench.kernels.cuda.multiply.hopper_panel import HopperPanelShape
from qbench.kernels.cuda.multiply.panel_kernel import panel_bytes
from qbench.kernels.cuda.multiply.panel_shape import PanelShape

FEWEST_ROWS = 8
"""Rows up to which weights stream to registers: 16.1 us for 8192 x 8192 and one row, 17.2 in panels."""

MOST_STAGES, FEWEST_STAGES = 4, 3
"""Stages: five to twelve are up to 1.3 times slower. All multiprocessors ask for all they may at once, so that the
first stage of each comes late."""

_NARROW = {16: ((16, 4, 2, 2), (16, 2, 4, 1), (16, 4, 4, 1)), 64: ((32, 4, 1, 2), (64, 4, 1, 2))}
"""Most rows -> rows of a panel, column tiles across, warps that share one, groups of a stage by each."""

_WIDE = {16: ((1, 2, 16, 2),), 64: ((2, 1, 32, 2), (1, 1, 64, 2)), 1 << 30: ((1, 2, 128, 1), (2, 2, 64, 1))}
"""Most rows -> warpgroups down and across, rows of each, groups of a stage."""

_WGMMA_FIRST = 17
"""Rows from which wgmma is the faster."""


def panels(job: Job) -> tuple[Panel | HopperPanel, ...]:
    """Return the panels that are worth trying, with as many stages as help."""
    rows = job.geometry.rows
    if job.product != "u8_t4" or not job.group_size or rows <= FEWEST_ROWS:
        return ()
    narrow, wide = _narrow(job), _wide(rows)
    return (*wide, *narrow) if rows >= _WGMMA_FIRST else (*narrow[:2], *wide, *narrow[2:])


def _narrow(job: Job) -> list[Panel]:
    of_rows = next((sizes for most, sizes in _NARROW.items() if most >= job.geometry.rows), ())
    shapes = [PanelShape(*each) for each in of_rows if job.group_size % 64 == 0]
    sizes = [panel_bytes(job.product, shape, job.group_size) for shape in shapes]
    found = [replace(shape, stages=_stages(size.stage, size.sums)) for shape, size in zip(shapes, sizes, strict=True)]
    return [Panel(shape) for shape in found if shape.stages >= FEWEST_STAGES]


def _wide(rows: int) -> list[HopperPanel]:
    sizes = next(sizes for most, sizes in _WIDE.items() if most >= rows)
    shapes = [HopperPanelShape(*each, stages=1) for each in sizes]
    return [HopperPanel(replace(shape, stages=_stages(shape.stage_bytes + shape.scale_bytes, 0))) for shape in shapes]


def _stages(stage_bytes: int, other_bytes: int) -> int:
    """Return how many stages fit, up to those that help."""
    return min((LARGEST_SHARED - SHARED_MARGIN - other_bytes) // stage_bytes, MOST_STAGES)
