"""Attention on codes against its law, bit by bit: odd tokens, extreme codes, masks, windows, guards behind rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.program import run_task
from qbench.kernels.tasks import task_of
from qbench.kernels.tokens import reference
from qbench.kernels.tokens.check import NUMBERS, PAD, Ends
from qbench.kernels.tokens.rounds import integer_kind, words_of

SIZES = (
    # images, windows, tokens, key tokens, heads, a head's channels
    (1, 1, 128, 128, 3, 32), (2, 1, 8, 8, 2, 16), (1, 3, 9, 33, 3, 48), (2, 2, 7, 5, 1, 16), (1, 1, 1, 1, 2, 4),
    (1, 1, 17, 40, 2, 20), (1, 1, 24, 65, 2, 64), (1, 2, 1, 31, 4, 8),
)  # fmt: skip
Codes = npt.NDArray[np.uint8]


def check_attention_u8(variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    rng, count = np.random.default_rng(10), 0
    for images, windows, tokens, others, heads, depth in SIZES:
        for extreme in (False, True):
            for masked in (False, True):
                count += 1
                shapes = [(images, windows * length, heads * depth) for length in (tokens, others, others)]
                values = np.array([0, 255] if extreme else range(256), np.uint8)
                codes = tuple(rng.choice(values, shape) for shape in shapes)
                mask = _mask(rng, (images, windows, heads, tokens, others)) if masked else None
                size = (windows, tokens, others, heads, depth)
                if detail := _compare(variant, codes, mask, size, zeros=(int(rng.integers(256)), 255 * extreme)):
                    return count, f"{windows} x {tokens} by {others} tokens, {heads} heads of {depth}: {detail}"
    return count, ""


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return masks of which one row is -inf and some numbers are; the rest biases."""
    mask = rng.standard_normal(shape).astype(np.float32)
    mask[rng.random(shape) < 0.2] = -np.inf
    mask[..., 0, :] = -np.inf
    mask[:, -1, -1] = np.finfo(np.float32).min
    return mask


def _compare(
    variant: str, codes: tuple[Codes, ...], mask: npt.NDArray[np.float32] | None, size: tuple[int, ...], *,
    zeros: tuple[int, int],
) -> str:  # fmt: skip
    """Return how a variant differs from the law."""
    windows, tokens, others, heads, depth = size
    images, channels = len(codes[0]), heads * depth
    scales = (np.float32(0.3 / (128 * 128 * depth**0.5)), np.float32(0.013))
    ends = Ends(images * windows * tokens, channels)
    flat = [np.pad(x.reshape(-1, channels), ((0, 0), (0, ends.width - channels)), constant_values=77) for x in codes]
    memory = np.full(images * windows * heads * words_of(others, depth), -1, np.int32)
    given: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * 2
    steps: list[tuple[int, ...]] = [(0,) * 4] * 2
    if mask is not None:
        bias = (mask[0, :, :1] * 0.5).copy()  # of windows and tokens, the same for all images and heads
        bias[np.abs(bias) > 100] = 0
        of_bias = (0, bias.strides[0] // 4, 0, bias.strides[2] // 4)
        given, steps = [mask.reshape(-1), bias.reshape(-1)], [tuple(step // 4 for step in mask.strides[:4]), of_bias]
        mask = mask + bias
    views = (memory, memory.view(np.uint8), memory.view(np.float32))
    arguments = (
        flat[0].reshape(-1), flat[1].reshape(-1).view(np.int32), flat[2].reshape(-1), *given, *steps, ends.reals,
        ends.codes, views, (tokens, others, heads, depth, windows), (ends.width,) * 4, zeros, scales, NUMBERS, False,
        integer_kind(variant),
    )  # fmt: skip
    kernel = "qbench.kernels.tokens.integer:attention_u8"
    run_task(task_of(kernel, arguments, units=windows * heads), images=images)
    parts = [x.reshape(images * windows, -1, channels) for x in codes]
    masks = None if mask is None else mask.reshape(-1, heads, tokens, others)
    expected = reference.attention_u8(*parts, heads=heads, scales=scales, zeros=zeros, mask=masks)
    expected = expected.reshape(-1, channels)
    found = ends.reals.reshape(-1, ends.width)[:, :channels]
    if not np.array_equal(found.view(np.int32), expected.view(np.int32)):
        return f"{int(np.sum(found != expected))} of {found.size} numbers differ"
    return ends.compare(expected.astype(np.float64), floor=False)


assert PAD % 4 == 0, "rows of codes are read as words"
