"""Building blocks of Hopper's warpgroup products, which read both operands from swizzled shared memory."""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.multiply.fragments import STEP_BYTES

ROW_BYTES = 128
"""Bytes of a row in shared memory: the width of the hardware's swizzle."""

GROUP_ROWS, GROUP_THREADS = 64, 128
"""Rows and threads of a warpgroup."""


def start_products(kind: str, columns: int) -> Any:
    """Return the block (acc, lhs address, rhs address) -> acc: starts the products of one stage, as one group."""
    count = columns // 2

    def start_products_macro(ops: Any, acc: list[Any], lhs: Any, rhs: Any) -> list[Any]:
        ops.wgmma_fence()
        for step in range(ROW_BYTES // STEP_BYTES):
            at = [ops.binary("add", address, STEP_BYTES * step) for address in (lhs, rhs)]
            acc = ops.wgmma(kind, acc, *at, columns)
        ops.wgmma_commit()
        return acc

    return block(start_products_macro, "i32", count)


def wait_products(columns: int, pending: int) -> Any:
    """Return the block (acc) -> acc that waits until at most `pending` groups of products are under way."""

    def wait_products_macro(ops: Any, acc: list[Any]) -> list[Any]:
        found: list[Any] = ops.wgmma_wait(acc, pending)
        return found

    return block(wait_products_macro, "i32", columns // 2)


def copies_seen(pending: int) -> Any:
    """Return the block () that waits for this thread's copies and shows them to the matrix units."""

    def copies_seen_macro(ops: Any) -> None:
        ops.wait(pending)
        ops.fence_copies()

    return block(copies_seen_macro)
