"""The sizes that are worth trying for a product, best guess first; whoever has a clock may try them all."""

from __future__ import annotations

from math import ceil

from qbench.errors import MachineError, suggest
from qbench.kernels.cuda.choose.choice import LARGEST_SHARED, Choice, Hopper, Job, Skinny, Tiles, Words
from qbench.kernels.cuda.choose.panel_sizes import panels
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.language.shared import SHARED_MARGIN
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_shape
from qbench.kernels.cuda.multiply.products import PRODUCTS

VARIANTS = ("cuda_plain", "cuda_dp4a", "cuda_mma", "cuda_wgmma", "cuda_skinny", "cuda_panel", "cuda_panel_wgmma")
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
    hopper_shape(*sizes)  # warpgroups, columns, stages: few stages leave room for a second block
    for sizes in (
        (2, 256, 4), (2, 192, 4), (2, 128, 5), (2, 128, 3), (2, 64, 6), (2, 64, 3), (1, 256, 4), (1, 128, 5),
        (1, 128, 3), (1, 64, 6), (1, 64, 3),
    )
)  # fmt: skip

_LOADS = (4, 8)
"""Blocks of weights that lanes of skinny kernels take at a time."""

_GROUPED_CELLS = 64
"""Accumulators a thread that leave room for as many float totals: more of both spill."""

_RATES = {"cuda_wgmma": 1.0, "cuda_mma": 0.55, "cuda_dp4a": 0.06, "cuda_plain": 0.02, "cuda_skinny": 0.3}
"""Shares of the dense peak that a full tile can reach, to order candidates by."""

_BYTES_MULTIPLIED, _BYTES_MOVED = 7000.0, 30.0
"""Products of a lhs byte with a column, and bytes to and from memory, that a multiprocessor makes in a nanosecond."""

_ALONE_NS = 3000.0
"""What a block takes to begin and to end, hidden only by other blocks beside it."""

_REGISTERS, _OTHER_REGISTERS = 65536, 56
"""A multiprocessor's, and the registers of a thread that hold no sums."""


def candidates(job: Job, capability: int, *, multiprocessors: int = 132) -> tuple[Choice, ...]:
    """Return every choice that can compute `job`, the most promising first."""
    first, others = (
        [choice for choice in found if choice.reason_against(job, capability) is None]
        for found in (panels(job), _others(job))
    )
    return (*first, *sorted(others, key=lambda choice: _cost(choice, job, multiprocessors)))


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
    every = (*panels(job), *_others(job))
    reasons = [c.reason_against(job, capability) for c in every if variant in ("auto", c.variant)]
    raise MachineError(f"{job.product} {job.epilogue} by {variant}: {reasons[0] if reasons else 'no kernel'}")


def _others(job: Job) -> list[Choice]:
    """Return all choices but panels."""
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
    talls = (8, 16) if job.geometry.rows > 8 else (8,)
    few = [Skinny(tall, loads=loads) for tall in talls for loads in _LOADS]
    return [*found, *(few if job.geometry.rows <= FEW_ROWS else [])]


def _cost(choice: Choice, job: Job, multiprocessors: int) -> float:
    """Return relative seconds: waves of resident blocks, bound by arithmetic, by memory, or by one block's latency."""
    geometry, (tile_rows, tile_columns) = job.geometry, choice.tile
    blocks = ceil(geometry.rows / tile_rows) * ceil(geometry.columns / tile_columns)
    if choice.variant == "cuda_skinny":  # before all tiles; weights that are read once before those read twice
        return float(blocks) / geometry.columns / 1e9
    stage = choice.stage_bytes(job)
    depth = ceil(geometry.depth_bytes / stage) * stage
    edge = (tile_rows * tile_columns) / (tile_rows + tile_columns)  # products per byte that is copied
    rate = _RATES[choice.variant] * edge / (edge + 24.0)
    item = job.epilogue.item_bytes
    moved = tile_rows * (geometry.depth_bytes / geometry.taps + tile_columns * item) / _BYTES_MOVED
    work = max(tile_rows * tile_columns * depth / _BYTES_MULTIPLIED / rate, moved)
    resident = _resident(choice.shape, PRODUCTS[job.product].planes) if isinstance(choice, Tiles) else 2
    return ceil(blocks / (multiprocessors * resident)) * max(resident * work, work + _ALONE_NS)


def _resident(shape: TileShape, planes: int) -> int:
    """Return the blocks that a multiprocessor holds at a time."""
    registers = shape.threads * min(shape.accumulators + _OTHER_REGISTERS, 255)
    return max(1, min(LARGEST_SHARED // (shape.shared_bytes(planes) + SHARED_MARGIN), _REGISTERS // registers))
