"""`qbench assembly`: the table of depth loops, and one line for what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("variant", "dot"), [("aarch64_dotprod", "sdot"), ("aarch64_i8mm", "usdot"), ("x86_vnni", "vpdpbusd")]
)
def test_the_depth_loops_of_any_instruction_set_are_shown(call: Call, variant: str, dot: str) -> None:
    done = call("assembly", variant)
    assert done.code == 0
    (row,) = (line.split() for line in done.out.splitlines() if line.split()[:1] == ["u8_s8"])
    assert row[3] == dot
    assert row[-1] == "0"


def test_an_unknown_instruction_set_gets_a_suggestion(call: Call) -> None:
    done = call("assembly", "aarch64_dotprot")
    assert done.code == 2
    assert done.err == "qbench: no assembly of 'aarch64_dotprot'; did you mean 'aarch64_dotprod'?\n"


@pytest.mark.skipif(find_spec("numba_cuda") is not None, reason="numba-cuda is installed; see test_cuda.py")
@pytest.mark.parametrize(
    "arguments", [("assembly", "cuda"), ("ceiling", "--cuda", "--quick"), ("run", "suites/cuda.yaml")]
)
def test_without_its_compiler_cuda_is_refused_in_one_line(call: Call, arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert "numba-cuda is not installed" in done.err or "no CUDA d" in done.err
    assert done.err.count("\n") == 1
