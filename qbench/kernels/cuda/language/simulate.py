"""The vocabulary of kernels as plain Python, for Numba's simulator: one thread of a warp is one Python thread.

Instructions that lanes execute together (ldmatrix, mma) meet at a barrier; the last lane to arrive computes for all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import fma
from qbench.kernels.cuda.language.units import WARP, fragments_of, left_of, mma_of, product_of, rows_of_atom, signed

_PATIENCE_S = 120.0


class _Warp:
    """32 lanes that hand in operands and take out results together."""

    def __init__(self) -> None:
        self._operation: Callable[[list[Any]], list[Any]] = list
        self._handed: list[Any] = [None] * WARP
        self._results: list[Any] = []
        self._barrier = threading.Barrier(WARP, self._compute, _PATIENCE_S)

    def _compute(self) -> None:
        self._results = self._operation(self._handed)

    def exchange(self, lane: int, value: Any, operation: Callable[[list[Any]], list[Any]]) -> Any:
        """Return this lane's item of `operation(values of all lanes)`."""
        self._operation = operation
        self._handed[lane] = value
        self._barrier.wait()
        return self._results[lane]


_WARPS: dict[tuple[int, ...], _Warp] = {}
_SHARED: dict[int, npt.NDArray[np.uint8]] = {}
_LOCK = threading.Lock()


def forget() -> None:
    """Drop what the last launch left."""
    _WARPS.clear()
    _SHARED.clear()


