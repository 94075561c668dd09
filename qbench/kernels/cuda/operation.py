"""Products and convolutions on a machine: packed and uploaded once, attached to buffers, run many times."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from qbench.errors import MachineError
from qbench.kernels.conv.params import ChannelParams, folded
from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda import layers
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.language.arguments import Sizes
from qbench.kernels.cuda.machines.machine import Array, Buffer, Launch, Machine
from qbench.kernels.cuda.operands import (
    Bytes,
    Codes,
    Geometry,
    bit_counts,
    k_offsets,
    padded_to,
)  # fmt: skip
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout

Known = dict[tuple[str, int, int], Bytes]
"""Packed weights by their layout, columns and bytes of depth."""

LARGEST_BYTES = 2**31 - 1
"""Kernels address buffers with signed 32-bit offsets."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is computed; the lhs's border holds the window's padding."""

    product: str
    epilogue: Epilogue
    window: Window
    lhs: Layout
    out: Layout
    residual: Layout | None = None

    @property
    def name(self) -> str:
        """The operation's name in tables."""
        family = "gemm" if (self.lhs.height, self.lhs.width) == (1, 1) else "conv"
        return f"{family}_{self.product}_{self.epilogue.kind}"


class DeviceProduct:
    """A product with its weights, tables and parameters on a machine.

    Args:
        machine: where it runs.
        task: what is computed.
        codes: OHWI codes: -1 and 1 for `b1_b1`, levels for packed products, s8 for `u8_s8`.
        params: per-column parameters.
        choice: which kernel, of which sizes.
        known: weights of the same codes that are packed already, by their layout; what is packed here is added.
    """

    def __init__(
        self,
        machine: Machine,
        task: Task,
        codes: Codes,
        params: ChannelParams,
        choice: Choice,
        *,
        known: Known | None = None,
    ) -> None:
        self.machine, self.task, self.choice = machine, task, choice
        self.geometry = Geometry.of(task.product, task.window, task.lhs, task.out, len(codes))
        for what, layout in (("lhs", task.lhs), ("out", task.out)):
            if layout.size_bytes > LARGEST_BYTES:
                raise MachineError(f"{task.name}: {what} takes {layout.size_bytes} bytes, at most {LARGEST_BYTES}")
        self.job = job = Job(task.product, task.epilogue, self.geometry, params.group_size)
        reason = choice.reason_against(job, machine.capability)
        if reason is not None:
            raise MachineError(f"{task.name} by {choice.variant}: {reason}")
        stage = choice.stage_bytes(job)
        depth_bytes = -(-self.geometry.depth_bytes // stage) * stage
        self.k_stages = depth_bytes // stage
        self.channels = -(-len(codes) // choice.tile[1]) * choice.tile[1]
        self.stored = min(self.channels, task.out.words, -(-len(codes) // 16) * 16)
        if self.stored % 4:
            raise MachineError(f"{task.name}: an output pixel takes {task.out.words} numbers, no multiple of 4")
        self._kernel = choice.kernel(job, depth_bytes)
        self._upload(codes, params, depth_bytes, {} if known is None else known)

    def _upload(self, codes: Codes, params: ChannelParams, depth_bytes: int, known: Known) -> None:
        task, up = self.task, self.machine.upload
        layout = (self.choice.packing, self.channels, depth_bytes)
        if layout not in known:
            known[layout] = self.choice.packed(codes, self.job, channels=self.channels, depth_bytes=depth_bytes)
        self._rhs = up(known[layout])
        size, piece = (task.out.height, task.out.width), self.choice.piece(self.job)
        rows_out = task.out.pixel_offsets()
        self._tables = tuple(
            up(table.astype(np.int32))
            for table in (
                task.lhs.window_offsets(size, task.window.strides, task.window.pads[:2]),
                rows_out,
                rows_out if task.residual is None else task.residual.pixel_offsets(),
                k_offsets(task.lhs, task.window, self.geometry, piece=piece, depth_bytes=depth_bytes),
            )
        )
        params = folded(params)
        if task.product == "b1_b1":
            correction = params.correction + codes[0].size - 2 * bit_counts(codes)
            params = replace(params, correction=correction.astype(np.int32))
        self._params = tuple(up(array) for array in self._padded(params, depth_bytes))
        self._limits = tuple(np.float32(v) for v in (params.low, params.high, params.residual_scale))
        self._sizes = Sizes(self.geometry.rows, self.channels, self.stored, self.k_stages, params.sum_correction)

    def _padded(self, params: ChannelParams, depth_bytes: int) -> list[Array]:
        """Return correction, scale, offset and shift for whole tiles, and the scale for whole groups."""
        correction, scale = params.correction, np.atleast_2d(params.scale)
        if params.group_size:
            bits = 16 if self.task.product == "f16_s4" else 8
            groups = -(-depth_bytes * 8 // (params.group_size * bits))
            correction, scale = correction[0], np.pad(scale, ((0, groups - len(scale)), (0, 0)))  # see `folded`
        shift = params.offset if params.shift is None else params.shift
        wide = [padded_to(v, self.channels) for v in (correction, scale, params.offset, shift)]
        return [v.astype(kind) for v, kind in zip(wide, (np.int32, *[np.float32] * 3), strict=True)]

    @property
    def name(self) -> str:
        """The operation and the kernel that computes it."""
        return f"{self.task.name}/cuda_{self._kernel.name}"

    @property
    def resident_bytes(self) -> int:
        """Bytes of packed weights and parameters."""
        return self._rhs.size_bytes + sum(p.size_bytes for p in self._params)

    def attach(self, lhs: Buffer, out: Buffer, residual: Buffer | None = None) -> tuple[Launch, ...]:
        """Return the launches that compute `out`, to be run in order."""
        launches, task = [], self.task
        sums = self._params[0]
        if task.epilogue.words.sum or task.product == "b1_b1":
            sums = self.machine.empty(4 * self.geometry.rows)
            launches.append(self._row_sums(lhs, sums))
        arrays = (lhs, self._rhs, out, residual or lhs, *self._tables, *self._params, sums)
        tile_rows, tile_columns = self.choice.tile
        grid = -(-self.geometry.rows // tile_rows) * (self.channels // tile_columns)
        launches.append(self.machine.launch(self._kernel, grid, (arrays, self._limits, self._sizes.values())))
        return tuple(launches)

    def twin(self) -> DeviceProduct:
        """Return the same product with weights of its own: consecutive runs of twins find none in a cache."""
        found = copy(self)
        found._rhs = self.machine.duplicate(self._rhs)
        return found

    def _row_sums(self, lhs: Buffer, sums: Buffer) -> Launch:
        """Return the launch that writes each row's sum of codes, or number of set bits, to `sums`."""
        task, geometry = self.task, self.geometry
        bits = task.product == "b1_b1"
        offsets = task.lhs.tap_offsets(task.window.kernel, task.window.dilations, geometry.tap_bytes, 1)
        taps = self.machine.upload(offsets.astype(np.int32))
        sizes = (geometry.rows, geometry.taps, geometry.tap_bytes // 4 if bits else geometry.channels)
        grid = -(-geometry.rows // layers.THREADS)
        return self.machine.launch(layers.row_sums_kernel(bits=bits), grid, (lhs, self._tables[0], taps, sums, sizes))


def run_all(launches: tuple[Launch, ...]) -> Callable[[], None]:
    """Return one call for several launches."""
    calls = [launch.run for launch in launches]

    def run() -> None:
        for call in calls:
            call()

    return run
