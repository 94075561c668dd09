"""What of a window lies in padding is left out where the code of zero is 0, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv, bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.ranges import Ranges, ranges_of
from qbench.kernels.conv.reference import Window
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout
from qbench.kernels.product import parse_product
from qbench.kernels.variants import PORTABLE, choose

SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))
NEEDS_VECTORS = pytest.mark.skipif(choose() == PORTABLE, reason="portable loops multiply padding too")


def ranges(window: Window, height: int, width: int = 2, *, images: int = 1, padding: int = 0) -> Ranges | None:
    size = window.out(height, width)
    lhs = Layout(images, height, width, 16, 16, 1, window.pads)
    groups = window.kernel[0] * window.kernel[1] * 4
    return ranges_of(window, lhs, Layout(images, *size, 16, 16, 1), k_groups=groups + padding, groups_a_tap=4)


def rows(found: Ranges | None) -> list[tuple[int, int]]:
    assert found is not None
    return [(int(v) % 2**32, int(v) >> 32) for v in found.of_tiles(1)]


def test_rows_in_the_padding_are_left_out_at_both_ends_of_every_image() -> None:
    image = [(12, 36)] * 2 + [(0, 36)] * 4 + [(0, 24)] * 2
    assert rows(ranges(SAME, 4, images=2)) == image * 2


def test_k_groups_that_pad_the_depth_belong_to_whole_windows() -> None:
    assert rows(ranges(SAME, 3, padding=2)) == [(12, 38)] * 2 + [(0, 38)] * 2 + [(0, 24)] * 2


def test_strides_leave_less_out() -> None:
    assert rows(ranges(replace(SAME, strides=(2, 2)), 4)) == [(12, 36), (0, 36)]


def test_dilated_windows_may_lose_both_ends() -> None:
    window = Window((3, 1), (1, 1), (2, 0, 2, 0), (2, 1))
    assert rows(ranges(window, 3, 1)) == [(4, 12), (4, 8), (0, 8)]


def test_a_window_that_sees_nothing_keeps_one_row_of_zeros() -> None:
    window = Window((1, 1), (1, 1), (2, 0, 0, 0))
    assert rows(ranges(window, 1, 1)) == [(0, 4)] * 3


def test_without_padding_there_are_no_ranges() -> None:
    assert ranges(Window((3, 3)), 5, 5) is None
    assert ranges(Window((3, 3), pads=(0, 1, 0, 1)), 5, 5) is None


def test_a_tile_needs_what_any_of_its_rows_needs() -> None:
    found = Ranges(np.array([6, 0, 0, 3]), np.array([9, 9, 3, 9]), 3)
    packed = found.of_tiles(2)
    assert [(int(v) % 2**32, int(v) >> 32) for v in packed] == [(0, 9), (0, 9), (0, 9), (3, 9)]


@pytest.mark.parametrize("height", [1, 2, 5, 8, 14])
@pytest.mark.parametrize("images", [1, 2, 3, 9])
def test_tiles_across_images_need_what_any_of_their_rows_needs(height: int, images: int) -> None:
    found = ranges(SAME, 3, 1, images=images)
    assert found is not None
    begin, end = (np.tile(numbers, images) for numbers in (found.begin, found.end))
    want = [(min(begin[i : i + height]), max(end[i : i + height])) for i in range(len(begin))]
    assert [(int(v) % 2**32, int(v) >> 32) for v in found.of_tiles(height)] == want


def test_tiles_end_with_rows_of_pixels_where_that_leaves_more_out() -> None:
    seven, sixteen = ranges(SAME, 7, 7, images=16), ranges(SAME, 16, 16)
    assert seven is not None
    assert sixteen is not None
    assert seven.height((4, 7, 8), 2) == 7
    assert sixteen.height((4, 7, 8), 2) == 8


def bound(product: str, variant: str, *, zero_padding: bool) -> BoundConv:
    lhs, out = Layout(1, 7, 7, 32, 32, 1, (1, 1, 1, 1)), Layout(1, 7, 7, 32, 32, 1)
    params = ChannelParams(np.zeros(32, np.int32), np.full(32, 1e-4, np.float32), np.zeros(32, np.float32), high=255.0)
    job = Job(parse_product(product), Epilogue("u8"), variant, SAME, lhs, out, zero_padding=zero_padding)
    weights = pack_weights(Weights(np.ones((32, 3, 3, 32), np.int16), params), job.product, variant)
    return bind(job, weights, params)


@NEEDS_VECTORS
def test_padding_is_left_out_only_where_its_code_is_zero() -> None:
    assert bound("u8_s7", choose(), zero_padding=True).epilogue.ranged
    assert not bound("u8_s7", choose(), zero_padding=False).epilogue.ranged
    assert not bound("s8_s8", choose(), zero_padding=True).epilogue.ranged
    assert bound("u8_s7", PORTABLE, zero_padding=True).ranges is None
