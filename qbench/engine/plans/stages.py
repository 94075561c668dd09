"""Stages: runs of layers that take more images at a time the smaller their activations are.

Early layers of a network fill the second-level cache with one image, late ones have room for many, and weights that are
read once for many images cost little. So a pass runs the first stage several times, then the next on all their results.
Stages part only where a single tensor crosses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from qbench.kernels.layout import Layout

CACHE_BYTES = 768 * 1024
"""Room for a micro-batch's activations: three quarters of a 1 MiB second-level cache; see docs/performance.md."""
MOST_IMAGES = 32


class Placed(Protocol):
    """A step that is to be made.

    Attributes:
        reads: buffers.
        writes: buffers.
        beside: whether it belongs to the step that reads what it writes (a conversion, say): no stage ends behind it,
            and its buffers are no more than what that step needs anyway.
    """

    @property
    def reads(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def writes(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def beside(self) -> bool: ...  # noqa: D102


def micro_batch(layouts: Sequence[Layout]) -> int:
    """Return the images per pass, 1..32, so that the three largest tensors (of one image here) fit `CACHE_BYTES`."""
    largest = sorted((layout.size_bytes for layout in layouts), reverse=True)[:3]
    return int(np.clip(CACHE_BYTES // max(1, sum(largest)), 1, MOST_IMAGES))


def images_of(
    placed: Sequence[Placed], layouts: Mapping[str, Layout], *, inputs: Sequence[str], outputs: Sequence[str]
) -> list[int]:
    """Return the images that each step takes at a time: never fewer than the one before, and a multiple of its.

    Args:
        placed: the steps, in order.
        layouts: of every buffer, for one image.
        inputs: buffers that the steps before them write.
        outputs: buffers that are read after them.
    """
    stages = _stages(placed, inputs, outputs)
    rooms = [
        micro_batch([layouts[name] for step in stage if not step.beside for name in (*step.reads, *step.writes)])
        for stage in stages
    ]
    found: list[int] = []
    size = 1
    for index, stage in enumerate(stages):
        size *= max(1, min(rooms[index:]) // size)
        found += [size] * len(stage)
    return found


def _stages(placed: Sequence[Placed], inputs: Sequence[str], outputs: Sequence[str]) -> list[list[Placed]]:
    """Cut the steps wherever one buffer alone is still to be read."""
    last = {name: i for i, step in enumerate(placed) for name in step.reads}
    last.update(dict.fromkeys(outputs, len(placed)))
    stages: list[list[Placed]] = [[]]
    alive = set(inputs)
    for index, step in enumerate(placed):
        stages[-1].append(step)
        alive = {name for name in (*alive, *step.writes) if last.get(name, -1) > index}
        is_end = index + 1 == len(placed)
        if len(alive) == 1 and alive <= set(step.writes) and not (alive & set(outputs) or step.beside or is_end):
            stages.append([])
    return stages


def calls(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (step, first image) of a pass, from the images that each step takes at a time, in order of running."""
    edges = [0, *[i for i in range(1, len(sizes)) if sizes[i] != sizes[i - 1]], len(sizes)]

    def run(stage: int, first: int) -> Iterator[tuple[int, int]]:
        begin, end = edges[stage], edges[stage + 1]
        if stage:
            for at in range(first, first + sizes[begin], sizes[begin - 1]):
                yield from run(stage - 1, at)
        yield from ((step, first) for step in range(begin, end))

    yield from run(len(edges) - 2, 0)
