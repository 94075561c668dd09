"""Token kernels against their law: odd rows and channels, long ranges, guards around what is written.

Float32 results come within `TOLERANCE` of the float64 law, by the largest number of the row; codes are those that
`quantize.reference` gives the very float32 results; every variant of attention gives the portable one's bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.program import run_task
from qbench.kernels.tasks import task_of
from qbench.kernels.tokens import reference
from qbench.kernels.tokens.rounds import attention_kind, room_of

TOLERANCE = 4e-6
"""32 units in the last place of the largest number: sums of up to 1,500 numbers in float32."""
WIDTHS = (1, 5, 16, 31, 48, 384, 1536)
ROWS_AT_ONCE = 5
PAD = 16
"""Words between one row's numbers and the next row's, which must stay as they are."""
GUARD = 0x5A
NUMBERS = (np.float32(17.3), np.float32(119.0), np.float32(251.0))
Floats = npt.NDArray[np.float32]
_ROWS = "qbench.kernels.tokens.rows"
_NO_FLOATS, _NO_CODES = np.empty(0, np.float32), np.empty(0, np.uint8)


class Ends:
    """Where a kernel writes rows of `channels` numbers, with guards behind every row."""

    def __init__(self, rows: int, channels: int) -> None:
        self.width, self._channels = channels + PAD, channels
        self._bytes = np.full((rows, 4 * self.width), GUARD, np.uint8)
        self._codes = np.full((rows, self.width), GUARD, np.uint8)

    @property
    def reals(self) -> Floats:
        """The float32 buffer, flat."""
        return self._bytes.view(np.float32).reshape(-1)

    @property
    def codes(self) -> npt.NDArray[np.uint8]:
        """The buffer of codes, flat."""
        return self._codes.reshape(-1)

    def compare(self, expected: npt.NDArray[np.float64], *, floor: bool, codes: bool = True) -> str:
        """Return how far the buffers are from float64 rows, or ''."""
        found = self._bytes.view(np.float32)[:, : self._channels]
        error = np.abs(found - expected).max(axis=-1) / np.maximum(np.abs(expected).max(axis=-1), 1e-30)
        if not error.max() <= TOLERANCE:
            return f"off by {error.max():.2g} of the largest number, expected at most {TOLERANCE:g}"
        if codes:
            t = found * NUMBERS[0] + NUMBERS[1]
            want = np.clip(np.floor(t) if floor else np.rint(t), 0, NUMBERS[2]).astype(np.uint8)
            if wrong := int(np.sum(self._codes[:, : self._channels] != want)):
                return f"{wrong} of {want.size} codes differ"
        untouched = self._bytes[:, 4 * self._channels :], self._codes[:, self._channels :]
        return "" if all(np.all(part == GUARD) for part in untouched) else "a guard behind a row changed"


def _padded(x: Floats, width: int) -> Floats:
    full = np.full((len(x), width), np.nan, np.float32)
    full[:, : x.shape[1]] = x
    return full.reshape(-1)


def _cases() -> Iterator[tuple[Floats, Ends, bool, str]]:
    """Yield (rows, where results go, rounding down, what it is)."""
    rng = np.random.default_rng(11)
    for channels in WIDTHS:
        for spread in (0.1, 3.0, 60.0):
            for floor in (False, True):
                x = (rng.standard_normal((ROWS_AT_ONCE, channels)) * spread).astype(np.float32)
                yield x, Ends(ROWS_AT_ONCE, channels), floor, f"{channels} channels, spread {spread}, floor={floor}"


def check_layer_norm(variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''; with and without a second summand."""
    rng, count = np.random.default_rng(5), 0
    for x, ends, floor, what in _cases():
        channels = x.shape[1]
        for added in (False, True):
            count += 1
            other = rng.standard_normal(x.shape).astype(np.float32) if added else np.zeros((1, channels), np.float32)
            scale, offset = rng.uniform(0.5, 2.0, (2, channels)).astype(np.float32)
            tensors = (_padded(x, ends.width), _padded(other, ends.width), ends.reals, ends.codes)
            sizes = (channels, ends.width, ends.width if added else 0)
            for kernel, shift in (("layer_norm_f32", offset), ("rms_norm_f32", np.zeros_like(offset))):
                arguments = (*tensors, (scale, shift), sizes, np.float32(1e-5), NUMBERS, floor)
                run_task(task_of(f"{_ROWS}:{kernel}", arguments, units=len(x)))
                centred = kernel == "layer_norm_f32"
                expected = reference.layer_norm(x + other, scale, shift, 1e-5, centred=centred)
                if detail := ends.compare(expected, floor=floor):
                    return count, f"{kernel}, {what}, added={added}: {detail}"
    return count, ""