def _here() -> tuple[_Warp, int]:
    thread: Any = threading.current_thread()
    block = thread.blockIdx
    key = (block.x, block.y, block.z, thread.thread_id // WARP)
    with _LOCK:
        if key not in _WARPS:
            _WARPS[key] = _Warp()
    return _WARPS[key], thread.thread_id % WARP


class Simulate:
    """The words of `emit.Emit`, computed at once."""

    zero_i32 = 0
    zero_f32 = np.float32(0)

    @staticmethod
    def constant(value: int) -> int:
        """Return a 32-bit number."""
        return signed(value)

    @staticmethod
    def constant_float(value: float) -> np.float32:
        """Return a float32."""
        return np.float32(value)

    @staticmethod
    def fresh(value: int, count: int) -> list[int]:
        """Return a number `count` times."""
        return [value] * count

    @staticmethod
    def binary(name: str, a: int, b: int) -> int:
        """Return `add sub mul and or xor shl shr ushr div mod` of two numbers, wrapped to 32 bits."""
        low = a % 2**32
        found = {
            "add": a + b, "sub": a - b, "mul": a * b, "and": a & b, "or": a | b, "xor": a ^ b,
            "shl": low << b if name == "shl" else 0, "shr": a >> b if name == "shr" else 0,
            "ushr": low >> b if name == "ushr" else 0,
            "div": low // b if name == "div" else 0, "mod": low % b if name == "mod" else 0,
        }  # fmt: skip
        return signed(found[name])

    @staticmethod
    def minimum(a: int, b: int) -> int:
        """Return the lesser number."""
        return min(a, b)

    @staticmethod
    def popcount(a: int) -> int:
        """Return the number of set bits."""
        return (a % 2**32).bit_count()

    @staticmethod
    def dot4(a: int, b: int, c: int) -> int:
        """Return c + sum of four u8 by s8 products."""
        pair = (np.array([v % 2**32], np.uint32).view(t).astype(np.int64) for v, t in ((a, np.uint8), (b, np.int8)))
        left, right = pair
        return signed(c + int(left @ right))

    @staticmethod
    def to_float(a: int) -> np.float32:
        """Return the nearest float32."""
        return np.float32(a)

    @staticmethod
    def to_int(a: np.float32) -> int:
        """Return a whole float32 as a number."""
        return int(a)

    @staticmethod
    def float_binary(name: str, a: np.float32, b: np.float32) -> np.float32:
        """Return `add mul min max`, rounded once."""
        operation: Any = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}[name]
        return np.float32(operation(a, b))

    @staticmethod
    def fma(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
        """Return a * b + c, rounded once."""
        return np.float32(fma(a, b, c))

    @staticmethod
    def round_byte(a: np.float32, *, floor: bool) -> int:
        """Return a float32 within 0..255, rounded half to even, or down."""
        assert 0 <= a <= 255
        return int(np.floor(a) if floor else np.rint(a))

    @staticmethod
    def join_bytes(four: Sequence[int]) -> int:
        """Return the word of four numbers' lowest bytes, the first one lowest."""
        return signed(sum((value & 255) << 8 * i for i, value in enumerate(four)))

    @staticmethod
    def round_whole(a: np.float32, *, floor: bool) -> np.float32:
        """Round to a whole number: half to even, or down."""
        return np.float32(np.floor(a) if floor else np.rint(a))

    @staticmethod
    def as_float(a: int) -> np.float32:
        """Return the float32 with these bits."""
        return np.float32(np.array([a], np.int32).view(np.float32)[0])

    @staticmethod
    def as_bits(a: np.float32) -> int:
        """Return the bits of a float32."""
        return int(np.array([a], np.float32).view(np.int32)[0])

    @staticmethod
    def half_subtract(a: int, b: int) -> int:
        """Return a - b on two float16 each."""
        left, right = (np.array([v], np.int32).view(np.float16) for v in (a, b))
        return int((left - right).astype(np.float16).view(np.int32)[0])

    @staticmethod
    def load(pointer: Any, index: int, kind: str) -> Any:
        """Return element `index` of a pointer: `i32`, `f32` or `u8`."""
        assert index >= 0
        value = pointer[index]
        return np.float32(value) if kind == "f32" else int(value)

    @staticmethod
    def load_words(pointer: Any, index: int, count: int) -> list[int]:
        """Return `count` words from byte `index`, a multiple of their size."""
        assert index >= 0
        assert index % (4 * count) == 0
        part = np.asarray(pointer).reshape(-1).view(np.uint8)[index : index + 4 * count]
        return [signed(v) for v in part.view(np.uint32)]

    @staticmethod
    def stream_words(pointer: Any, index: int) -> list[int]:
        """Return 16 bytes as words."""
        return Simulate.load_words(pointer, index, 4)

    @staticmethod
    def store_words(pointer: Any, index: int, values: Sequence[int]) -> None:
        """Write words from byte `index`, a multiple of their size."""
        assert index >= 0
        assert index % (4 * len(values)) == 0
        whole = np.asarray(pointer).reshape(-1).view(np.uint8)
        part = np.array([v % 2**32 for v in values], np.uint32).view(np.uint8)
        assert index + len(part) <= len(whole)
        whole[index : index + len(part)] = part

    @staticmethod
    def store_words_below(pointer: Any, index: int, values: Sequence[int], number: int, limit: int) -> None:
        """Write words from byte `index` where number < limit."""
        if number < limit:
            Simulate.store_words(pointer, index, values)

    @staticmethod
    def shared_base(memory: npt.NDArray[np.uint8]) -> int:
        """Remember the block's shared memory; its addresses begin at 0."""
        _SHARED[0] = np.asarray(memory)
        return 0

    @staticmethod
    def shared_load(address: int, count: int) -> list[int]:
        """Return `count` words of shared memory."""
        return Simulate.load_words(_SHARED[0], address, count)

    @staticmethod
    def shared_store(address: int, values: Sequence[int]) -> None:
        """Write words to shared memory."""
        Simulate.store_words(_SHARED[0], address, values)

    @staticmethod
    def copy_async(address: int, pointer: Any, index: int, size: int) -> None:
        """Copy `size` bytes to shared memory, at once."""
        Simulate.shared_store(address, Simulate.load_words(pointer, index, size // 4))

    @staticmethod
    def prefetch(pointer: Any, index: int) -> None:
        """Do nothing but look whether the byte is there."""
        assert 0 <= index < np.asarray(pointer).nbytes

    @staticmethod
    def commit() -> None:
        """Do nothing: copies are done."""

    @staticmethod
    def wait(pending: int) -> None:
        """Do nothing: copies are done."""

    @staticmethod
    def sync_warp() -> None:
        """Wait for the warp's other lanes."""
        warp, lane = _here()
        warp.exchange(lane, None, list)

    @staticmethod
    def load_fragments(addresses: Sequence[int]) -> list[list[int]]:
        """Return ldmatrix.x4 of each address."""
        warp, lane = _here()
        found: list[list[int]] = warp.exchange(lane, list(addresses), lambda all_: fragments_of(_SHARED[0], all_))
        return found

    @staticmethod
    def mma(kind: str, operands: Sequence[tuple[Any, Any, Any]]) -> list[list[Any]]:
        """Return c + a @ b of each (c, a, b); `kind` is `u8s8`, `s8u8`, `b1` or `f16`."""
        warp, lane = _here()
        found: list[list[Any]] = warp.exchange(lane, list(operands), lambda all_: mma_of(kind, all_))
        return found

    @staticmethod
    def wgmma(kind: str, acc: Sequence[int], a_address: int, b_address: int, columns: int) -> list[int]:
        """Return acc + a @ b of operands in shared memory, 32 bytes deep, in rows of 128 bytes, swizzled."""
        thread: Any = threading.current_thread()
        warp, lane = thread.thread_id // WARP % 4, thread.thread_id % WARP
        rows = [16 * warp + lane // 4 + 8 * i for i in range(2)]
        a = rows_of_atom(_SHARED[0], a_address, rows)
        b = rows_of_atom(_SHARED[0], b_address, list(range(columns)))
        sums = product_of(kind, a, b)
        new = list(acc)
        for cell in range(len(new)):
            column = 8 * (cell // 4) + 2 * (lane % 4) + cell % 2
            new[cell] = signed(new[cell] + int(sums[cell // 2 % 2, column]))
        return new

    @staticmethod
    def wgmma_left(kind: str, acc: Sequence[int], a: Sequence[int], b_address: int) -> list[int]:
        """Return acc + a @ b: the warpgroup's 64 rows in its registers, b in rows of shared memory."""
        warp, lane = _here()
        left = warp.exchange(lane, list(a), lambda all_: [left_of(all_)] * WARP)
        sums = product_of(kind, left, rows_of_atom(_SHARED[0], b_address, list(range(2 * len(acc)))))
        cells = [(lane // 4 + 8 * (i // 2 % 2), 8 * (i // 4) + 2 * (lane % 4) + i % 2) for i in range(len(acc))]
        return [signed(old + int(sums[cell])) for old, cell in zip(acc, cells, strict=True)]

    @staticmethod
    def wgmma_fence() -> None:
        """Do nothing."""

    @staticmethod
    def wgmma_commit() -> None:
        """Do nothing."""

    @staticmethod
    def wgmma_wait(acc: Sequence[int], pending: int) -> list[int]:
        """Return the accumulators: products are done."""
        return list(acc)

    @staticmethod
    def fence_copies() -> None:
        """Do nothing."""
