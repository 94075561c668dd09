"""oneDNN's plain product `dnnl_gemm_u8s8s32`, called through ctypes. It packs both sides on each call."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform

_PACKAGE = "onednn-cpu-gomp"
_ISA = {0x1: "sse41", 0x3: "avx", 0x7: "avx2", 0xF: "avx2_vnni", 0x27: "avx512_core", 0x67: "avx512_core_vnni"}
_ISA |= {0xE7: "avx512_core_bf16", 0x1EF: "avx512_core_fp16", 0xFEF: "avx512_core_amx"}


class OneDnn:
    """`dnnl_gemm_u8s8s32` of the wheel onednn-cpu-gomp."""

    name: ClassVar[str] = "onednn"
    distributions: ClassVar[tuple[str, ...]] = ("onednn-cpu-gomp",)

    def missing(self) -> str | None:
        """Return why oneDNN cannot be used here, or None."""
        try:
            _library()
        except (PackageNotFoundError, StopIteration, OSError) as error:
            return f"{_PACKAGE} cannot be loaded ({error}): install qbench with its extra 'peers'"
        return None

    def supports(self, cell: KernelCell) -> str | None:
        """Return why this call cannot do `cell`, or None."""
        whole = is_uniform(cell, weight_bits=8) and isinstance(cell.problem, GemmProblem) and cell.out == "s32"
        return None if whole else "has products of 8 bits with s32 outputs only"

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> OneDnnOperator:
        """Return the product, on as many OpenMP threads as the cell may use."""
        return OneDnnOperator(operands, threads=cell.threads)


class OneDnnOperator:
    """One call with its arguments."""

    def __init__(self, operands: KernelOperands, *, threads: int) -> None:
        library = _library()
        ctypes.CDLL("libgomp.so.1").omp_set_num_threads(threads)
        self._lhs, self._rhs = np.ascontiguousarray(operands.lhs), np.ascontiguousarray(operands.rhs)
        (m, k), n = self._lhs.shape, len(self._rhs)
        self._out = np.zeros((m, n), np.int32)
        zero = ctypes.c_int32(0)
        self._arguments: tuple[Any, ...] = (
            b"N", b"T", b"F", *map(ctypes.c_int64, (m, n, k)), ctypes.c_float(1.0),
            _address(self._lhs), ctypes.c_int64(k), ctypes.c_uint8(operands.lhs_zero_point),
            _address(self._rhs), ctypes.c_int64(k), ctypes.c_int8(0), ctypes.c_float(0.0),
            _address(self._out), ctypes.c_int64(n), ctypes.byref(zero),
        )  # fmt: skip
        call = library.dnnl_gemm_u8s8s32
        call.argtypes = [
            ctypes.c_char, ctypes.c_char, ctypes.c_char, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_float, ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint8, ctypes.c_void_p, ctypes.c_int64,
            ctypes.c_int8, ctypes.c_float, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p,
        ]  # fmt: skip
        self._call = call
        isa = library.dnnl_get_effective_cpu_isa()
        self.facts = OperatorFacts("dnnl_gemm_u8s8s32", packed="each call", isa=_ISA.get(isa, hex(isa)))
        if self.run():
            raise ModelError(f"onednn: dnnl_gemm_u8s8s32 refused {m} x {k} x {n}")

    def run(self) -> object:
        """Compute the output once more; returns oneDNN's status, 0 for success."""
        return self._call(*self._arguments)

    def result(self) -> npt.NDArray[np.int32]:
        """Return the output of the last call."""
        return self._out


def _address(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def _library() -> ctypes.CDLL:
    """Return the library that the wheel brings; raise what is missing."""
    found = next(file for file in files(_PACKAGE) or () if file.name.startswith("libdnnl.so.3"))
    return ctypes.CDLL(str(Path(str(found.locate())).resolve()))
