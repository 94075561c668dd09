"""Building blocks that all kernels use: 32-bit division, shared memory and its pipeline."""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block


def _shared_base_macro(ops: Any, memory: Any) -> Any:
    """Return the first multiple of 1024 in shared memory: swizzles work on the address bits below."""
    return ops.binary("and", ops.binary("add", ops.shared_base(memory), 1023), -1024)


def _commit_macro(ops: Any) -> None:
    ops.commit()


def _sync_warp_macro(ops: Any) -> None:
    ops.sync_warp()


def _div_macro(ops: Any, a: Any, b: Any) -> Any:
    return ops.binary("div", a, b)


def _mod_macro(ops: Any, a: Any, b: Any) -> Any:
    return ops.binary("mod", a, b)


def _add_macro(ops: Any, a: Any, b: Any) -> Any:
    return ops.binary("add", a, b)


add = block(_add_macro, "i32")
"""Sum in 32 bits: a counter of Numba's own is 64 bits wide, two instructions for each of a loop's."""

div, mod = block(_div_macro, "i32"), block(_mod_macro, "i32")
"""Quotient and rest of numbers >= 0 in 32 bits; Numba's own are 64-bit calls, most of a small kernel's time."""

shared_base = block(_shared_base_macro, "i32")
commit, sync_warp = block(_commit_macro), block(_sync_warp_macro)

SHARED_MARGIN = 1024
"""Bytes that a launch asks for beyond what it uses, for `shared_base`."""


def next_slot(stages: int) -> Any:
    """Return the block (slot) -> the one after it, the first after the last."""

    def next_slot_macro(ops: Any, slot: Any) -> Any:
        return ops.binary("mod", ops.binary("add", slot, 1), stages)

    return block(next_slot_macro, "i32")


def waiting(pending: int) -> Any:
    """Return the block () that waits until at most `pending` groups of copies are under way."""

    def wait_macro(ops: Any) -> None:
        ops.wait(pending)

    return block(wait_macro)
