"""How an activation tensor lies in memory: NHWC with a border and padded channels, and the tables that address it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
ALIGNMENT = 64
CHANNEL_MULTIPLE = 16
"""Channels are padded to whole 512-bit accumulators, so that no store needs a mask."""


def aligned(size_bytes: int) -> npt.NDArray[np.uint8]:
    """Return a zeroed uint8 array of `size_bytes` whose address is a multiple of 64; 64 bytes behind it may be read."""
    raw = np.zeros(size_bytes + 2 * ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size_bytes]


def padded_channels(channels: int) -> int:
    """Return `channels` rounded up to a multiple of 16."""
    return -(-channels // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE


@dataclass(frozen=True, slots=True)
class Layout:
    """An NHWC buffer: `border` is (top, left, bottom, right); `words` are the elements a pixel takes, with padding."""

    images: int
    height: int
    width: int
    channels: int
    words: int
    item_bytes: int
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def padded_height(self) -> int:
        """Rows with the border."""
        return self.height + self.border[0] + self.border[2]

    @property
    def padded_width(self) -> int:
        """Columns with the border."""
        return self.width + self.border[1] + self.border[3]

    @property
    def pixel_bytes(self) -> int:
        """Bytes from one pixel to the next."""
        return self.words * self.item_bytes

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the whole buffer, border and padding included."""
        return (self.images, self.padded_height, self.padded_width, self.words)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole buffer."""
        return self.images * self.padded_height * self.padded_width * self.pixel_bytes

    def interior(self, buffer: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return a view without border and channel padding, of shape (images, height, width, channels)."""
        top, left, _, _ = self.border
        whole = buffer.reshape(self.shape)
        return whole[:, top : top + self.height, left : left + self.width, : self.channels]

    def pixel_offsets(self) -> Offsets:
        """Return the byte offset of every interior pixel, int64 (pixels,), image by image, row by row."""
        return self.window_offsets((self.height, self.width), (1, 1), (0, 0))

    def window_offsets(self, out: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int]) -> Offsets:
        """Return the byte offset of the first tap of every output pixel's window.

        Args:
            out: output (height, width).
            strides: (vertical, horizontal) steps.
            pads: (top, left) padding of the convolution; the border must be at least as large.
        """
        image = np.arange(self.images, dtype=np.int64)[:, None, None] * self.padded_height
        row = np.arange(out[0], dtype=np.int64)[None, :, None] * strides[0] + self.border[0] - pads[0]
        column = np.arange(out[1], dtype=np.int64)[None, None, :] * strides[1] + self.border[1] - pads[1]
        return np.ascontiguousarray((((image + row) * self.padded_width + column) * self.pixel_bytes).ravel())

    def tap_offsets(
        self, kernel: tuple[int, int], dilations: tuple[int, int], group_bytes: int, groups: int
    ) -> Offsets:
        """Return the byte offset of every k-group of a window: taps row by row, channel groups innermost."""
        row = np.arange(kernel[0], dtype=np.int64)[:, None, None] * (
            dilations[0] * self.padded_width * self.pixel_bytes
        )
        column = np.arange(kernel[1], dtype=np.int64)[None, :, None] * (dilations[1] * self.pixel_bytes)
        group = np.arange(groups, dtype=np.int64)[None, None, :] * group_bytes
        return np.ascontiguousarray((row + column + group).ravel())
