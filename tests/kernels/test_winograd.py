"""Winograd's transforms are exact up to the bound that they state, and are taken where they are worth it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qbench.kernels import variants
from qbench.kernels.conv.check import Shape, case_of
from qbench.kernels.conv.direct import Direct
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.conv.way import Bound, ByImages
from qbench.kernels.conv.ways import bind_fastest, least_images
from qbench.kernels.epilogue import Epilogue, Kind
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.product import U8_S8
from qbench.kernels.program import run_task
from qbench.kernels.winograd.check import admits, check_winograd
from qbench.kernels.winograd.cutting import cut
from qbench.kernels.winograd.operation import BoundWinograd
from qbench.kernels.winograd.transforms import (
    INVERSE_OF_NINE,
    KINDS,
    LARGEST_SUM,
    WEIGHTS,
    Direction,
    fits,
    shifts,
)
from qbench.kernels.winograd.way import VARIANTS, Winograd

PATHS = [name for name in VARIANTS if variants.unavailable(name) is None]
SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))
needs_vectors = pytest.mark.skipif(not PATHS, reason="no variant has it on this machine")


def plain(channels: int) -> ChannelParams:
    zeros = np.zeros(channels, np.float32)
    return ChannelParams(np.zeros(channels, np.int32), zeros, zeros)


def job_of(kind: Kind, variant: str, lhs: Layout, out: Layout, window: Window = SAME) -> Job:
    return Job(U8_S8, Epilogue(kind), variant, window, lhs, out)


def by_winograd(job: Job, codes: npt.NDArray[np.int8]) -> Bound:
    """Return what is bound where Winograd's products are asked for."""
    return bind_fastest(job, Weights(codes, plain(len(codes))), algorithm="winograd")


@given(seed=st.integers(0, 1000), kind=st.sampled_from(KINDS))
def test_the_transforms_give_multiples_of_the_sums(seed: int, kind: tuple[Direction, Direction]) -> None:
    rng, (down, right) = np.random.default_rng(seed), kind
    codes, weights = rng.integers(0, 256, (down.side, right.side)), rng.integers(-128, 128, (3, 3))
    sums = np.array(
        [[(codes[i : i + 3, j : j + 3] * weights).sum() for j in range(right.out)] for i in range(down.out)]
    )
    products = (WEIGHTS @ weights @ WEIGHTS.T)[np.ix_(down.positions, right.positions)]
    found = down.output @ (products * (down.input @ codes @ right.input.T)) @ right.output.T
    assert np.array_equal(found, sums * np.outer(down.factors, right.factors))
    ninth = (found * INVERSE_OF_NINE).astype(np.uint32).view(np.int32)
    assert np.array_equal(ninth.ravel() >> np.array(shifts(down, right)), sums.ravel())
    assert max(shifts(down, right)) <= 6


def test_transformed_numbers_fit_16_bits() -> None:
    largest = []
    for down, right in KINDS:
        (up, lower), (more, less) = (
            (side.input.clip(min=0).sum(axis=1), -side.input.clip(max=0).sum(axis=1)) for side in (down, right)
        )
        ends = np.outer(up, more) + np.outer(lower, less), np.outer(up, less) + np.outer(lower, more)
        largest.append(int(np.max(ends)))
    assert largest[0] == max(largest) == 68
    assert 68 * 255 < 2**15
    assert 128 * np.abs(WEIGHTS).sum(axis=1).max() ** 2 < 2**15


@pytest.mark.parametrize("length", range(4, 70))
def test_an_image_is_cut_into_fours_and_threes(length: int) -> None:
    parts = cut(Layout(1, length, length, 16, 16, 1)).down
    assert sorted({pixel for first, pixels in parts for pixel in range(first, first + pixels)}) == list(range(length))
    assert sum(pixels for _, pixels in parts) == length + 3 * (length == 5)
    assert sum(pixels == 3 for _, pixels in parts) <= 3


