"""The vocabulary of kernels as LLVM IR and inline PTX; `simulate.Simulate` has the same words in Python.

Whole numbers are 32 bits wide. Memory is addressed in elements (`load`), or in bytes (`*_words`); shared memory by its
32-bit address. Floats are fused where `fma` says so and nowhere else: `mul.rn` and `add.rn` are never fused by ptxas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from qbench.kernels.cuda.language.instructions import LEADING, MMA, STRIDE_OF_8_ROWS, SWIZZLE_128, WGMMA

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F32 = ir.FloatType()
Value = Any
SHARED_SPACE = 3


class Emit:
    """Writes into a builder."""

    zero_i32 = ir.Constant(I32, 0)
    zero_f32 = ir.Constant(F32, 0.0)

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def constant(self, value: int) -> Value:
        """Return a 32-bit number."""
        return ir.Constant(I32, value)

    def constant_float(self, value: float) -> Value:
        """Return a float32."""
        return ir.Constant(F32, value)

    def fresh(self, value: int, count: int) -> list[Value]:
        """Return registers of their own that hold a number: products under way keep theirs."""
        text = f"mov.b32 $0, {value};"
        return [self.asm(I32, text, "=r", volatile=True) for _ in range(count)]

    def asm(self, result: Any, text: str, constraints: str, *values: Value, volatile: bool = False) -> Value:
        """Emit inline PTX; `volatile` keeps its place among other memory operations."""
        kinds = [value.type for value in values]
        if volatile:
            constraints += ",~{memory}" if constraints else "~{memory}"
        code = ir.InlineAsm(ir.FunctionType(result, kinds), text, constraints, side_effect=volatile)
        return self.b.call(code, list(values))

    def _void(self, text: str, constraints: str = "", *values: Value) -> None:
        self.asm(ir.VoidType(), text, constraints, *values, volatile=True)

    def _number(self, value: Any) -> Value:
        return ir.Constant(I32, value) if isinstance(value, int) else value

    def binary(self, name: str, a: Any, b: Any) -> Value:
        """Emit `add sub mul and or xor shl shr ushr div mod` of two numbers, the last two of numbers >= 0."""
        words = {"and": "and_", "or": "or_", "shr": "ashr", "ushr": "lshr", "div": "udiv", "mod": "urem"}
        return getattr(self.b, words.get(name, name))(self._number(a), self._number(b))

    def minimum(self, a: Any, b: Any) -> Value:
        """Emit the lesser number."""
        a, b = self._number(a), self._number(b)
        return self.b.select(self.b.icmp_signed("<", a, b), a, b)

    def popcount(self, a: Value) -> Value:
        """Emit the number of set bits."""
        return self.asm(I32, "popc.b32 $0, $1;", "=r,r", a)

    def dot4(self, a: Value, b: Value, c: Value) -> Value:
        """Emit c + sum of four u8 by s8 products."""
        return self.asm(I32, "dp4a.u32.s32 $0, $1, $2, $3;", "=r,r,r,r", a, b, c)

    def to_float(self, a: Value) -> Value:
        """Emit the nearest float32."""
        return self.asm(F32, "cvt.rn.f32.s32 $0, $1;", "=f,r", a)

    def to_int(self, a: Value) -> Value:
        """Emit a whole float32 as a number."""
        return self.asm(I32, "cvt.rzi.s32.f32 $0, $1;", "=r,f", a)

    def float_binary(self, name: str, a: Value, b: Value) -> Value:
        """Emit `add mul min max`, rounded once."""
        suffix = ".rn.f32" if name in ("add", "mul") else ".f32"
        return self.asm(F32, f"{name}{suffix} $0, $1, $2;", "=f,f,f", a, b)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Emit a * b + c, rounded once."""
        return self.asm(F32, "fma.rn.f32 $0, $1, $2, $3;", "=f,f,f,f", a, b, c)

    def round_byte(self, a: Value, *, floor: bool) -> Value:
        """Emit a number whose lowest byte is a float32 within 0..255, rounded half to even, or down.

        1.5 * 2**23 + a is rounded to whole numbers; conversions have a quarter of an addition's rate.
        """
        return self.as_bits(self.asm(F32, f"add.{'rm' if floor else 'rn'}.f32 $0, $1, 0f4B400000;", "=f,f", a))

    def join_bytes(self, four: Sequence[Value]) -> Value:
        """Emit the word of four numbers' lowest bytes, the first one lowest."""
        text = "prmt.b32 $0, $1, $2, {};"
        low, high = (self.asm(I32, text.format("0x0040"), "=r,r,r", *four[i : i + 2]) for i in (0, 2))
        return self.asm(I32, text.format("0x5410"), "=r,r,r", low, high)

    def round_whole(self, a: Value, *, floor: bool) -> Value:
        """Emit rounding to a whole number: half to even, or down."""
        return self.asm(F32, f"cvt.{'rmi' if floor else 'rni'}.f32.f32 $0, $1;", "=f,f", a)

    def as_float(self, a: Value) -> Value:
        """Emit a change of type alone."""
        return self.b.bitcast(a, F32)

    def as_bits(self, a: Value) -> Value:
        """Emit a change of type alone."""
        return self.b.bitcast(a, I32)

    def half_subtract(self, a: Value, b: Any) -> Value:
        """Emit a - b on two float16 each."""
        return self.asm(I32, "sub.f16x2 $0, $1, $2;", "=r,r,r", a, self._number(b))

    def load(self, pointer: Value, index: Any, kind: str) -> Value:
        """Emit the load of element `index`: `i32`, `f32` or `u8`."""
        typed = self.b.bitcast(pointer, {"i32": I32, "f32": F32, "u8": I8}[kind].as_pointer())
        value = self.b.load(self.b.gep(typed, [self.b.sext(self._number(index), I64)]))
        return self.b.zext(value, I32) if kind == "u8" else value

    def _words_at(self, pointer: Value, index: Any, count: int, space: int = 0) -> Value:
        at = self.b.gep(self.b.bitcast(pointer, I8.as_pointer(space)), [self.b.sext(self._number(index), I64)])
        kind = I32 if count == 1 else ir.VectorType(I32, count)
        return self.b.bitcast(at, kind.as_pointer(space))

    def _split(self, loaded: Value, count: int) -> list[Value]:
        if count == 1:
            return [loaded]
        return [self.b.extract_element(loaded, self.constant(i)) for i in range(count)]

    def _join(self, values: Sequence[Value]) -> Value:
        if len(values) == 1:
            return values[0]
        whole = ir.Constant(ir.VectorType(I32, len(values)), ir.Undefined)
        for i, value in enumerate(values):
            whole = self.b.insert_element(whole, value, self.constant(i))
        return whole

    def load_words(self, pointer: Value, index: Any, count: int) -> list[Value]:
        """Emit the load of `count` words from byte `index`, a multiple of their size."""
        loaded = self.b.load(self._words_at(pointer, index, count))
        loaded.align = 4 * count
        return self._split(loaded, count)

    def stream_words(self, pointer: Value, index: Any) -> list[Value]:
        """Emit the load of 16 bytes that are read once: they leave the first-level cache to what is read again."""
        at = self.b.gep(self.b.bitcast(pointer, I8.as_pointer()), [self.b.sext(self._number(index), I64)])
        text = "ld.global.nc.L1::no_allocate.v4.u32 {$0, $1, $2, $3}, [$4];"
        loaded = self.asm(ir.LiteralStructType([I32] * 4), text, "=r,=r,=r,=r,l", self.b.ptrtoint(at, I64))
        return [self.b.extract_value(loaded, i) for i in range(4)]

    def store_words(self, pointer: Value, index: Any, values: Sequence[Value]) -> None:
        """Emit the store of words from byte `index`, a multiple of their size."""
        self.b.store(self._join(values), self._words_at(pointer, index, len(values)), align=4 * len(values))

    def store_words_below(
        self, pointer: Value, index: Any, values: Sequence[Value], number: Value, limit: Value
    ) -> None:
        """Emit the store of words from byte `index` where number < limit, without a branch."""
        at = self.b.gep(self.b.bitcast(pointer, I8.as_pointer()), [self.b.sext(self._number(index), I64)])
        count = len(values)
        words = [f"${i + 3}" for i in range(count)]
        vector = "" if count == 1 else f".v{count}"
        text = f"{{ .reg .pred p; setp.lt.s32 p, $1, $2; @p st.global{vector}.u32 [$0], {_braces(words)}; }}"
        self._void(text, ",".join(["l", "r", "r"] + ["r"] * count), self.b.ptrtoint(at, I64), number, limit, *values)

    def shared_base(self, pointer: Value) -> Value:
        """Emit the 32-bit address of shared memory."""
        space = I8.as_pointer(SHARED_SPACE)
        return self.b.ptrtoint(self.b.addrspacecast(self.b.bitcast(pointer, I8.as_pointer()), space), I32)

    def shared_load(self, address: Value, count: int) -> list[Value]:
        """Emit the load of words of shared memory."""
        words = [f"${i}" for i in range(count)]
        kind, vector = (I32, "") if count == 1 else (ir.LiteralStructType([I32] * count), f".v{count}")
        text = f"ld.shared{vector}.u32 {_braces(words)}, [${count}];"
        loaded = self.asm(kind, text, ",".join(["=r"] * count + ["r"]), address, volatile=True)
        return [loaded] if count == 1 else [self.b.extract_value(loaded, i) for i in range(count)]

    def shared_store(self, address: Value, values: Sequence[Value]) -> None:
        """Emit the store of words to shared memory."""
        words = [f"${i + 1}" for i in range(len(values))]
        vector = "" if len(values) == 1 else f".v{len(values)}"
        self._void(
            f"st.shared{vector}.u32 [$0], {_braces(words)};", ",".join("r" * (len(values) + 1)), address, *values
        )

    def copy_async(self, address: Value, pointer: Value, index: Value, size: int) -> None:
        """Emit the copy of `size` (4 or 16) bytes from byte `index` to shared memory."""
        at = self.b.gep(self.b.bitcast(pointer, I8.as_pointer()), [self.b.sext(index, I64)])
        cached = "cg" if size == 16 else "ca"
        self._void(f"cp.async.{cached}.shared.global [$0], [$1], {size};", "r,l", address, self.b.ptrtoint(at, I64))

    def prefetch(self, pointer: Value, index: Value) -> None:
        """Emit the wish that the 128 bytes around byte `index` come to the second-level cache."""
        at = self.b.gep(self.b.bitcast(pointer, I8.as_pointer()), [self.b.sext(index, I64)])
        self._void("prefetch.global.L2 [$0];", "l", self.b.ptrtoint(at, I64))

    def commit(self) -> None:
        """Emit the end of a group of copies."""
        self._void("cp.async.commit_group;")

    def wait(self, pending: int) -> None:
        """Emit the wait until at most `pending` groups of copies are under way."""
        self._void(f"cp.async.wait_group {pending};")

    def sync_warp(self) -> None:
        """Emit the wait for the warp's other lanes."""
        self._void("bar.warp.sync 0xffffffff;")

    def load_fragments(self, addresses: Sequence[Value]) -> list[list[Value]]:
        """Emit ldmatrix.x4 of each address."""
        kind = ir.LiteralStructType([I32] * 4)
        text = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0, $1, $2, $3}, [$4];"
        found = []
        for address in addresses:
            loaded = self.asm(kind, text, "=r,=r,=r,=r,r", address, volatile=True)
            found.append([self.b.extract_value(loaded, i) for i in range(4)])
        return found

    def mma(self, kind: str, operands: Sequence[tuple[Any, Any, Any]]) -> list[list[Value]]:
        """Emit c + a @ b of each (c, a, b)."""
        number, letter = (F32, "f") if kind == "f16" else (I32, "r")
        text = f"{MMA[kind]} {{$0, $1, $2, $3}}, {{$4, $5, $6, $7}}, {{$8, $9}}, {{$10, $11, $12, $13}};"
        constraints = ",".join([f"={letter}"] * 4 + ["r"] * 6 + ["0", "1", "2", "3"])
        found = []
        for c, a, b in operands:
            sums = self.asm(ir.LiteralStructType([number] * 4), text, constraints, *a, *b, *c)
            found.append([self.b.extract_value(sums, i) for i in range(4)])
        return found

    def _descriptor(self, address: Value) -> Value:
        b = self.b
        start = b.and_(b.lshr(b.zext(address, I64), ir.Constant(I64, 4)), ir.Constant(I64, 0x3FFF))
        return b.or_(start, ir.Constant(I64, SWIZZLE_128 | STRIDE_OF_8_ROWS | LEADING))

    def wgmma(self, kind: str, acc: Sequence[Value], a_address: Value, b_address: Value, columns: int) -> list[Value]:
        """Emit acc + a @ b of operands in shared memory, 32 bytes deep, in rows of 128 bytes, swizzled."""
        count = len(acc)
        names = ", ".join(f"${i}" for i in range(count))
        text = (
            f"{{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n{columns}{WGMMA[kind]} "
            f"{{{names}}}, ${count}, ${count + 1}, p; }}"
        )
        constraints = ",".join(["=r"] * count + ["l", "l"] + [str(i) for i in range(count)])
        values = (self._descriptor(a_address), self._descriptor(b_address), *acc)
        sums = self.asm(ir.LiteralStructType([I32] * count), text, constraints, *values, volatile=True)
        return [self.b.extract_value(sums, i) for i in range(count)]

    def wgmma_left(self, kind: str, acc: Sequence[Value], a: Sequence[Value], b_address: Value) -> list[Value]:
        """Emit acc + a @ b: the warpgroup's 64 rows in its registers, two rows of b an accumulator in shared memory."""
        count = len(acc)
        names = [", ".join(f"${i}" for i in part) for part in (range(count), range(count, count + 4))]
        text = (
            f"{{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n{2 * count}{WGMMA[kind]} "
            f"{{{names[0]}}}, {{{names[1]}}}, ${count + 4}, p; }}"
        )
        constraints = ",".join(["=r"] * count + ["r"] * 4 + ["l"] + [str(i) for i in range(count)])
        values = (*a, self._descriptor(b_address), *acc)
        sums = self.asm(ir.LiteralStructType([I32] * count), text, constraints, *values, volatile=True)
        return [self.b.extract_value(sums, i) for i in range(count)]

    def wgmma_fence(self) -> None:
        """Emit the order between registers and the products to come."""
        self._void("wgmma.fence.sync.aligned;")

    def wgmma_commit(self) -> None:
        """Emit the end of a group of products."""
        self._void("wgmma.commit_group.sync.aligned;")

    def wgmma_wait(self, acc: Sequence[Value], pending: int) -> list[Value]:
        """Emit the wait until at most `pending` groups of products are under way; return the accumulators."""
        count = len(acc)
        constraints = ",".join(["=r"] * count + [str(i) for i in range(count)])
        kind = ir.LiteralStructType([I32] * count)
        sums = self.asm(kind, f"wgmma.wait_group.sync.aligned {pending};", constraints, *acc, volatile=True)
        return [self.b.extract_value(sums, i) for i in range(count)]

    def fence_copies(self) -> None:
        """Emit the order between this thread's copies and the matrix unit's reads."""
        self._void("fence.proxy.async.shared::cta;")


def _braces(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else "{" + ", ".join(words) + "}"
