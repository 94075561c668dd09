"""Put things that read and write tensors into an order in which they can run."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_order(
    items: Sequence[T], *, reads: Callable[[T], Sequence[str]], writes: Callable[[T], Sequence[str]]
) -> tuple[list[T], list[T]]:
    """Return the items in topological order, first come first served, and those that wait for each other in a cycle.

    A tensor that no item writes counts as given.
    """
    writer = {tensor: index for index, item in enumerate(items) for tensor in writes(item)}
    waits = [{writer[tensor] for tensor in reads(item) if tensor in writer} for item in items]
    readers: dict[int, list[int]] = defaultdict(list)
    for index, needed in enumerate(waits):
        for other in needed:
            readers[other].append(index)
    missing = [len(needed) for needed in waits]
    ready = [index for index, count in enumerate(missing) if count == 0]
    done: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        done.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    left = set(range(len(items))) - set(done)
    return [items[index] for index in done], [items[index] for index in sorted(left)]
