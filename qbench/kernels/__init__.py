"""Compiled arithmetic: arrays in, arrays out. No suites, models or clocks.

One folder per family, each with its law (`reference.py`), its variants and its checks; `tiles` generates the
micro-kernels of x86 and of aarch64. Importing this package compiles nothing and does not import Numba.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qbench.registry import Registry

if TYPE_CHECKING:
    from qbench.kernels.check import VerifyRow

FAMILIES = Registry(
    "qbench.kernels",
    {
        "gemm": "qbench.kernels.check:GEMM",
        "conv": "qbench.kernels.check:CONV",
        "winograd": "qbench.kernels.check:WINOGRAD",
        "depthwise": "qbench.kernels.check:DEPTHWISE",
        "quantize": "qbench.kernels.check:QUANTIZE",
        "elementwise": "qbench.kernels.check:ELEMENTWISE",
        "pool": "qbench.kernels.check:POOL",
        "pack": "qbench.kernels.check:PACK",
        "tokens": "qbench.kernels.check:TOKENS",
        "attention": "qbench.kernels.check:ATTENTION",
        "observe": "qbench.kernels.check:OBSERVE",
    },
)


CUDA = "cuda"
"""The family whose kernels run on the first GPU; see `qbench.kernels.cuda`."""


def verify(family: str | None = None) -> Iterator[VerifyRow]:
    """Yield a row for every operation and variant of a family (of all without a name), each checked on this machine."""
    from qbench.kernels.check import rows

    for name in FAMILIES if family is None else (family,):
        if name != CUDA:
            yield from rows(FAMILIES.load(name))
    if family in (None, CUDA):
        from qbench.kernels.cuda.checks.family import rows as cuda_rows

        yield from cuda_rows()


VNNI = frozenset({"avx512vnni", "avxvnni"})
"""Instruction sets of which one sums four u8 by s8 products to 32 bits; without, most libraries saturate at 16."""


def instruction_sets() -> frozenset[str]:
    """Return LLVM's names of the instruction sets that kernels may use here."""
    from qbench.kernels.isa import features

    return features()


def source_hash() -> str:
    """Return a hash of the kernels' sources; results that depend on them carry it."""
    from qbench.kernels.cache import source_hash as of_sources

    return of_sources()
