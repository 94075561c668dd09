"""The sizes that are worth trying for a product, best guess first; whoever has a clock may try them all."""

from __future__ import annotations

from math import ceil

from qbench.errors import MachineError, suggest
from qbench.kernels.cuda.choice import Choice, Hopper, Job, Skinny, Tiles, Words
from qbench.kernels.cuda.hopper_kernel import hopper_shape
from qbench.kernels.cuda.products import PRODUCTS
from qbench.kernels.cuda.shapes import TileShape

VARIANTS = ("cuda_plain", "cuda_dp4a", "cuda_mma", "cuda_wgmma", "cuda_skinny")
"""All variants; of those that can compute a product, the later ones are the faster ones where they fit."""

FEW_ROWS = 16
"""Rows up to which streaming the weights beats tiles."""

_TILES = (
    # warps down, across; rows of 16, columns of 8 a warp; bytes of depth a stage, stages
    TileShape(2, 4, 4, 8, 64, 4),
    TileShape(4, 2, 4, 8, 64, 4),
    TileShape(2, 2, 4, 8, 64, 4),
    TileShape(2, 2, 4, 8, 128, 3),
    TileShape(2, 2, 4, 4, 64, 4),
    TileShape(2, 2, 4, 4, 128, 3),
    TileShape(2, 2, 2, 4, 64, 5),
    TileShape(2, 2, 2, 4, 128, 4),
    TileShape(2, 2, 2, 4, 256, 2),
    TileShape(1, 4, 1, 2, 128, 5),
    TileShape(1, 4, 2, 2, 256, 3),
)
_HOPPER = tuple(
    hopper_shape(*sizes) for sizes in ((2, 256, 4), (2, 192, 4), (2, 128, 5), (2, 64, 6), (1, 128, 5), (1, 64, 6))
)

_GROUPED_CELLS = 64
"""Accumulators a thread that leave room for as many float totals: more of both spill."""

_RATES = {"cuda_wgmma": 1.0, "cuda_mma": 0.6, "cuda_dp4a": 0.06, "cuda_plain": 0.02, "cuda_skinny": 0.3}
"""Shares of the dense peak that a full tile can reach, to order candidates by."""


def candidates(job: Job, capability: int, *, multiprocessors: int = 132) -> tuple[Choice, ...]:
    """Return every choice that can compute `job`, the most promising first."""
    fitting = [c for c in _all(job) if c.reason_against(job, capability) is None]
    rows, columns = job.geometry.rows, job.geometry.columns
    return tuple(sorted(fitting, key=lambda c: _cost(c, rows, columns, multiprocessors)))


def choose(job: Job, capability: int, *, variant: str = "auto", multiprocessors: int = 132) -> Choice:
    """Return the most promising choice of a variant, or of all for `auto`.

    Raises:
        MachineError: the variant is unknown, or cannot compute the job here.
    """
    if variant not in ("auto", *VARIANTS):
        raise MachineError(f"unknown CUDA variant '{variant}'{suggest(variant, VARIANTS)}")
    found = [c for c in candidates(job, capability, multiprocessors=multiprocessors) if variant in ("auto", c.variant)]
    if found:
        return found[0]
    reasons = [c.reason_against(job, capability) for c in _all(job) if variant in ("auto", c.variant)]
    raise MachineError(f"{job.product} {job.words} by {variant}: {reasons[0] if reasons else 'no kernel'}")


def _all(job: Job) -> list[Choice]:
    found: list[Choice] = [Words("plain"), Words("dp4a")]
    if job.product not in PRODUCTS:
        return found[:1]
    least = 32 * PRODUCTS[job.product].planes
    found += [
        Tiles(shape)
        for shape in _TILES
        if shape.depth_bytes >= least and (not job.group_size or shape.accumulators <= _GROUPED_CELLS)
    ]
    found += [Hopper(shape) for shape in _HOPPER]
    few = (Skinny(8), Skinny(16)) if job.geometry.rows > 8 else (Skinny(8),)
    return [*found, *few] if job.geometry.rows <= FEW_ROWS else found


def _cost(choice: Choice, rows: int, columns: int, multiprocessors: int) -> float:
    """Return relative seconds: waves of blocks, each a tile's work at the rate that its variant reaches."""
    tile_rows, tile_columns = choice.tile
    blocks = ceil(rows / tile_rows) * ceil(columns / tile_columns)
    if choice.variant == "cuda_skinny":  # before all tiles; weights that are read once before those read twice
        return float(blocks) / columns
    edge = (tile_rows * tile_columns) / (tile_rows + tile_columns)  # products a byte that is copied
    rate = _RATES[choice.variant] * edge / (edge + 24.0)
    return ceil(blocks / multiprocessors) * tile_rows * tile_columns / rate