def check_gelu(function: str, variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    count = 0
    for x, ends, floor, what in _cases():
        count += 1
        source, tanh, size = _padded(x, ends.width), function == "gelu_tanh", (x.shape[1], ends.width)
        run_task(task_of(f"{_ROWS}:gelu_f32_f32", (source, ends.reals, *size, tanh), units=len(x)))
        run_task(task_of(f"{_ROWS}:gelu_f32_u8", (source, ends.codes, *size, NUMBERS, floor, tanh), units=len(x)))
        law = reference.gelu_tanh if tanh else reference.gelu
        if detail := ends.compare(law(x), floor=floor):
            return count, f"{what}: {detail}"
    return count, ""


def check_hadamard(variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''; the law is exact in float32."""
    count = 0
    for x, ends, floor, what in _cases():
        for block in {2, x.shape[1] & -x.shape[1]}:
            if x.shape[1] % block or block < 2:
                continue
            count += 1
            room, sizes = np.full(2 * block * len(x), np.nan, np.float32), (x.shape[1], ends.width, block)
            arguments = (_padded(x, ends.width), ends.reals, ends.codes, room, sizes, np.float32(block**-0.5))
            run_task(task_of("qbench.kernels.tokens.hadamard:hadamard_f32", (*arguments, NUMBERS, floor), units=len(x)))
            expected = reference.hadamard(x, block)
            if not np.array_equal(ends.reals.reshape(len(x), -1)[:, : x.shape[1]], expected):
                return count, f"{what}, blocks of {block}: other bits than the reference"
            if detail := ends.compare(expected.astype(np.float64), floor=floor):
                return count, f"{what}, blocks of {block}: {detail}"
    return count, ""


def check_rows(variant: str) -> tuple[int, str]:
    """Return comparisons and the first mismatch of softmax, codes, the mean of tokens and the look-up of words."""
    count, rng = 0, np.random.default_rng(2)
    for x, ends, floor, what in _cases():
        channels, source, size = x.shape[1], _padded(x, ends.width), (x.shape[1], ends.width)
        table, ids = rng.standard_normal((7, channels)).astype(np.float32), rng.integers(0, 7, len(x))
        mean = Ends(1, channels)
        copied = _ends_of(x, ends)
        checks: tuple[tuple[str, tuple[Any, ...], Ends, npt.NDArray[np.float64]], ...] = (
            ("softmax_f32_f32", (source, ends.reals, *size), ends, reference.softmax(x.astype(np.float64))),
            ("quantize_rows_f32_u8", (source, copied.codes, *size, NUMBERS, floor), copied, x.astype(np.float64)),
            ("mean_rows_f32", (source, mean.reals, len(x), *size), mean, x.astype(np.float64).mean(0, keepdims=True)),
            ("gather_rows_f32", (ids, table, x, ends.reals, ends.width), ends, (table[ids] + x).astype(np.float64)),
        )  # fmt: skip
        for kernel, arguments, written, expected in checks:
            count += 1
            units = 1 if kernel == "mean_rows_f32" else len(x)
            run_task(task_of(f"{_ROWS}:{kernel}", arguments, units=units))
            if kernel == "mean_rows_f32" and np.abs(expected).max() < TOLERANCE:
                continue
            if detail := written.compare(expected, floor=floor, codes=kernel.endswith("u8")):
                return count, f"{kernel}, {what}: {detail}"
    return count, ""


def _ends_of(x: Floats, ends: Ends) -> Ends:
    """Return ends that hold `x` already, for a kernel that writes its codes alone."""
    made = Ends(len(x), x.shape[1])
    made.reals.reshape(len(x), -1)[:, : x.shape[1]] = x
    return made


SIZES = (
    # images, tokens, key tokens, heads, a head's channels
    (1, 128, 128, 12, 32), (2, 8, 8, 2, 16), (1, 9, 33, 3, 48), (2, 7, 5, 1, 16), (1, 1, 1, 2, 4), (1, 17, 40, 2, 20),
    (1, 24, 64, 2, 64),
)  # fmt: skip


def check_attention(variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    rng, count = np.random.default_rng(9), 0
    for images, tokens, others, heads, depth in SIZES:
        for spread in (0.5, 4.0):
            count += 1
            q, k, v = (
                (rng.standard_normal((images, length, heads * depth)) * spread).astype(np.float32)
                for length in (tokens, others, others)
            )
            scale = float(np.float32(depth**-0.5))
            ends = _attend(variant, (q, k, v), heads, scale)
            expected = reference.attention(q, k, v, heads=heads, scale=scale).reshape(images * tokens, -1)
            detail = ends.compare(expected, floor=False) if spread < 1 else ""  # wide scores magnify rounding
            same = _attend("portable", (q, k, v), heads, scale)
            if not detail and not np.array_equal(same.reals.view(np.int32), ends.reals.view(np.int32)):
                detail = "other bits than the portable variant"
            if detail:
                return count, f"{tokens} by {others} tokens, {heads} heads of {depth}: {detail}"
    return count, ""


def _attend(variant: str, tensors: tuple[Floats, Floats, Floats], heads: int, scale: float) -> Ends:
    (images, tokens, channels), others = tensors[0].shape, tensors[1].shape[1]
    depth = channels // heads
    ends = Ends(images * tokens, channels)
    flat = [_padded(x.reshape(-1, channels), ends.width) for x in tensors]
    scratch = np.full(images * heads * room_of(others, depth), np.nan, np.float32)
    sizes, widths = (tokens, others, heads, depth, 1), (ends.width,) * 4
    masks = (_NO_FLOATS, _NO_FLOATS, (0,) * 4, (0,) * 4)
    arguments = (*flat, *masks, ends.reals, ends.codes, scratch, sizes, widths, np.float32(scale), NUMBERS, False)
    kernel = "qbench.kernels.tokens.attention:attention_f32"
    run_task(task_of(kernel, (*arguments, attention_kind(variant)), units=heads), images=images)
    return ends
