"""What kernel cells are fed, the law that their answers are held to, and the checks of answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.errors import QBenchError
from qbench.peers.operators.operator_peer import OperatorFacts
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.worker import WrongError, check

CONVS = [
    ConvProblem(2, 5, 6, 8, 4, (3, 3), (1, 1), (1, 1, 1, 1)),
    ConvProblem(1, 7, 7, 8, 4, (3, 3), (2, 2), (1, 1, 1, 1)),
    ConvProblem(1, 7, 6, 4, 6, (2, 3), (2, 1), (0, 1, 1, 2)),
    ConvProblem(1, 9, 9, 6, 6, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2), 6),
    ConvProblem(1, 5, 5, 8, 4, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2),
    ConvProblem(1, 4, 4, 2, 6, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2),
]


def slow_acc(problem: ConvProblem, operands: KernelOperands, pad: int) -> np.ndarray:
    """The law as seven loops over whole numbers."""
    height, width = problem.out_size
    out = np.zeros((problem.images, height, width, problem.out_channels), np.int64)
    inside, outside = problem.channels // problem.groups, problem.out_channels // problem.groups
    for image, y, x, channel in itertools.product(*map(range, out.shape)):
        start = channel // outside * inside
        for row, column, depth in itertools.product(range(problem.kernel[0]), range(problem.kernel[1]), range(inside)):
            v = y * problem.strides[0] + row * problem.dilations[0] - problem.pads[0]
            h = x * problem.strides[1] + column * problem.dilations[1] - problem.pads[1]
            known = 0 <= v < problem.height and 0 <= h < problem.width
            code = int(operands.lhs[image, v, h, start + depth]) - operands.lhs_zero_point if known else pad
            out[image, y, x, channel] += code * int(operands.rhs[channel, row, column, depth])
    return out


@pytest.mark.parametrize("problem", CONVS, ids=lambda problem: problem.label)
def test_sums_of_convolutions_are_those_of_plain_loops(problem: ConvProblem) -> None:
    cell = KernelCell(problem, "w8c-a8t", "s32")
    operands = draw_operands(cell)
    assert np.array_equal(expected_output(cell, operands), slow_acc(problem, operands, 0))


def test_binary_convolutions_are_padded_with_minus_one() -> None:
    cell = KernelCell(CONVS[0], "wb-ab", "s32")
    operands = draw_operands(cell)
    assert set(np.unique(operands.lhs)) == set(np.unique(operands.rhs)) == {-1, 1}
    assert np.array_equal(expected_output(cell, operands), slow_acc(CONVS[0], operands, -1))


@pytest.mark.parametrize("spec", ["w8c-a8t", "w2c-a2t", "wt-at", "wb-a8t", "w5c-a8t"])
def test_sums_of_products_are_those_of_whole_numbers(spec: str) -> None:
    cell = KernelCell(GemmProblem(7, 130, 5), spec, "s32")
    operands = draw_operands(cell)
    whole = (operands.lhs.astype(np.int64) - operands.lhs_zero_point) @ operands.rhs.astype(np.int64).T
    assert np.array_equal(expected_output(cell, operands), whole)


def test_a_depth_at_which_float32_would_round_is_still_exact() -> None:
    cell = KernelCell(GemmProblem(1, 65_793, 1), "w8c-a8t", "s32")
    worst = KernelOperands(
        np.full((1, 65_793), 255, np.uint8), np.full((1, 65_793), -128, np.int8), 1.0, 0, np.ones(1, np.float32),
        np.zeros(1, np.int32),
    )  # fmt: skip
    assert expected_output(cell, worst)[0, 0] == 255 * -128 * 65_793


def test_codes_are_the_sums_scaled_rounded_to_even_and_clamped() -> None:
    cell = KernelCell(GemmProblem(33, 64, 17), "w8c-a8t", "u8")
    operands = draw_operands(cell)
    acc = (operands.lhs.astype(np.int64) - operands.lhs_zero_point) @ operands.rhs.astype(np.int64).T
    scale = operands.rhs_scale.astype(np.float64) * operands.lhs_scale / operands.out_scale
    reals = (acc + operands.bias) * scale
    expected = np.array([[round(value) for value in line] for line in reals]) + operands.out_zero_point
    found = expected_output(cell, operands)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected.clip(0, 255))
    assert len(np.unique(found)) > 50, "the scales spread the output over its range"


def test_every_scale_of_a_group_counts() -> None:
    cell = KernelCell(GemmProblem(3, 96, 5), "w4g32-a8t", "f32")
    operands = draw_operands(cell)
    assert operands.rhs_scale.shape == (5, 3)
    reals = operands.rhs.reshape(5, 3, 32) * operands.rhs_scale[..., None].astype(np.float64)
    lhs = (operands.lhs.astype(np.float64) - operands.lhs_zero_point) * operands.lhs_scale
    assert np.array_equal(expected_output(cell, operands), (lhs @ reals.reshape(5, 96).T).astype(np.float32))


def test_every_process_draws_the_same_numbers_and_other_cells_draw_others() -> None:
    cell = KernelCell(GemmProblem(9, 64, 8), "w8c-a8t", "s32", threads=1)
    one, other = draw_operands(cell), draw_operands(KernelCell(cell.problem, cell.spec, cell.out, threads=2))
    assert np.array_equal(one.lhs, other.lhs), "threads change no number"
    assert not np.array_equal(one.rhs, draw_operands(KernelCell(cell.problem, "w7c-a8t", cell.out)).rhs)


def test_every_row_of_a_product_holds_the_ends_of_its_range() -> None:
    lhs = draw_operands(KernelCell(GemmProblem(50, 16, 4), "w4c-a8t", "f32")).lhs
    assert (lhs.min(axis=1) == 0).all()
    assert (lhs.max(axis=1) == 255).all()


def test_a_depth_that_is_no_multiple_of_the_group_is_refused() -> None:
    with pytest.raises(QBenchError, match="depth 40 is no multiple of the group of 32"):
        draw_operands(KernelCell(GemmProblem(1, 40, 4), "w4g32-a8t", "f32"))


def test_an_answer_that_is_wrong_in_one_number_is_refused() -> None:
    cell = KernelCell(GemmProblem(4, 32, 4), "w8c-a8t", "s32")
    expected = expected_output(cell, draw_operands(cell))
    check("peer", expected, expected, OperatorFacts("k"))
    found = expected.copy()
    found[1, 2] += 1
    with pytest.raises(WrongError, match="peer: wrong: 1 of 16 numbers differ from the int64 reference, by up to 1"):
        check("peer", found, expected, OperatorFacts("k"))
    check("peer", found, expected, OperatorFacts("k", code_steps=1))
    with pytest.raises(WrongError, match="expected an output of shape"):
        check("peer", expected[:2], expected, OperatorFacts("k"))


def test_a_float_answer_is_held_to_the_distance_that_is_allowed() -> None:
    expected = np.linspace(-1, 1, 100, dtype=np.float32)
    near = expected + np.float32(0.01)
    check("peer", near, expected, OperatorFacts("k", least_sqnr_db=30.0))
    with pytest.raises(WrongError, match="35 dB from the reference, expected at least 100"):
        check("peer", near, expected, OperatorFacts("k"))
    with pytest.raises(WrongError, match="nan dB"):
        check("peer", near * np.float32(np.nan), expected, OperatorFacts("k", least_sqnr_db=30.0))
