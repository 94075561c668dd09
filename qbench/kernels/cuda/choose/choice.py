"""The ways to compute a product: each knows its sizes, how it wants weights packed, and what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qbench.kernels.cuda.language.shapes import CHUNK, TileShape
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import skinny
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.cuda.operands import (
    CODE_BITS,
    Codes,
    Geometry,
    binary_words,
    depth_of,
    packed_rhs,
    stored_as,
    ternary_words,
)  # fmt: skip
from qbench.kernels.epilogue import Epilogue

Bytes = npt.NDArray[np.uint8]
LARGEST_SHARED = 227 * 1024
"""Shared memory of a block on compute capability 9.0; 163 KiB on 8.0."""


@dataclass(frozen=True, slots=True)
class Job:
    """A product to run: operand types, epilogue, sizes."""

    product: str
    epilogue: Epilogue
    geometry: Geometry
    group_size: int = 0


class Choice(Protocol):
    """A way to compute a product."""

    @property
    def variant(self) -> str:
        """The name in tables."""
        ...

    @property
    def packing(self) -> str:
        """The layout of packed weights: choices that name the same one pack to the same bytes, sizes being equal."""
        ...

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        ...

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job` on a device of this compute capability (times ten), or None."""
        ...

    def stage_bytes(self, job: Job) -> int:
        """Return the bytes of a lhs row that depths are padded to a multiple of."""
        ...

    def piece(self, job: Job) -> int:
        """Return the bytes of a piece in the table of depth offsets."""
        ...

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return the rhs as the kernel wants it."""
        ...

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        ...


def whole_rows(codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> npt.NDArray[np.int16]:
    """Return rows of codes (channels, codes of the depth), zeros beyond the product's own."""
    rows = depth_of(codes, job.geometry)
    whole = np.zeros((channels, depth_bytes * 8 // CODE_BITS.get(job.product, 8)), np.int16)
    whole[: len(rows), : rows.shape[1]] = rows
    return whole


@dataclass(frozen=True, slots=True)
class Words:
    """32-bit words on plain integer units; a block has `side` x `side` threads. `how` is `plain` or `dp4a`."""

    how: str
    side: int = 16

    @property
    def variant(self) -> str:
        """The name in tables."""
        return f"cuda_{self.how}"

    @property
    def packing(self) -> str:
        """The layout of packed weights."""
        return "words"

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return 4 * self.side, 4 * self.side

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if job.product == "f16_s4":
            return "products of float16 run on tensor cores"
        if self.how == "dp4a" and job.product in ("b1_b1", "t2_t2"):
            return "dp4a multiplies bytes"
        return "groups are of bytes" if job.group_size and job.product in ("b1_b1", "t2_t2") else cut_groups(job)

    def stage_bytes(self, job: Job) -> int:
        """Return 16 words."""
        return 64

    def piece(self, job: Job) -> int:
        """Return a word's bytes."""
        return 4

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return bytes, or words of bits."""
        words = {"b1_b1": binary_words, "t2_t2": ternary_words}.get(job.product)
        if words is None:
            return whole_rows(codes, job, channels=channels, depth_bytes=depth_bytes).astype(np.int8).view(np.uint8)
        rows, full = words(codes, job.geometry), np.zeros((channels, depth_bytes), np.uint8)
        full[: len(rows), : rows.shape[1]] = rows
        return full

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        from qbench.kernels.cuda.multiply.words_kernel import words_kernel

        return words_kernel(job.product, str(job.epilogue), self.how, group_size=job.group_size, side=self.side)


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tensor cores by mma.sync."""

    shape: TileShape

    @property
    def variant(self) -> str:
        """The name in tables."""
        return "cuda_mma"

    @property
    def packing(self) -> str:
        """The layout of packed weights."""
        return "rows"

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return self.shape.rows, self.shape.columns

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if capability < 80:
            return f"mma.sync of integers with cp.async needs compute capability 8.0, got {capability / 10}"
        if job.product not in PRODUCTS:
            return "ternary by ternary products are popcounts of words"
        product = PRODUCTS[job.product]
        steps = self.shape.depth_bytes // 32
        group = job.group_size // product.codes_a_step
        if steps < product.planes:
            return f"a stage of {self.shape.depth_bytes} bytes is less than {product.planes} packed instructions deep"
        if job.group_size and (job.group_size % product.codes_a_step or max(group, steps) % min(group, steps)):
            return f"groups of {job.group_size} do not fit a stage of {steps} instructions of {product.codes_a_step}"
        return cut_groups(job)

    def stage_bytes(self, job: Job) -> int:
        """Return the depth of a stage."""
        return self.shape.depth_bytes

    def piece(self, job: Job) -> int:
        """Return 16, or 4 where channels are no multiple of 16."""
        return job.geometry.piece

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return packed rows."""
        stored = stored_as(job.product, job.geometry, depth_bytes)
        return packed_rhs(codes, stored, job.geometry, columns=channels, depth_bytes=depth_bytes)

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        from qbench.kernels.cuda.multiply.tile_kernel import tile_kernel

        stored = stored_as(job.product, job.geometry, depth_bytes)
        steps = job.group_size // PRODUCTS[job.product].codes_a_step
        return tile_kernel(stored, str(job.epilogue), self.shape, piece=job.geometry.piece, group_steps=steps)


@dataclass(frozen=True, slots=True)
class Hopper(Tiles):
    """Hopper's tensor cores by wgmma."""

    @property
    def variant(self) -> str:
        """The name in tables."""
        return "cuda_wgmma"

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if capability < 90:
            return f"wgmma needs compute capability 9.0, got {capability / 10}"
        if job.product not in ("u8_s8", "b1_b1") or job.group_size:
            return "wgmma takes bytes or bits from shared memory as they are"
        if job.geometry.piece != CHUNK:
            return "pixels of this many channels are copied four bytes at a time"
        return None

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        from qbench.kernels.cuda.multiply.hopper_kernel import hopper_kernel

        return hopper_kernel(job.product, str(job.epilogue), self.shape)


@dataclass(frozen=True, slots=True)
class Skinny:
    """Few lhs rows, 8 or 16 (`tall`) at a time: weights stream to registers in the order of lanes, `loads` a turn."""

    tall: int = 8
    warps: int = 8
    loads: int = 4

    @property
    def variant(self) -> str:
        """The name in tables."""
        return "cuda_skinny"

    @property
    def packing(self) -> str:
        """The layout of packed weights."""
        return "lanes"

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return self.tall, skinny.COLUMNS

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if capability < 80:
            return f"mma.sync of integers needs compute capability 8.0, got {capability / 10}"
        if job.product not in PRODUCTS:
            return "ternary by ternary products are popcounts of words"
        if job.geometry.taps != 1 or job.geometry.tap_bytes % self.stage_bytes(job):
            return f"the depth is no multiple of {self.stage_bytes(job)} bytes in one piece"
        product = PRODUCTS[job.product]
        if job.group_size % (product.codes_a_step * product.planes):
            return f"groups of {job.group_size} are cut by blocks of {product.codes_a_step * product.planes}"
        if self.kernel(job, job.geometry.depth_bytes).shared_bytes > LARGEST_SHARED:
            return "the groups' sums do not fit shared memory"
        return cut_groups(job)

    def stage_bytes(self, job: Job) -> int:
        """Return the lhs bytes of a group, or of a block of depth."""
        product = PRODUCTS[job.product]
        block = skinny.lhs_block_bytes(product)
        return max(block, job.group_size * CODE_BITS.get(job.product, 8) // 8)

    def piece(self, job: Job) -> int:
        """Return anything that divides the depth: the table is not read."""
        return job.geometry.piece

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return the words of every lane."""
        rows = whole_rows(codes, job, channels=channels, depth_bytes=depth_bytes)
        return skinny.pack_lanes(rows, PRODUCTS[job.product])

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        from qbench.kernels.cuda.multiply.skinny_kernel import skinny_kernel

        return skinny_kernel(
            job.product, str(job.epilogue), group_size=job.group_size, tall=self.tall, warps=self.warps,
            loads=self.loads, slots=depth_bytes // self.stage_bytes(job),
        )  # fmt: skip


def cut_groups(job: Job) -> str | None:
    """Return why a job's groups cannot be told apart, or None."""
    geometry = job.geometry
    if job.group_size and geometry.tap_codes != geometry.channels and geometry.taps > 1:
        return f"groups would be cut by the padding of {geometry.channels} channels"
    return None
