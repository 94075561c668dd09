"""Depthwise convolutions as objects: weights and parameters are laid out once, `task` joins them to buffers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.conv.tables import INT32_END
from qbench.kernels.depthwise.fields import FIELDS, LEAST, STRIPPED
from qbench.kernels.depthwise.in_blocks import Blocks
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.layout import Layout
from qbench.kernels.native import task_function
from qbench.kernels.tasks import Task, float_bits, task_of
from qbench.kernels.variants import PORTABLE

Buffer = npt.NDArray[np.uint8]


def variants_of() -> tuple[str, ...]:
    """Return the variants that depthwise convolutions have."""
    return (PORTABLE, *STRIPPED)


@dataclass(frozen=True, eq=False)
class Depthwise:
    """A depthwise convolution of u8 codes (channels, kh, kw) s8, to u8.

    Args:
        rhs: s8 codes (channels, kh, kw).
        window: geometry; the lhs's border must be at least its padding.
        lhs: layout of the input.
        out: layout of the output.
        params: per-channel parameters, of one group, without shift; low and high are whole numbers.
        floor: whether to round down; not read where `params` are fixed.
        variant: name of the variant.
    """

    rhs: npt.NDArray[np.int8]
    window: Window
    lhs: Layout
    out: Layout
    params: ChannelParams
    floor: bool
    variant: str

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        return f"depthwise_u8_s8_u8/{self.variant if self._strips else PORTABLE}"

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights and parameters in the kernel's layout."""
        return (self._laid_out["rhs"].nbytes if self._strips else self.rhs.size) + 12 * len(self.rhs)

    @property
    def epilogue(self) -> Epilogue:
        """The epilogue, with the words that binding found."""
        return Epilogue("u8", Words(floor=self.floor), fixed=self.params.fixed is not None)

    @property
    def packed(self) -> None:
        """No panels: each channel has a window of its own."""

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs: none."""
        return 0

    def task(self, lhs: Buffer, out: Buffer, residual: Buffer | None = None, *, scratch: Buffer | None = None) -> Task:
        """Return the task that reads and writes these buffers; there is no residual, and `scratch` is not used."""
        return self._stripped(lhs, out) if self._strips else self._portable(lhs, out)

    @property
    def _strips(self) -> bool:
        """Whether strips can compute it: whole blocks of channels, results within int32 before rounding."""
        if self.variant not in STRIPPED or self.lhs.words % LEAST or self.out.words < self.lhs.words:
            return False  # up to 4 channels lie in 4 words
        p, depth = self.params, self.rhs[0].size
        if p.fixed is not None:
            return True
        acc = 255.0 * 128.0 * depth + float(np.abs(p.correction.astype(np.float64)).max())
        bound = acc * float(np.abs(p.scale).max()) + float(np.abs(p.offset).max())
        return bool(bound < INT32_END)

    @property
    def _rounding(self) -> str:
        return "fixed" if self.params.fixed is not None else "floor" if self.floor else "nearest"

    @property
    def _geometry(self) -> tuple[int, ...]:
        """Pixels of a strip, rows and columns of the window, steps along the row of windows and of columns."""
        width, (_, kh, kw) = self.out.width, self.rhs.shape
        pixels = next((pixels for pixels in STRIPPED[self.variant] if width % pixels == 0), min(width, 4))
        return (pixels, kh, kw, self.window.strides[1], self.window.dilations[1])

    @cached_property
    def _laid_out(self) -> dict[str, npt.NDArray[Any]]:
        """Weights and parameters as strips read them: once for all the tasks of all threads."""
        p, blocks = self.params, Blocks(self.lhs.words, self.variant)
        given = {name: getattr(p, name) for name in ("correction", "scale", "offset")} | {"shift": p.offset}
        if p.fixed is not None:
            zero = np.full(len(self.rhs), p.fixed.zero_point, np.int32)
            given |= {"scale": p.fixed.multiplier, "shift": p.fixed.exponent, "offset": zero}
        laid = {name: np.ascontiguousarray(blocks.in_lanes(values)) for name, values in given.items()}
        limits = np.repeat(np.clip([p.low, p.high], 0, 255).astype(np.uint8), blocks.full)
        return {"rhs": blocks.weights(self.rhs, self._geometry), "limits": limits} | laid

    def _stripped(self, lhs: Buffer, out: Buffer) -> Task:
        a, b, window, p, arrays = self.lhs, self.out, self.window, self.params, self._laid_out
        first = a.window_offsets((1, 1), window.strides, window.pads[:2])[0]
        start = b.pixel_offsets()[0]
        lhs_row, out_row = a.padded_width * a.pixel_bytes, b.padded_width * b.pixel_bytes
        numbers = {
            "lhs": lhs.ctypes.data + int(first), "out": out.ctypes.data + int(start),
            **{name: array.ctypes.data for name, array in arrays.items()},
            "low": float_bits(p.low), "high": float_bits(p.high),
            "out_height": b.height, "out_width": b.width,
            "lhs_image": a.padded_height * lhs_row, "lhs_row": window.strides[0] * lhs_row, "lhs_pixel": a.pixel_bytes,
            "lhs_tap_row": window.dilations[0] * lhs_row,
            "out_image": b.padded_height * out_row, "out_row": out_row, "out_pixel": b.pixel_bytes,
            "channels": min(a.words, b.words), "block_bytes": len(arrays["rhs"]) // len(arrays["scale"]),
        }  # fmt: skip
        factory = "qbench.kernels.depthwise.driver:strips_of"
        function = task_function(factory, *self._geometry, self._rounding, self.variant)
        keep = (lhs, out, *arrays.values())
        return Task(function, np.array([numbers[name] for name in FIELDS], np.int64), keep)

    def _portable(self, lhs: Buffer, out: Buffer) -> Task:
        a, b, window, p = self.lhs, self.out, self.window, self.params
        rhs = np.ascontiguousarray(self.rhs.transpose(1, 2, 0))
        corners = ((a.border[0] - window.pads[0], a.border[1] - window.pads[1]), b.border[:2])
        arguments = (
            lhs[: a.size_bytes].reshape(a.shape), rhs, out[: b.size_bytes].reshape(b.shape),
            (b.height, b.width, len(self.rhs)), corners, (window.strides, window.dilations),
        )  # fmt: skip
        if p.fixed is not None:
            numbers = (p.correction, p.fixed.multiplier, p.fixed.exponent)
            more = (numbers, (int(p.low), int(p.high)), int(p.fixed.zero_point))
            return task_of("qbench.kernels.depthwise.portable:depthwise_fixed", (*arguments, *more), units=b.height)
        floats = ((p.correction, p.scale, p.offset), (np.float32(p.low), np.float32(p.high)), self.floor)
        return task_of("qbench.kernels.depthwise.portable:depthwise_u8_s8_u8", (*arguments, *floats), units=b.height)
