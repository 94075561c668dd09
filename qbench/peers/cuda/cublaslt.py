"""cuBLASLt's int8 product through its C interface: every algorithm that its heuristics offer, workspace included."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, ClassVar

import numpy as np

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.errors import MachineError
from qbench.peers.cuda.peer import Array, centred_lhs, int8_gemm_only, missing_module, torch_on

_LIBRARIES = ("libcublasLt.so.13", "libcublasLt.so.12")
_COMPUTE_32I, _R_8I, _R_32I = 72, 3, 10
_DESC_TRANSA, _PREFERENCE_WORKSPACE, _TRANSPOSED = 3, 1, 1
_ASKED = 8
_WORKSPACE_BYTES = 64 * 2**20


class _Heuristic(ctypes.Structure):
    _fields_ = (
        ("algo", ctypes.c_uint64 * 8),
        ("workspace_bytes", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    )


@cache
def _library() -> Any:
    """Return the library that PyTorch brought; raise MachineError when none is found."""
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise MachineError(f"none of {', '.join(_LIBRARIES)} can be loaded")


def _call(name: str, *arguments: Any) -> None:
    code = getattr(_library(), name)(*arguments)
    if code:
        raise MachineError(f"{name} failed with status {code}")


class CublasLt:
    """See `peer.CudaPeer`."""

    name: ClassVar[str] = "cublaslt"
    distributions: ClassVar[tuple[str, ...]] = ("nvidia-cublas", "torch")

    def missing(self) -> str | None:
        """Return why it cannot be used here, or None."""
        return missing_module("torch")

    def supports(self, cell: KernelCell) -> str | None:
        """Return why it cannot compute a cell, or None."""
        return int8_gemm_only(cell)

    def prepare(self, cell: KernelCell, operands: KernelOperands, *, stream: int, copies: int) -> tuple[_Prepared, ...]:
        """Return one way for each algorithm on offer."""
        torch = torch_on(stream)
        assert isinstance(cell.problem, GemmProblem)
        lhs, rhs = centred_lhs(operands), np.ascontiguousarray(operands.rhs, np.int8)
        sets = []
        for _ in range(copies):
            a, b = torch.from_numpy(lhs.copy()).cuda(), torch.from_numpy(rhs.copy()).cuda()
            sets.append((a, b, torch.empty((len(lhs), len(rhs)), dtype=torch.int32, device="cuda")))
        shared = _Product(torch, sets, cell.problem, stream)
        note = "" if cell.out == "s32" else "stops at s32"
        return tuple(_Prepared(shared, i, found, note) for i, found in enumerate(shared.heuristics()))


class _Product:
    """The descriptions of rhs (as k x n, transposed), lhs (k x m) and output (n x m), columns first."""

    def __init__(self, torch: Any, sets: list[tuple[Any, Any, Any]], problem: GemmProblem, stream: int) -> None:
        self.torch, self.sets, self.stream = torch, sets, ctypes.c_void_p(stream)
        self.workspace = torch.empty(_WORKSPACE_BYTES, dtype=torch.uint8, device="cuda")
        self.handle, self.desc = ctypes.c_void_p(), ctypes.c_void_p()
        _call("cublasLtCreate", ctypes.byref(self.handle))
        _call("cublasLtMatmulDescCreate", ctypes.byref(self.desc), _COMPUTE_32I, _R_32I)
        word = ctypes.c_int(_TRANSPOSED)
        size = ctypes.c_size_t(4)
        _call("cublasLtMatmulDescSetAttribute", self.desc, _DESC_TRANSA, ctypes.byref(word), size)
        m, k, n = problem.m, problem.k, problem.n
        self.layouts = [self._layout(*shape) for shape in ((_R_8I, k, n, k), (_R_8I, k, m, k), (_R_32I, n, m, n))]

    @staticmethod
    def _layout(kind: int, rows: int, columns: int, leading: int) -> ctypes.c_void_p:
        found = ctypes.c_void_p()
        sizes = (ctypes.c_uint64(rows), ctypes.c_uint64(columns), ctypes.c_int64(leading))
        _call("cublasLtMatrixLayoutCreate", ctypes.byref(found), kind, *sizes)
        return found

    def heuristics(self) -> list[_Heuristic]:
        """Return the algorithms that the library offers, its best guess first."""
        preference, count = ctypes.c_void_p(), ctypes.c_int()
        _call("cublasLtMatmulPreferenceCreate", ctypes.byref(preference))
        room = ctypes.c_uint64(_WORKSPACE_BYTES)
        _call(
            "cublasLtMatmulPreferenceSetAttribute", preference, _PREFERENCE_WORKSPACE, ctypes.byref(room),
            ctypes.c_size_t(8),
        )  # fmt: skip
        found = (_Heuristic * _ASKED)()
        rhs, lhs, out = self.layouts
        _call(
            "cublasLtMatmulAlgoGetHeuristic", self.handle, self.desc, rhs, lhs, out, out, preference, _ASKED, found,
            ctypes.byref(count),
        )  # fmt: skip
        _call("cublasLtMatmulPreferenceDestroy", preference)
        return [found[i] for i in range(count.value) if found[i].state == 0]

    def run(self, algorithm: _Heuristic) -> None:
        """Compute every copy once."""
        one, zero = ctypes.c_int32(1), ctypes.c_int32(0)
        rhs, lhs, out = self.layouts
        for a, b, c in self.sets:
            pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (b, a, c)]
            _call(
                "cublasLtMatmul", self.handle, self.desc, ctypes.byref(one), pointers[0], rhs, pointers[1], lhs,
                ctypes.byref(zero), pointers[2], out, pointers[2], out, ctypes.byref(algorithm.algo),
                ctypes.c_void_p(self.workspace.data_ptr()), ctypes.c_size_t(algorithm.workspace_bytes), self.stream,
            )  # fmt: skip


class _Prepared:
    """See `peer.PreparedPeer`."""

    exact = True

    def __init__(self, product: _Product, number: int, algorithm: _Heuristic, note: str) -> None:
        self._product, self._algorithm, self.note = product, algorithm, note
        self.kernel = f"cublasLtMatmul, algorithm {number + 1} of its heuristics"

    def run(self) -> None:
        """Compute every copy once."""
        self._product.run(self._algorithm)

    def result(self) -> Array:
        """Return the sums."""
        self._product.torch.cuda.synchronize()
        found: Array = self._product.sets[0][2].cpu().numpy()
        return found
