"""Panels of columns as a choice: few lhs rows by 4-bit weights in groups."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.kernels.cuda.choose.choice import LARGEST_SHARED, Bytes, Job, cut_groups, whole_rows
from qbench.kernels.cuda.language.shapes import CHUNK
from qbench.kernels.cuda.language.shared import SHARED_MARGIN
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import skinny
from qbench.kernels.cuda.multiply.hopper_panel import GROUP_SIZE, HopperPanelShape
from qbench.kernels.cuda.multiply.hopper_panel_kernel import hopper_panel_kernel
from qbench.kernels.cuda.multiply.panel import MAGIC
from qbench.kernels.cuda.multiply.panel_kernel import panel_kernel, shared_bytes
from qbench.kernels.cuda.multiply.panel_shape import PanelShape
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.cuda.operands import Codes

_LARGEST_PRODUCT = 255 * 128
"""Of a lhs code by a byte that holds a weight's code in its highest bits."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Few lhs rows at a time by a panel of columns; see `panel_kernel`."""

    shape: PanelShape

    @property
    def variant(self) -> str:
        """The name in tables."""
        return "cuda_panel"

    @property
    def packing(self) -> str:
        """The layout of packed weights: that of skinny kernels."""
        return "lanes"

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return self.shape.tall, self.shape.columns

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if capability < 80:
            return f"mma.sync of integers with cp.async needs compute capability 8.0, got {capability / 10}"
        if job.product != "u8_t4" or not job.group_size:
            return "panels are of 4-bit weights in groups by bytes"
        product = PRODUCTS[job.product]
        if job.group_size % (product.codes_a_step * product.planes):
            return f"groups of {job.group_size} are cut by blocks of {product.codes_a_step * product.planes}"
        if job.group_size * _LARGEST_PRODUCT >= MAGIC // 3:
            return f"sums of groups of {job.group_size} do not fit a float32's lower bits"
        if self.stage_bytes(job) // CHUNK > self.shape.threads:
            return "a row of a stage has more pieces than a block has threads"
        if job.geometry.piece != CHUNK:
            return "pixels of this many channels are copied four bytes at a time"
        if shared_bytes(job.product, self.shape, job.group_size) > LARGEST_SHARED:
            return "the stages do not fit shared memory"
        return cut_groups(job)

    def stage_bytes(self, job: Job) -> int:
        """Return the lhs bytes of a stage's groups."""
        return self.shape.groups * job.group_size

    def piece(self, job: Job) -> int:
        """Return 16."""
        return CHUNK

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return the words of every lane."""
        rows = whole_rows(codes, job, channels=channels, depth_bytes=depth_bytes)
        return skinny.pack_lanes(rows, PRODUCTS[job.product])

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        return panel_kernel(job.product, str(job.epilogue), self.shape, group_size=job.group_size)


@dataclass(frozen=True, slots=True)
class HopperPanel:
    """More lhs rows at a time, by wgmma; see `hopper_panel_kernel`."""

    shape: HopperPanelShape

    @property
    def variant(self) -> str:
        """The name in tables."""
        return "cuda_panel_wgmma"

    @property
    def packing(self) -> str:
        """The layout of packed weights."""
        return "lanes in order"

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return self.shape.rows, self.shape.columns

    def reason_against(self, job: Job, capability: int) -> str | None:
        """Return why this cannot compute `job`, or None."""
        if capability < 90:
            return f"wgmma needs compute capability 9.0, got {capability / 10}"
        if job.product != "u8_t4" or job.group_size != GROUP_SIZE:
            return f"panels of wgmma are of 4-bit weights in groups of {GROUP_SIZE} by bytes"
        if job.geometry.piece != CHUNK:
            return "pixels of this many channels are copied four bytes at a time"
        if self.shape.shared_bytes + SHARED_MARGIN > LARGEST_SHARED:
            return "the stages do not fit shared memory"
        return cut_groups(job)

    def stage_bytes(self, job: Job) -> int:
        """Return the lhs bytes of a stage's groups."""
        return GROUP_SIZE * self.shape.units

    def piece(self, job: Job) -> int:
        """Return 16."""
        return CHUNK

    def packed(self, codes: Codes, job: Job, *, channels: int, depth_bytes: int) -> Bytes:
        """Return the words of every lane, their steps in the depth's order."""
        rows = whole_rows(codes, job, channels=channels, depth_bytes=depth_bytes)
        return skinny.pack_lanes(rows, PRODUCTS[job.product], in_order=True)

    def kernel(self, job: Job, depth_bytes: int) -> Kernel:
        """Return the kernel."""
        return hopper_panel_kernel(job.product, str(job.epilogue), self.shape)
