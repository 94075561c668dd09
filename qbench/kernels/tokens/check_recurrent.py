"""Steps of recurrences against their law, to the last bit: odd widths, both directions, gates far beyond saturation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qbench.kernels.program import run_task
from qbench.kernels.tasks import task_of
from qbench.kernels.tokens import reference_recurrent as law

CHANNELS = (1, 3, 16, 17, 128)
SPREADS = (0.3, 8.0, 300.0)
IMAGES, TOKENS, PAD, GUARD = 3, 4, 5, np.float32(7.5)
NUMBERS = (np.float32(63.3), np.float32(119.0), np.float32(251.0))
Floats = npt.NDArray[np.float32]
_STEPS: dict[str, tuple[int, int, Callable[..., tuple[Floats, ...]]]] = {
    "lstm": (4, 2, law.lstm_step),
    "gru": (3, 1, law.gru_step),
}


def check_recurrent(cell: str, variant: str) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    rng, count = np.random.default_rng(3), 0
    for channels in CHANNELS:
        for spread in SPREADS:
            for reverse in (False, True):
                count += 1
                if detail := _mismatch(cell, channels, spread, rng, reverse=reverse):
                    return count, f"{channels} channels, spread {spread}, reverse={reverse}: {detail}"
    return count, ""


def _mismatch(cell: str, channels: int, spread: float, rng: np.random.Generator, *, reverse: bool) -> str:
    """Return what is wrong with all steps of one recurrence whose products are given, or ''."""
    parts, count, step = _STEPS[cell]
    gates, products = (_drawn(rng, IMAGES, TOKENS, parts * channels, spread=spread) for _ in range(2))
    states = tuple(_drawn(rng, IMAGES, channels, spread=1.0) for _ in range(count))
    expected = tuple(state[:, :channels].copy() for state in states)
    out, before = (np.full((IMAGES, TOKENS, channels + PAD), GUARD, np.float32) for _ in range(2))
    codes, ticks = np.full((IMAGES, channels + PAD), 9, np.uint8), np.zeros(1, np.int64)
    sizes = (channels, TOKENS, gates.shape[-1], gates.shape[-1], channels + PAD, channels + PAD)
    for turn in range(TOKENS):
        ticks[0], token = turn, TOKENS - 1 - turn if reverse else turn
        product = products[:, token].copy()
        flat = (gates.reshape(-1), product.reshape(-1), tuple(state.reshape(-1) for state in states))
        ends = (codes.reshape(-1), out.reshape(-1), before.reshape(-1))
        arguments = (*flat, *ends, ticks, sizes, NUMBERS, False, reverse)
        run_task(task_of(f"qbench.kernels.tokens.recurrent:{cell}_step", arguments, units=1), images=IMAGES)
        first = expected[0]
        used = slice(parts * channels)
        expected = step(gates[:, token, used], products[:, token, used], expected)
        t = expected[0] * NUMBERS[0] + NUMBERS[1]
        wanted: dict[str, tuple[npt.NDArray[np.generic], ...]] = {
            "state": (first, before[:, token]), "output": (expected[0], out[:, token]),
            "codes": (np.clip(np.rint(t), 0, NUMBERS[2]).astype(np.uint8), codes),
            **{f"state {place}": pair for place, pair in enumerate(zip(expected, states, strict=True))},
        }  # fmt: skip
        for what, (right, found) in wanted.items():
            if not np.array_equal(right, found[:, :channels]):
                return f"{what} of step {turn} has other bits"
    untouched = np.all(out[:, :, channels:] == GUARD) and np.all(before[:, :, channels:] == GUARD)
    return "" if untouched and np.all(codes[:, channels:] == 9) else "a guard behind a row changed"


def _drawn(rng: np.random.Generator, *shape: int, spread: float) -> Floats:
    """Return random rows whose last axis has `PAD` numbers more."""
    return (rng.standard_normal((*shape[:-1], shape[-1] + PAD)) * spread).astype(np.float32)
