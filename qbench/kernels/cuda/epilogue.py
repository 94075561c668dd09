"""Building blocks from accumulators to memory: the operations of `law`, in its order.

A warp lays its accumulators down in a patch of shared memory, row by row, and takes them up again four columns at a
time, so that stores to memory are whole words in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.kernels.cuda.block import block
from qbench.kernels.cuda.products import Product


@dataclass(frozen=True, slots=True)
class Epilogue:
    """What becomes of sums: `kind` is `s32`, `u8` or `f32`; flags as in `qbench.kernels.tiles.driver`."""

    kind: str
    residual: bool = False
    sums: bool = False
    floor: bool = False
    grouped: bool = False

    @classmethod
    def parse(cls, text: str) -> Epilogue:
        """Return the epilogue of words such as `u8+residual+floor`."""
        kind, *flags = text.split("+")
        known = {"residual", "sum", "floor", "grouped"}
        assert set(flags) <= known, f"unknown flags {set(flags) - known}"
        return cls(kind, "residual" in flags, "sum" in flags, "floor" in flags, "grouped" in flags)

    @property
    def item_bytes(self) -> int:
        """Bytes of an output number."""
        return 1 if self.kind == "u8" else 4


def lay_down(rows_of_16: int, tiles_of_8: int, patch_words: int, *, is_float: bool) -> Any:
    """Return the block (acc, patch address, lane): writes a warp's accumulators to its patch."""

    def lay_down_macro(ops: Any, acc: list[Any], patch: Any, lane: Any) -> None:
        row, column = ops.binary("ushr", lane, 2), ops.binary("mul", ops.binary("and", lane, 3), 8)
        own = ops.binary("add", patch, ops.binary("add", ops.binary("mul", row, 4 * patch_words), column))
        for i in range(rows_of_16):
            for j in range(tiles_of_8):
                for half in range(2):
                    cell = 4 * (i * tiles_of_8 + j) + 2 * half
                    two = [ops.as_bits(v) if is_float else v for v in acc[cell : cell + 2]]
                    at = ops.binary("add", own, 4 * ((16 * i + 8 * half) * patch_words + 8 * j))
                    ops.shared_store(at, two)

    return block(lay_down_macro)


def finish(product: Product, epilogue: Epilogue) -> Any:
    """Return the block that turns four columns of one row into output.

    Its arguments: address of the four sums in shared memory; (out, byte of the row); (residual, byte of the row);
    (correction, scale, offset, shift); the first column; the row's sum; (low, high, residual_scale).
    """

    def finish_macro(
        ops: Any, address: Any, out: Any, residual: Any, params: Any, column: Any, row_sum: Any, limits: Any
    ) -> None:
        words = ops.shared_load(address, 4)
        _finish(ops, words, (out, residual, params, column, row_sum, limits), product, epilogue)

    return block(finish_macro)


def _finish(ops: Any, words: list[Any], rest: tuple[Any, ...], product: Product, epilogue: Epilogue) -> None:
    (out, out_row), (residual, residual_row), (correction, scale, offset, shift), column, row_sum, limits = rest
    size = epilogue.item_bytes
    at = ops.binary("add", out_row, ops.binary("mul", column, size))
    columns = [ops.binary("add", column, i) for i in range(4)]
    if epilogue.kind == "s32":
        pairs = zip(words, columns, strict=True)
        ops.store_words(
            out, at, [_corrected(ops, product, w, ops.load(correction, c, "i32"), row_sum) for w, c in pairs]
        )
        return
    low, high, residual_scale = limits
    extra = _residual(ops, residual, residual_row, column, epilogue)
    results = []
    for i, (word, c) in enumerate(zip(words, columns, strict=True)):
        t = _scaled(ops, product, epilogue, word, (correction, scale, offset, c, row_sum))
        if epilogue.sums:
            t = ops.fma(ops.to_float(row_sum), ops.load(shift, c, "f32"), t)
        if epilogue.residual:
            t = ops.fma(extra[i], residual_scale, t)
        if epilogue.kind == "u8":
            t = ops.round_whole(t, floor=epilogue.floor)
        results.append(ops.float_binary("min", ops.float_binary("max", t, low), high))
    if epilogue.kind == "f32":
        ops.store_words(out, at, [ops.as_bits(t) for t in results])
        return
    ops.store_words(out, at, [join_bytes(ops, [ops.to_int(t) for t in results])])


def join_bytes(ops: Any, four: list[Any]) -> Any:
    """Return the word of four numbers 0..255, the first one lowest."""
    word = four[0]
    for i, value in enumerate(four[1:], 1):
        word = ops.binary("or", word, ops.binary("shl", value, 8 * i))
    return word


def _corrected(ops: Any, product: Product, acc: Any, correction: Any, row_sum: Any) -> Any:
    """Return acc + correction; binary's is 4 * popcount(a & w) - 2 * popcount(a) + correction."""
    if product.mma == "b1":
        acc = ops.binary("sub", ops.binary("shl", acc, 2), ops.binary("shl", row_sum, 1))
    elif product.shift:
        acc = ops.binary("shr", acc, ops.constant(product.shift))
    return ops.binary("add", acc, correction)


def _scaled(ops: Any, product: Product, epilogue: Epilogue, word: Any, params: tuple[Any, Any, Any, Any, Any]) -> Any:
    """Return fma(float32(acc + correction), scale, offset); grouped totals hold that already."""
    correction, scale, offset, column, row_sum = params
    if epilogue.grouped:
        return ops.as_float(word)
    factor, start = ops.load(scale, column, "f32"), ops.load(offset, column, "f32")
    if product.is_float:
        return ops.fma(ops.as_float(word), factor, start)
    whole = _corrected(ops, product, word, ops.load(correction, column, "i32"), row_sum)
    return ops.fma(ops.to_float(whole), factor, start)


def _residual(ops: Any, residual: Any, row: Any, column: Any, epilogue: Epilogue) -> list[Any]:
    """Return the four residual numbers as floats."""
    if not epilogue.residual:
        return []
    word = ops.load_words(residual, ops.binary("add", row, column), 1)[0]
    return [ops.to_float(ops.binary("and", ops.binary("ushr", word, 8 * i), 255)) for i in range(4)]
