"""How far ahead of its loop a tile asks for weights."""

from __future__ import annotations

from functools import cache

OWN_STREAMS = frozenset({"znver4"})
"""CPUs whose own prefetchers go past the ends of pages: asked for lines by hand, they read one row's weights at 0.7 to
0.8 of the speed, and pack codes at 0.8. Four rows of grouped weights gain there too: 345 to 391 Gop/s for 16 rows."""

FEW_ROWS = 4
PREFETCH_BYTES = 16384
"""How far ahead weights are asked for: 880 instead of 830 Gop/s where 49 rows meet weights of 2.4 MB that the network's
other layers have pushed out of the caches."""
PREFETCH_FEW_BYTES, PREFETCH_GROUPED_BYTES = 2048, 4096
"""The same where few rows leave little to do in between: 438 instead of 408 Gop/s for int4 weights and one row,
k = n = 4096; grouped, 321 instead of 307."""


@cache
def asks_ahead() -> bool:
    """Return whether what is read once, in order, is asked for ahead of the loop that reads it."""
    import llvmlite.binding as llvm
    from numba import config

    return (getattr(config, "CPU_NAME", None) or llvm.get_host_cpu_name()) not in OWN_STREAMS


def bytes_ahead(rows: int, *, grouped: bool) -> int:
    """Return how far ahead a tile of so many rows asks for weights, 0 where it does not."""
    if rows > FEW_ROWS:
        return PREFETCH_BYTES
    if asks_ahead():
        return PREFETCH_GROUPED_BYTES if grouped else PREFETCH_FEW_BYTES
    return PREFETCH_BYTES if grouped and rows == FEW_ROWS else 0
