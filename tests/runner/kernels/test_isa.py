"""What instructions a kernel runs on is read from its code."""

from __future__ import annotations

import pytest

from qbench.core.cells.product import GemmProblem, KernelCell
from qbench.kernels.isa import features
from qbench.runner.kernels.isa import MNEMONICS, REGISTERS, decoded, instructions, most_common
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.party import Party
from qbench.runner.kernels.worker import Task

FILLER = bytes.fromhex("0f1f840000000000")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("62f2754850c2", "vpdpbusd zmm"),
        ("62f2752850c2", "vpdpbusd ymm"),
        ("c4e27550c2", "vpdpbusd ymm"),
        ("62f2754851c2", "vpdpbusds zmm"),
        ("c4e27504c2", "vpmaddubsw ymm"),
        ("62f27d4855c1", "vpopcnt zmm"),
        ("c5f1f5c2", "vpmaddwd xmm"),
        ("62f17548f5c2", "vpmaddwd zmm"),
        ("62f27548b8c2", "vfmadd231ps zmm"),
        ("c4e2695ec1", "tdpbusd tmm"),
        ("c4e26b5ec1", "tdpbssd tmm"),
        ("c4e26a5ec1", "tdpbsud tmm"),
        ("c4e2685ec1", "tdpbuud tmm"),
        ("c4e26a5cc1", "tdpbf16ps tmm"),
    ],
)
def test_an_instruction_is_found_among_others(code: str, name: str) -> None:
    assert list(decoded(FILLER + bytes.fromhex(code) + FILLER)) == [name]


def test_moves_and_additions_are_not_named() -> None:
    # vmovdqu64 zmm0, [rdi]; vpaddd zmm0, zmm0, zmm1; vmovdqu ymm0, [rdi]
    assert list(decoded(bytes.fromhex("62f1fe486f07 62f17d48fec1 c5fe6f07") + FILLER)) == []


def test_products_of_whole_numbers_go_before_the_scales_beside_them() -> None:
    dot, fma = bytes.fromhex("62f2754850c2"), bytes.fromhex("62f27548b8c2")
    assert most_common([FILLER + fma + FILLER] * 7 + [FILLER + dot + fma + FILLER] * 3) == "vpdpbusd zmm"
    assert most_common([FILLER + fma + FILLER] * 9 + [FILLER + dot + FILLER]) == "vfmadd231ps zmm"
    assert most_common([FILLER * 2]) == most_common([]) == ""


def test_tiles_go_before_the_vectors_that_pack_and_scale_beside_them() -> None:
    tiles, multiply = bytes.fromhex("c4e2695ec1"), bytes.fromhex("62f2754840c2")
    assert most_common([FILLER + multiply + FILLER] * 20 + [FILLER + tiles + FILLER] * 15) == "tdpbusd tmm"


def test_what_stands_in_few_places_is_not_the_work() -> None:
    assert most_common([FILLER * 2] * 36 + [FILLER + bytes.fromhex("62f2754840c2") + FILLER] * 4) == ""


def test_a_process_that_may_not_be_traced_tells_nothing() -> None:
    asked: list[int] = []
    assert instructions(1 << 22, lambda: asked.append(1)) == ""


def instructions_of(party_name: str, variant: str = "auto") -> str:
    cell = KernelCell(GemmProblem(256, 512, 512), "w8c-a8t", "s32")
    operands = draw_operands(cell)
    with Party(party_name) as party:
        return str(party.prepare(Task(cell, operands, expected_output(cell, operands), variant))["isa"])


def test_our_own_kernel_runs_on_the_instruction_of_its_variant() -> None:
    if "avx512vnni" not in features():
        pytest.skip("the variant x86_vnni needs AVX-512 VNNI")
    found = instructions_of("qbench", "x86_vnni")
    assert found in ("", "vpdpbusd zmm"), '"" where this process may not trace its children'


def test_a_library_runs_on_a_known_instruction_or_an_unknown_one() -> None:
    found = instructions_of("onnxruntime")
    if found:  # which one a library chooses is its own affair
        mnemonic, registers = found.split(" ")
        assert mnemonic in MNEMONICS
        assert registers in REGISTERS
