"""ggml's products with Q4_0 weights (4 bits in groups of 32), by ctypes from the wheel of xllamacpp."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import GemmProblem, KernelCell, KernelOperands
from qbench.errors import ModelError
from qbench.peers.operators.operator_peer import OperatorFacts, is_uniform, reals

_GROUP = 32
_BUILDS = ("avx512_vnni", "avx512", "avx_vnni", "avx2", "avx", "neon")
"""ggml's names of instruction sets, best first: which of them the wheel was built for."""
_F32, _Q4_0 = 0, 2
_CONTEXT_BYTES = 1 << 20
"""Room for the descriptions of tensors and graph; the numbers lie in buffers of the backend."""


class Ggml:
    """`ggml_mul_mat` with Q4_0."""

    name: ClassVar[str] = "ggml"
    distributions: ClassVar[tuple[str, ...]] = ("xllamacpp",)

    def missing(self) -> str | None:
        """Return why ggml cannot be used here, or None."""
        try:
            _library()
        except (ImportError, OSError, AttributeError) as error:
            return f"xllamacpp cannot be loaded ({error}): install qbench with its extra 'peers'"
        return None

    def supports(self, cell: KernelCell) -> str | None:
        """Return why ggml has no kernel for `cell`, or None."""
        gemm = isinstance(cell.problem, GemmProblem) and cell.out == "f32" and is_uniform(cell, weight_bits=4)
        if not gemm or cell.group_size != _GROUP:
            return "has products with 4-bit weights in groups of 32 only"
        assert isinstance(cell.problem, GemmProblem)
        return "its repacked columns come in 8s" if cell.problem.n % 8 else None

    def prepare(self, cell: KernelCell, operands: KernelOperands) -> GgmlOperator:
        """Return the product as a graph of one node on the CPU backend."""
        return GgmlOperator(cell, operands)


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


class GgmlOperator:
    """One graph; its tensors lie in one context."""

    def __init__(self, cell: KernelCell, operands: KernelOperands) -> None:
        problem, ggml = cell.problem, _library()
        assert isinstance(problem, GemmProblem)
        weights = _q4_0(operands)
        self._ggml, self._backend = ggml, ggml.ggml_backend_cpu_init()
        ggml.ggml_backend_cpu_set_n_threads(self._backend, cell.threads)
        self._contexts = [ggml.ggml_init(_InitParams(_CONTEXT_BYTES, None, True)) for _ in range(2)]
        rhs = ggml.ggml_new_tensor_2d(self._contexts[0], _Q4_0, problem.k, problem.n)
        lhs = ggml.ggml_new_tensor_2d(self._contexts[1], _F32, problem.k, problem.m)
        self._result = ggml.ggml_mul_mat(self._contexts[1], rhs, lhs)
        self._graph = ggml.ggml_new_graph(self._contexts[1])
        ggml.ggml_build_forward_expand(self._graph, self._result)
        self._buffers = [
            ggml.ggml_backend_alloc_ctx_tensors_from_buft(self._contexts[0], _repacking_buffers()),
            ggml.ggml_backend_alloc_ctx_tensors(self._contexts[1], self._backend),
        ]
        for tensor, values in ((rhs, weights), (lhs, reals(operands))):
            ggml.ggml_backend_tensor_set(tensor, values.ctypes.data, 0, values.nbytes)
        self.facts = OperatorFacts(
            "ggml_mul_mat q4_0",
            isa=next((isa for isa in _BUILDS if getattr(ggml, f"ggml_cpu_has_{isa}")()), ""),
            least_sqnr_db=30.0,
            note="float32 activations, quantized symmetrically in groups on each call",
        )
        self._out = np.zeros((problem.m, problem.n), np.float32)
        if self.run():
            raise ModelError(f"ggml: the graph of {problem.label} was refused")

    def run(self) -> object:
        """Compute the output once more; returns ggml's status, 0 for success."""
        return self._ggml.ggml_backend_graph_compute(self._backend, self._graph)

    def result(self) -> npt.NDArray[np.float32]:
        """Return the output of the last call."""
        self._ggml.ggml_backend_tensor_get(self._result, self._out.ctypes.data, 0, self._out.nbytes)
        return self._out

    def __del__(self) -> None:
        for buffer in self._buffers:
            self._ggml.ggml_backend_buffer_free(buffer)
        for context in self._contexts:
            self._ggml.ggml_free(context)
        self._ggml.ggml_backend_free(self._backend)


def _q4_0(operands: KernelOperands) -> npt.NDArray[np.uint8]:
    """Return blocks of a float16 scale and 16 bytes: number i in the low half of byte i, number 16 + i in the high."""
    codes = (operands.rhs.astype(np.int16) + 8).astype(np.uint8).reshape(len(operands.rhs), -1, _GROUP)
    packed = codes[..., : _GROUP // 2] | codes[..., _GROUP // 2 :] << 4
    scales = operands.rhs_scale.astype(np.float16)[..., None].view(np.uint8)
    return np.ascontiguousarray(np.concatenate([scales, packed], axis=-1))


@cache
def _library() -> Any:
    """Return the extension module of xllamacpp as a C library; raise what is missing."""
    found = importlib.util.find_spec("xllamacpp")
    if found is None or found.origin is None:
        raise ImportError("no module named xllamacpp")
    library = ctypes.CDLL(str(next(Path(found.origin).parent.glob("xllamacpp*.so"))))
    pointer, count, whole = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "ggml_init": (pointer, [_InitParams]),
        "ggml_free": (None, [pointer]),
        "ggml_new_tensor_2d": (pointer, [pointer, whole, count, count]),
        "ggml_backend_alloc_ctx_tensors": (pointer, [pointer, pointer]),
        "ggml_backend_alloc_ctx_tensors_from_buft": (pointer, [pointer, pointer]),
        "ggml_backend_tensor_set": (None, [pointer, pointer, ctypes.c_size_t, ctypes.c_size_t]),
        "ggml_backend_tensor_get": (None, [pointer, pointer, ctypes.c_size_t, ctypes.c_size_t]),
        "ggml_backend_buffer_free": (None, [pointer]),
        "ggml_backend_cpu_reg": (pointer, []),
        "ggml_backend_cpu_buffer_type": (pointer, []),
        "ggml_backend_reg_dev_get": (pointer, [pointer, ctypes.c_size_t]),
        "ggml_backend_reg_get_proc_address": (pointer, [pointer, ctypes.c_char_p]),
        "ggml_mul_mat": (pointer, [pointer, pointer, pointer]),
        "ggml_new_graph": (pointer, [pointer]),
        "ggml_build_forward_expand": (None, [pointer, pointer]),
        "ggml_backend_cpu_init": (pointer, []),
        "ggml_backend_cpu_set_n_threads": (None, [pointer, whole]),
        "ggml_backend_graph_compute": (whole, [pointer, pointer]),
        "ggml_backend_free": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _repacking_buffers() -> Any:
    """Return the kind of buffer that brings weights into ggml's layout for fast products, or the plain one."""
    ggml = _library()
    registry = ggml.ggml_backend_cpu_reg()
    address = ggml.ggml_backend_reg_get_proc_address(registry, b"ggml_backend_dev_get_extra_bufts")
    if address:
        extra = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(address)
        kinds = extra(ggml.ggml_backend_reg_dev_get(registry, 0))
        if kinds and kinds[0]:
            return kinds[0]
    return ggml.ggml_backend_cpu_buffer_type()
