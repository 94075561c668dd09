"""Building blocks from accumulators to memory: the operations of `law`, in its order.

A warp lays its accumulators down in a patch of shared memory, row by row, and takes them up again four columns at a
time, so that stores to memory are whole words in a row.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.multiply.products import Product
from qbench.kernels.epilogue import Epilogue


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


def take_params(product: Product, epilogue: Epilogue) -> Any:
    """Return the block (arrays of parameters, first of four columns) -> the words that `finish` needs of them."""

    def take_params_macro(ops: Any, params: list[Any], column: Any) -> list[Any]:
        at = ops.binary("mul", column, 4)
        return [word for i in _needed(product, epilogue) for word in ops.load_words(params[i], at, 4)]

    return block(take_params_macro, "i32", 4 * len(_needed(product, epilogue)))


_CORRECTION, _SCALE, _OFFSET, _SHIFT = range(4)


def _needed(product: Product, epilogue: Epilogue) -> tuple[int, ...]:
    """Return which arrays of parameters an epilogue reads; grouped totals hold all but shifts already."""
    if epilogue.kind == "s32":
        return (_CORRECTION,)
    shift = (_SHIFT,) if epilogue.words.sum else ()
    if epilogue.words.grouped:
        return shift or (_OFFSET,)
    return (*(() if product.is_float else (_CORRECTION,)), _SCALE, _OFFSET, *shift)


def finish(product: Product, epilogue: Epilogue, rows: int) -> Any:
    """Return the block that turns four columns of `rows` rows into output; rows beyond the last are not stored.

    Its arguments: shared address of the first row's four sums, bytes to the next row's; (out, bytes of rows);
    (residual, bytes of rows); `take_params`' words; the first column; the first row and the step to the next;
    (rows of all, what a row's sum is corrected by); the rows' sums; (low, high, residual_scale).
    """

    def finish_macro(
        ops: Any, address: Any, pitch: Any, out: Any, residual: Any, params: list[Any], column: Any, first: Any,
        step: Any, counts: Any, sums: Any, limits: Any,
    ) -> None:  # fmt: skip
        (limit, sum_correction), (target, target_rows), (source, source_rows) = counts, out, residual
        last, by_row = ops.binary("sub", limit, 1), epilogue.words.sum or product.mma == "b1"
        numbers = [ops.binary("add", first, ops.binary("mul", step, i)) for i in range(rows)]
        places = [ops.minimum(number, last) for number in numbers]
        starts = [ops.load(target_rows, place, "i32") for place in places]
        row_sums = [_row_sum(ops, sums, place, sum_correction) if by_row else None for place in places]
        extra = [_residual(ops, source, source_rows, place, column, epilogue) for place in places]
        words = [ops.shared_load(ops.binary("add", address, ops.binary("mul", pitch, i)), 4) for i in range(rows)]
        at = ops.binary("mul", column, epilogue.item_bytes)
        tables = _Tables(product, epilogue, params)
        for i in range(rows):
            found = _finish(ops, words[i], tables, row_sums[i], extra[i], limits)
            ops.store_words_below(target, ops.binary("add", starts[i], at), found, numbers[i], limit)

    return block(finish_macro)


class _Tables:
    """Four columns' parameters, by the array that they come from."""

    def __init__(self, product: Product, epilogue: Epilogue, words: list[Any]) -> None:
        self.product, self.epilogue = product, epilogue
        self._words = {which: words[4 * i : 4 * i + 4] for i, which in enumerate(_needed(product, epilogue))}

    def number(self, which: int, column: int) -> Any:
        """Return the whole number of one of the columns."""
        return self._words[which][column]

    def float(self, ops: Any, which: int, column: int) -> Any:
        """Return the float32 of one of the columns."""
        return ops.as_float(self._words[which][column])


def _row_sum(ops: Any, sums: Any, place: Any, correction: Any) -> Any:
    return ops.binary("add", ops.load(sums, place, "i32"), correction)


def _finish(
    ops: Any, words: list[Any], tables: _Tables, row_sum: Any, extra: list[Any], limits: tuple[Any, Any, Any]
) -> list[Any]:
    """Return the output words of four columns of one row."""
    epilogue, (low, high, residual_scale) = tables.epilogue, limits
    if epilogue.kind == "s32":
        return [_corrected(ops, tables, word, i, row_sum) for i, word in enumerate(words)]
    results = []
    for i, word in enumerate(words):
        t = _scaled(ops, tables, word, i, row_sum)
        if epilogue.words.sum:
            t = ops.fma(ops.to_float(row_sum), tables.float(ops, _SHIFT, i), t)
        if epilogue.words.residual:
            t = ops.fma(extra[i], residual_scale, t)
        results.append(ops.float_binary("min", ops.float_binary("max", t, low), high))
    if epilogue.kind == "f32":
        return [ops.as_bits(t) for t in results]
    # the limits of codes are codes: rounding after them is rounding before them
    return [ops.join_bytes([ops.round_byte(t, floor=epilogue.words.floor) for t in results])]


def _corrected(ops: Any, tables: _Tables, acc: Any, column: int, row_sum: Any) -> Any:
    """Return acc + correction; binary's is 4 * popcount(a & w) - 2 * popcount(a) + correction."""
    if tables.product.mma == "b1":
        acc = ops.binary("sub", ops.binary("shl", acc, 2), ops.binary("shl", row_sum, 1))
    elif tables.product.shift:
        acc = ops.binary("shr", acc, ops.constant(tables.product.shift))
    return ops.binary("add", acc, tables.number(_CORRECTION, column))


def _scaled(ops: Any, tables: _Tables, word: Any, column: int, row_sum: Any) -> Any:
    """Return fma(float32(acc + correction), scale, offset); grouped totals hold that already."""
    if tables.epilogue.words.grouped:
        return ops.as_float(word)
    factor, start = (tables.float(ops, which, column) for which in (_SCALE, _OFFSET))
    if tables.product.is_float:
        return ops.fma(ops.as_float(word), factor, start)
    return ops.fma(ops.to_float(_corrected(ops, tables, word, column, row_sum)), factor, start)


def _residual(ops: Any, residual: Any, rows: Any, place: Any, column: Any, epilogue: Epilogue) -> list[Any]:
    """Return the four residual numbers of a row as floats."""
    if not epilogue.words.residual:
        return []
    at = ops.binary("add", ops.load(rows, place, "i32"), column)
    word = ops.load_words(residual, at, 1)[0]
    return [ops.to_float(ops.binary("and", ops.binary("ushr", word, 8 * i), 255)) for i in range(4)]
