"""Products and epilogues print the literals that compiled kernels are named by, and nothing else can be written."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.kernels.conv.check import CASES
from qbench.kernels.conv.check_values import levels_of, lhs_high
from qbench.kernels.epilogue import ASKED, FOUND, Epilogue, Words, parse_epilogue
from qbench.kernels.gemm.check import PRODUCTS
from qbench.kernels.product import B1_B1, T2_T2, U8_S8, parse_product
from qbench.kernels.tiles.flags import flags_of
from qbench.kernels.tiles.products import multiplier_of

EVERY = (*PRODUCTS, "s16_s16", "f32_f32", "f32_s8", "f32_s4", "u8_t2", "f16_s4", "p2_p1", "p1_p5")
FLAGS = st.fixed_dictionaries({word: st.booleans() for word in (*ASKED, *FOUND)})


@pytest.mark.parametrize("name", EVERY)
def test_a_product_prints_its_name(name: str) -> None:
    assert str(parse_product(name)) == name
    assert parse_product(name) is parse_product(name)


@pytest.mark.parametrize(
    "name", ["", "u8", "u8_s9", "u8_s0", "b1_t2", "f32_s3", "u8_s8_s8", "p9_p1", "u8_b1", "s16_s8"]
)
def test_what_no_kernel_multiplies_is_no_product(name: str) -> None:
    with pytest.raises(ValueError, match=f"product '{name}': expected"):
        parse_product(name)


@given(kind=st.sampled_from(["u8", "f32", "s32"]), flags=FLAGS, seed=st.randoms(use_true_random=False))
def test_an_epilogue_is_read_in_any_order_and_printed_in_one(kind: str, flags: dict[str, bool], seed: object) -> None:
    words = [word for word in (*ASKED, *FOUND) if flags[word]]
    text = "+".join((kind, *words))
    assert str(parse_epilogue(text)) == text
    seed.shuffle(words)  # type: ignore[attr-defined]
    assert str(parse_epilogue("+".join((kind, *words)))) == text


def test_every_word_is_a_field_and_every_field_a_word() -> None:
    assert tuple(field.name for field in fields(Words)) == ASKED
    assert tuple(field.name for field in fields(Epilogue)) == ("kind", "words", *FOUND)


@pytest.mark.parametrize("text", ["", "u16", "u8+", "u8+residul", "u8+residual+residual", "residual", "u8 +sum"])
def test_unknown_words_are_no_epilogue(text: str) -> None:
    with pytest.raises(ValueError, match="expected s32, u8 or f32, then each once of"):
        parse_epilogue(text)


def test_names_of_operations_are_those_of_earlier_runs() -> None:
    names = {case.operation for case in CASES}
    assert {"conv_u8_s8_u8+residual+floor+sum", "conv_u8_s4_f32+grouped+brief_g32", "conv_p4_p1_s32"} <= names
    assert len(names) == len(CASES)


@pytest.mark.parametrize(
    ("product", "epilogue", "flags"),
    [
        ("u8_s8", "u8+residual+floor+sum", 32 + 1 + 4 + 2), ("s8_s4", "s32", 128 + 8), ("t2_t2", "f32", 16),
        ("p2_p3", "u8+ranged", 32 + 256 * (3 + 16 * 2)), ("f32_f32", "f32+residual", 64 + 1), ("f32_s8", "f32", 0),
    ],
)  # fmt: skip
def test_portable_loops_are_told_the_same_numbers(product: str, epilogue: str, flags: int) -> None:
    assert flags_of(parse_product(product), parse_epilogue(epilogue)) == flags


@pytest.mark.parametrize("name", EVERY[:-4])
def test_what_a_product_says_of_itself_is_what_multiplies(name: str) -> None:
    product = parse_product(name)
    facts = multiplier_of(product)
    assert (product.is_float, product.words, product.has_table) == (facts.is_float, facts.lhs_words, facts.has_table)
    assert product.lacks_zero == (product.has_table and 0 not in levels_of(product))


def test_lhs_codes_stand_for_what_their_container_says() -> None:
    codes = np.array([0, 1, 255], np.uint8)
    assert U8_S8.meant(codes).tolist() == [0, 1, 255]
    assert parse_product("s8_s8").meant(codes).tolist() == [0, 1, -1]
    assert B1_B1.meant(codes[:2]).tolist() == [-1, 1]
    assert T2_T2.meant(np.arange(3, dtype=np.uint8)).tolist() == [-1, 0, 1]
    assert [lhs_high(product) for product in (U8_S8, B1_B1, T2_T2, parse_product("p4_p1"))] == [255, 1, 2, 15]
