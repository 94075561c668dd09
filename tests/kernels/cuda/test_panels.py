"""Panels of columns: who is chosen for few rows, whether it fits, how weights lie for the matrix units."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")

from qbench.kernels.cuda.choose.candidates import candidates, choose
from qbench.kernels.cuda.choose.choice import LARGEST_SHARED, Job
from qbench.kernels.cuda.choose.panel_sizes import panels
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.cuda.multiply.skinny import pack_lanes
from qbench.kernels.cuda.operands import Geometry
from qbench.kernels.epilogue import parse_epilogue


def job(rows: int, depth: int = 8192, columns: int = 8192, group_size: int = 128, product: str = "u8_t4") -> Job:
    return Job(product, parse_epilogue("f32+grouped"), Geometry(rows, columns, depth, depth, depth, 1), group_size)


@pytest.mark.parametrize("rows", [9, 16, 17, 64])
def test_few_rows_by_weights_in_groups_are_multiplied_in_panels(rows: int) -> None:
    assert choose(job(rows), 80).variant == "cuda_panel"
    assert choose(job(rows), 90).variant == ("cuda_panel" if rows <= 16 else "cuda_panel_wgmma")


@pytest.mark.parametrize("rows", [1, 8])
def test_weights_of_fewer_rows_stream_to_registers(rows: int) -> None:
    assert choose(job(rows), 90).variant == "cuda_skinny"


def test_many_rows_are_for_wgmma_where_there_is_one() -> None:
    assert choose(job(256), 90).variant == "cuda_panel_wgmma"
    assert choose(job(256), 80).variant == "cuda_mma"


@pytest.mark.parametrize("asked", [job(16, group_size=0), job(16, group_size=256), job(16, product="u8_s8")])
def test_what_panels_cannot_hold_is_left_to_others(asked: Job) -> None:
    assert not any("panel" in choice.variant for choice in candidates(asked, 90))


@pytest.mark.parametrize("rows", [1, 16, 64, 256])
def test_every_panel_fits_a_multiprocessor(rows: int) -> None:
    for choice in panels(job(rows)):
        assert choice.reason_against(job(rows), 90) is None
        assert choice.kernel(job(rows), 8192).shared_bytes <= LARGEST_SHARED


def test_steps_in_order_are_the_depth_in_turn() -> None:
    codes = np.random.default_rng(3).integers(-8, 8, (32, 192)).astype(np.int16)
    words = pack_lanes(codes, PRODUCTS["u8_t4"], in_order=True).reshape(2, 3, 8, 4, 2, 2, 4)
    for plane in range(2):  # (tile, block, g, q, half, upper, code)
        held = (words.astype(np.int16) >> 4 * plane & 15) ^ 8
        rows = (held - 8).transpose(0, 5, 2, 1, 4, 3, 6).reshape(32, 3, 32)
        assert np.array_equal(rows, codes.reshape(32, 3, 2, 32)[:, :, plane])
