"""Building blocks that bring a stage of both operands into shared memory.

Rows of the lhs are reached through tables of byte offsets, so that a convolution is a matrix product without im2col:
`lhs_rows[m] + k_offsets[piece]`. A piece is 16 bytes, or 4 where a pixel's channels are no multiple of 16.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.shapes import CHUNK


def lhs_pieces(tile_rows: int, depth_bytes: int, piece: int, threads: int) -> tuple[int, int, int]:
    """Return (pieces per row, rows per pass, passes) of the copy of `tile_rows` rows."""
    pieces = depth_bytes // piece
    rows = threads // pieces
    assert threads % pieces == 0
    assert tile_rows % rows == 0
    return pieces, rows, tile_rows // rows


def row_offsets(tile_rows: int, depth_bytes: int, piece: int, threads: int) -> Any:
    """Return the block (lhs_rows, first row, last row, thread) -> byte offset of each row that the thread copies.

    Rows beyond the last repeat it: what comes of them is never stored.
    """
    pieces, rows_a_pass, passes = lhs_pieces(tile_rows, depth_bytes, piece, threads)

    def row_offsets_macro(ops: Any, table: Any, first: Any, last: Any, thread: Any) -> list[Any]:
        own = ops.binary("add", first, ops.binary("ushr", thread, ops.constant(pieces.bit_length() - 1)))
        rows = [ops.minimum(ops.binary("add", own, ops.constant(i * rows_a_pass)), last) for i in range(passes)]
        return [ops.load(table, row, "i32") for row in rows]

    return block(row_offsets_macro, "i32", passes)


def target(ops: Any, base: Any, row: Any, piece_index: Any, *, depth_bytes: int, piece: int) -> Any:
    """Return the shared address of a piece of a row."""
    chunks = min(depth_bytes // CHUNK, 8)
    turn = ops.binary("and", ops.binary("ushr", row, ops.constant((8 // chunks).bit_length() - 1)), chunks - 1)
    at = ops.binary("mul", piece_index, ops.constant(piece))
    swizzled = ops.binary("xor", at, ops.binary("mul", turn, ops.constant(CHUNK)))
    return ops.binary("add", base, ops.binary("add", ops.binary("mul", row, ops.constant(depth_bytes)), swizzled))


def copy_lhs(tile_rows: int, depth_bytes: int, piece: int, threads: int) -> Any:
    """Return the block (lhs, offsets, k_offset, stage address, thread): copies this thread's pieces."""
    pieces, rows_a_pass, _ = lhs_pieces(tile_rows, depth_bytes, piece, threads)

    def copy_lhs_macro(ops: Any, lhs: Any, offsets: Any, k_offset: Any, stage: Any, thread: Any) -> None:
        index = ops.binary("and", thread, ops.constant(pieces - 1))
        first = ops.binary("ushr", thread, ops.constant(pieces.bit_length() - 1))
        for i, offset in enumerate(offsets):
            row = ops.binary("add", first, ops.constant(i * rows_a_pass))
            at = target(ops, stage, row, index, depth_bytes=depth_bytes, piece=piece)
            ops.copy_async(at, lhs, ops.binary("add", offset, k_offset), piece)

    return block(copy_lhs_macro)


def copy_rhs(columns: int, row_bytes: int, threads: int) -> Any:
    """Return the block (rhs, byte of the first, bytes between rows, stage address, thread): copies packed rows."""
    chunks = row_bytes // CHUNK
    total = columns * chunks
    passes = -(-total // threads)
    rows_a_pass = threads // chunks
    assert total < threads or total % threads == 0

    def copy_rhs_macro(ops: Any, rhs: Any, first_byte: Any, stride: Any, stage: Any, thread: Any) -> None:
        index = ops.binary("and", thread, ops.constant(chunks - 1))
        first = ops.binary("ushr", thread, ops.constant(chunks.bit_length() - 1))
        inner = ops.binary("mul", index, ops.constant(CHUNK))
        for i in range(passes):
            row = ops.binary("add", first, ops.constant(i * rows_a_pass))
            if total < threads:  # fewer pieces than threads: the others copy the last ones again
                row = ops.minimum(row, ops.constant(columns - 1))
            source = ops.binary("add", ops.binary("add", first_byte, ops.binary("mul", row, stride)), inner)
            ops.copy_async(target(ops, stage, row, index, depth_bytes=row_bytes, piece=CHUNK), rhs, source, CHUNK)

    return block(copy_rhs_macro)