@needs_vectors
@pytest.mark.parametrize("variant", PATHS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_that_fit_are_exact_and_larger_ones_are_computed_directly(variant: str, sign: int) -> None:
    channels = 128
    codes = np.zeros((16, 3, 3, channels), np.int8)
    flat = codes.reshape(16, -1)
    whole, rest = divmod((LARGEST_SUM - 1) // 255, 127)
    flat[:, :whole], flat[:, whole] = 127 * sign, rest * sign
    assert fits(codes)
    lhs = Layout(1, 5, 5, channels, channels, 1, (1, 1, 1, 1))
    out = Layout(1, 5, 5, 16, 16, 4)
    x, found = aligned(lhs.size_bytes), aligned(out.size_bytes)
    x[:] = 255
    bound = by_winograd(job_of("s32", variant, lhs, out), codes)
    assert isinstance(bound, BoundWinograd)
    run_task(bound.task(x, found))
    assert np.all(found.view(np.int32) == 255 * (whole * 127 + rest) * sign)
    flat[:, whole + 1] = 2 * sign
    assert not fits(codes)
    bound = by_winograd(job_of("s32", variant, lhs, out), codes)
    assert isinstance(bound, BoundConv)


@needs_vectors
def test_few_images_are_computed_directly_and_many_by_winograd_with_the_same_weights() -> None:
    variant, images = PATHS[-1], 8
    rng = np.random.default_rng(0)
    codes = rng.integers(-60, 60, (256, 3, 3, 256)).astype(np.int8)
    lhs, out = Layout(images, 8, 8, 256, 256, 1, (1, 1, 1, 1)), Layout(images, 8, 8, 256, 256, 4)
    job = job_of("s32", variant, lhs, out)
    least = least_images(Winograd(), Direct(), job)
    assert least is not None
    assert 1 < least < images
    bound = bind_fastest(job, Weights(codes, plain(256)))
    assert isinstance(bound, ByImages)
    if variant == "x86_vnni":
        assert bound.resident_bytes < 1.1 * bound.few.resident_bytes
    x = aligned(lhs.size_bytes)
    lhs.interior(x)[:] = rng.integers(0, 256, (images, 8, 8, 256))
    want, found = (aligned(out.size_bytes).view(np.int32) for _ in range(2))
    run_task(bound.few.task(x, want.view(np.uint8)), images=images)
    task = bound.task(x, found.view(np.uint8))
    assert (task.least, task.few is None) == (least, False)
    for count in (1, least - 1, least, images):
        found[:] = 0
        run_task(task, images=count)
        size = count * 64 * 256
        assert np.array_equal(found[:size], want[:size])
        assert not np.any(found[size:])


@needs_vectors
def test_shapes_that_are_no_3_by_3_of_single_steps_are_computed_directly() -> None:
    lhs, out = Layout(4, 16, 16, 64, 64, 1, (1, 1, 1, 1)), Layout(4, 16, 16, 64, 64, 1)
    strided, dilated = Window((3, 3), (2, 2), (1, 1, 1, 1)), Window((3, 3), (1, 1), (1, 1, 1, 1), (2, 2))
    for window, size in ((strided, 8), (dilated, 14), (Window((1, 1)), 16)):
        codes = np.ones((64, *window.kernel, 64), np.int8)
        target = replace(out, height=size, width=size)
        assert isinstance(by_winograd(job_of("u8", PATHS[-1], lhs, target, window), codes), BoundConv)


@needs_vectors
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.tuples(st.integers(1, 3), *[st.integers(4, 15)] * 2, st.sampled_from([5, 16, 32, 48, 64, 100]),
                   st.sampled_from([1, 16, 32, 40])),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
)  # fmt: skip
def test_any_winograd_convolution_is_exact(
    size: tuple[int, int, int, int, int], pads: tuple[int, int, int, int]
) -> None:
    shape = Shape(*size, Window((3, 3), (1, 1), pads))
    assume(min(shape.window.out(*size[1:3])) >= 4)
    case = case_of("u8_s8", "u8+residual")
    assert admits(case, shape)
    assert check_winograd(case, variants.choose(), (shape,))[1] == ""
