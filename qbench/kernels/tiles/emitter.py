"""Small building blocks over an LLVM builder. Addresses are made with getelementptr only (numba issue 10695)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

I8, I32, I64, F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
NARROW, WIDE = 4, 16
"""Lanes of vectors of 128 and 512 bits."""
Value = Any  # llvmlite's values carry no type stubs


class Emitter:
    """An LLVM builder for vectors of `lanes` 32-bit lanes."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.ints = ir.VectorType(I32, lanes)
        self.floats = ir.VectorType(F32, lanes)
        self.bytes = ir.VectorType(I8, 4 * lanes)
        self.narrow = ir.VectorType(I8, lanes)
        self.shorts = ir.VectorType(ir.IntType(16), 2 * lanes)

    def constant(self, number: float, kind: Any) -> Value:
        """Return a scalar or splatted vector constant."""
        return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)

    def splat(self, scalar: Value) -> Value:
        """Return `scalar` (i32 or f32) in every lane."""
        kind = ir.VectorType(scalar.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )

    def broadcast(self, base: Value, offset_bytes: Value, spread: int, *, flip: int = 0) -> Value:
        """Load `spread` 32-bit words, flip bits of each, and repeat them over the lanes, as integers.

        The bits are flipped before the words are repeated: LLVM 22 never ends on a flipped vector before a dot
        instruction.
        """
        kind, wide = (I32, self) if spread == 1 else (I64, Emitter(self.builder, self.lanes // 2))
        word = self.load(base, offset_bytes, kind)
        if flip and self.lanes == 4:  # aarch64 loads a word into all lanes, and would move a flipped one over there
            return self.builder.xor(self.splat(word), self.constant(flip, self.ints))
        if flip:
            word = self.builder.xor(word, ir.Constant(kind, flip if spread == 1 else flip << 32 | flip))
        return self.builder.bitcast(wide.splat(word), self.ints)

    def selected(self, base: Value, offset_bytes: Value, selectors: Value) -> Value:
        """Load 16 bytes and repeat four of them over the lanes, those whose numbers are the bytes of `selectors`."""
        b = self.builder
        loaded = self.load(base, offset_bytes, ir.VectorType(I8, 16))
        order = ir.Constant(ir.VectorType(I32, 4 * self.lanes), [i % 16 for i in range(4 * self.lanes)])
        window, chosen = b.shuffle_vector(loaded, loaded, order), b.bitcast(self.splat(selectors), self.bytes)
        return b.bitcast(self.call("llvm.x86.avx2.pshuf.b", self.bytes, window, chosen), self.ints)

    def add_neighbours(self, first: Value, second: Value) -> Value:
        """Return lanes 0+1, 2+3 ... of `first`, then of `second`."""
        even, odd = (
            self.builder.shuffle_vector(
                first, second, ir.Constant(ir.VectorType(I32, self.lanes), list(range(k, 2 * self.lanes, 2)))
            )
            for k in (0, 1)
        )
        return self.builder.fadd(even, odd) if first.type == self.floats else self.builder.add(even, odd)

    def at(self, base: Value, offset_bytes: Value, kind: Any) -> Value:
        """Return a pointer to `kind` at `base` plus a number of bytes."""
        return self.builder.bitcast(self.builder.gep(base, [offset_bytes]), kind.as_pointer())

    def load(self, base: Value, offset_bytes: Value, kind: Any, *, align: int = 1) -> Value:
        """Load one `kind`."""
        return self.builder.load(self.at(base, offset_bytes, kind), align=align)

    def load_bfloat16(self, base: Value, offset_bytes: Value) -> Value:
        """Load a vector of bfloat16 numbers as floats."""
        halves = self.load(base, offset_bytes, ir.VectorType(ir.IntType(16), self.lanes), align=2)
        return self.builder.bitcast(
            self.builder.shl(self.builder.zext(halves, self.ints), self.constant(16, self.ints)), self.floats
        )

    def store(self, value: Value, base: Value, offset_bytes: Value) -> None:
        """Store `value` at any address."""
        self.builder.store(value, self.at(base, offset_bytes, value.type), align=1)

    def prefetch(self, base: Value, offset_bytes: Value) -> None:
        """Ask for a cache line that will be read."""
        read, keep, data = (ir.Constant(I32, number) for number in (0, 3, 1))
        self.call("llvm.prefetch.p0", ir.VoidType(), self.builder.gep(base, [offset_bytes]), read, keep, data)

    def logic(self, rule: Callable[[int, int, int], int], a: Value, b: Value, c: Value) -> Value:
        """Return `rule` of every three bits of vectors of 512 bits, by one instruction."""
        table = sum((rule(i >> 2 & 1, i >> 1 & 1, i & 1) & 1) << i for i in range(8))
        return self.call("llvm.x86.avx512.pternlog.d.512", self.ints, a, b, c, ir.Constant(I32, table))

    def call(self, name: str, result: Any, *arguments: Value) -> Value:
        """Call an LLVM intrinsic by its full name."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        module = self.builder.module
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, arguments)

    def overloaded(self, name: str, *arguments: Value) -> Value:
        """Call an LLVM intrinsic that is overloaded on its first argument's vector type, e.g. `llvm.rint`."""
        kind = arguments[0].type
        letter = "f32" if kind.element == F32 else f"i{kind.element.width}"
        return self.call(f"{name}.v{kind.count}{letter}", kind, *arguments)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a * b + c, rounded once."""
        return self.overloaded("llvm.fma", a, b, c)

    def clamped(self, value: Value, low: Value, high: Value) -> Value:
        """Return min(max(value, low), high) of numbers that are not NaN, an instruction each."""
        b = self.builder
        value = b.select(b.fcmp_ordered(">", value, low), value, low)
        return b.select(b.fcmp_ordered("<", value, high), value, high)

    def rounded(self, value: Value) -> Value:
        """Return floats within int32 rounded half to even, as integers, by the one instruction that does both."""
        if self.lanes == 16:
            tail = (self.constant(0, self.ints), ir.Constant(ir.IntType(16), -1), ir.Constant(I32, 4))
            return self.call("llvm.x86.avx512.mask.cvtps2dq.512", self.ints, value, *tail)
        name = {4: "llvm.aarch64.neon.fcvtns.v4i32.v4f32", 8: "llvm.x86.avx.cvt.ps2dq.256"}[self.lanes]
        return self.call(name, self.ints, value)

    def saturated_shorts(self, low: Value, high: Value) -> Value:
        """Return two vectors of int32 saturated to 16 bits: four of each in every 128-bit lane."""
        name = {8: "llvm.x86.avx2.packssdw", 16: "llvm.x86.avx512.packssdw.512"}[self.lanes]
        return self.call(name, self.shorts, low, high)

    def saturated_codes(self, low: Value, high: Value) -> Value:
        """Return two vectors of 16 bits saturated to u8: eight of each in every 128-bit lane."""
        name = {8: "llvm.x86.avx2.packuswb", 16: "llvm.x86.avx512.packuswb.512"}[self.lanes]
        return self.call(name, self.bytes, low, high)

    def saturated_bytes(self, four: Sequence[Value]) -> Value:
        """Return four vectors of int32, saturated to u8: four of each in every 128-bit lane; x86 only."""
        return self.saturated_codes(*(self.saturated_shorts(four[i], four[i + 1]) for i in (0, 2)))

    def packed_bytes(self, four: Sequence[Value]) -> Value:
        """Return four vectors of int32, saturated to u8, one behind the other; x86 only."""
        b, mixed = self.builder, self.builder.bitcast(self.saturated_bytes(four), self.ints)
        order = [4 * lane + vector for vector in range(4) for lane in range(self.lanes // 4)]
        return b.bitcast(b.shuffle_vector(mixed, mixed, ir.Constant(ir.VectorType(I32, self.lanes), order)), self.bytes)

    def splat_byte(self, scalar: Value) -> Value:
        """Return an i8 in every byte."""
        undefined = ir.Constant(self.bytes, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(I32, self.bytes.count), [0] * self.bytes.count)
        )

    def add_bytes(self, offset: Value, amount: int) -> Value:
        """Return `offset + amount`."""
        return self.builder.add(offset, ir.Constant(I64, amount))

    def loop(
        self,
        begin: Value,
        end: Value,
        step: int | Value,
        state: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value]],
        *,
        may_skip: bool = False,
    ) -> list[Value]:
        """Emit `for i in range(begin, end, step): state = body(i, state)` and return the last state.

        The body runs at least once unless the loop `may_skip`.
        """
        builder = self.builder
        entry = builder.block
        head, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        if may_skip:
            builder.cbranch(builder.icmp_signed("<", begin, end), head, done)
        else:
            builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        index.add_incoming(begin, entry)
        phis = [builder.phi(value.type) for value in state]
        for phi, value in zip(phis, state, strict=True):
            phi.add_incoming(value, entry)
        new = list(body(index, phis))
        stride = ir.Constant(I64, step) if isinstance(step, int) else step
        following = builder.add(index, stride)
        last = builder.block
        index.add_incoming(following, last)
        for phi, value in zip(phis, new, strict=True):
            phi.add_incoming(value, last)
        builder.cbranch(builder.icmp_signed("<", following, end), head, done)
        builder.position_at_end(done)
        if not may_skip:
            return new
        results = [builder.phi(value.type) for value in state]
        for result, before, after in zip(results, state, new, strict=True):
            result.add_incoming(before, entry)
            result.add_incoming(after, last)
        return results
