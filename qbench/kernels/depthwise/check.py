"""Depthwise convolutions against their law: windows, strides, odd widths and channels, guards around the output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qbench.kernels.conv.fixed_point import fixed_point, requantize_fixed
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window, epilogue
from qbench.kernels.depthwise.operation import Depthwise
from qbench.kernels.depthwise.reference import depthwise_s32
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.product import U8_S8
from qbench.kernels.program import run_task

GUARD = 0xAB
Size = tuple[int, int, int, int]  # images, height, width, channels
CASES: tuple[tuple[Size, Window], ...] = (
    ((2, 7, 7, 64), Window((3, 3), (1, 1), (1, 1, 1, 1))),
    ((1, 9, 8, 96), Window((3, 3), (2, 2), (1, 1, 1, 1))),
    ((1, 6, 5, 144), Window((5, 5), (1, 1), (2, 2, 2, 2))),
    ((1, 5, 9, 48), Window((5, 5), (2, 2), (2, 2, 2, 2))),
    ((1, 4, 1, 17), Window((3, 1), (1, 1), (1, 0, 1, 0))),
    ((1, 8, 6, 33), Window((2, 3), (1, 2), (0, 3, 2, 1), (2, 1))),
    ((2, 5, 6, 4), Window((3, 3), (1, 1), (1, 1, 1, 1))),
    ((1, 3, 28, 40), Window((3, 3), (1, 1), (1, 1, 1, 1))),
    ((1, 9, 11, 32), Window((3, 3), (1, 1), (2, 2, 2, 2), (2, 2))),
    ((1, 5, 13, 64), Window((4, 2), (1, 1), (1, 1, 2, 0))),
    ((1, 2, 9, 16), Window((1, 5), (1, 3), (0, 2, 0, 2))),
)


def check_depthwise(variant: str, cases: tuple[tuple[Size, Window], ...] = CASES) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    count = 0
    for size, window in cases:
        for values in ("random", "high", "low"):
            for rounding in ("nearest", "floor", "fixed"):
                count += 1
                detail = _compare(variant, size, window, values, rounding)
                if detail:
                    return count, f"{size} {window} {values} {rounding}: {detail}"
    return count, ""


def _compare(variant: str, size: Size, window: Window, values: str, rounding: str) -> str:
    rng, (images, height, width, channels) = np.random.default_rng(5), size
    a = rng.integers(0, 256, size).astype(np.uint8) if values == "random" else np.full(size, 255, np.uint8)
    shape = (channels, *window.kernel)
    rhs = rng.integers(-128, 128, shape) if values == "random" else np.full(shape, 127 if values == "high" else -128)
    params = ChannelParams(
        rng.integers(-1000, 1000, channels).astype(np.int32),
        (rng.uniform(0.5, 2.0, channels) * 5e-4).astype(np.float32),
        rng.uniform(-50, 200, channels).astype(np.float32),
        low=3.0,
        high=250.0,
    )
    if rounding == "fixed":
        params = replace(params, fixed=fixed_point(params.scale, 90))
    words = U8_S8.pixel_words(channels)
    lhs = Layout(images, height, width, channels, words, 1, window.pads)
    out = Layout(images, *window.out(height, width), channels, words, 1, (1, 2, 1, 1))
    source, target = aligned(lhs.size_bytes), aligned(out.size_bytes)
    source.reshape(lhs.shape)[..., :channels] = 9
    lhs.interior(source)[:] = a
    target[:] = GUARD
    operation = Depthwise(rhs.astype(np.int8), window, lhs, out, params, rounding == "floor", variant)
    run_task(operation.task(source, target), images=images)
    acc = depthwise_s32(a, rhs, window, pad_code=9) + params.correction
    if params.fixed is not None:
        want = requantize_fixed(acc, params.fixed, 3.0, 250.0)
    else:
        scaled = [(acc, params.scale)]
        want = epilogue(scaled, params.offset, low=3.0, high=250.0, rounding=rounding).astype(np.uint8)
    got = out.interior(target)
    if not np.array_equal(got, want):
        return f"{int(np.sum(got != want))} of {want.size} differ"
    whole = target.reshape(out.shape).copy()
    whole[:, 1 : 1 + out.height, 2 : 2 + out.width] = GUARD
    return "" if np.all(whole == GUARD) else "a guard byte around the output changed"
