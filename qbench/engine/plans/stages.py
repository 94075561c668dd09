"""Stages: runs of layers that take more images at a time the smaller their activations are.

Early layers of a network fill the second-level cache with one image, late ones have room for many, and weights that are
read once for many images cost little. So a pass runs the first stage several times, then the next on all their results.
Stages part only where a single tensor crosses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from qbench.graph.network import Flatten, Network, Node, inputs_of, outputs_of
from qbench.kernels.layout import Layout

CACHE_BYTES = 768 * 1024
"""Room for a micro-batch's activations: three quarters of a 1 MiB second-level cache; see docs/performance.md."""
MOST_IMAGES = 32


def micro_batch(layouts: Sequence[Layout]) -> int:
    """Return the images per pass, 1..32, so that the three largest tensors (of one image here) fit `CACHE_BYTES`."""
    largest = sorted((layout.size_bytes for layout in layouts), reverse=True)[:3]
    return int(np.clip(CACHE_BYTES // max(1, sum(largest)), 1, MOST_IMAGES))


def images_of_nodes(network: Network, layouts: Mapping[str, Layout]) -> dict[str, int]:
    """Return the images that each node takes at a time: never fewer than the node before, and a multiple of its.

    Args:
        network: the network.
        layouts: of every tensor, for one image.
    """
    stages = _stages(network)
    rooms = [
        micro_batch([layouts[t] for node in stage for t in (*inputs_of(node), *outputs_of(node))]) for stage in stages
    ]
    found, size = {}, 1
    for index, stage in enumerate(stages):
        size *= max(1, min(rooms[index:]) // size)
        found.update({node.name: size for node in stage})
    return found


def _stages(network: Network) -> list[list[Node]]:
    """Cut the nodes wherever one tensor alone is still to be read; a flattened tensor stays with its reader."""
    last = {tensor: i for i, node in enumerate(network.nodes) for tensor in inputs_of(node)}
    last[network.output] = len(network.nodes)
    stages: list[list[Node]] = [[]]
    alive = set(network.inputs)
    for index, node in enumerate(network.nodes):
        stages[-1].append(node)
        alive = {tensor for tensor in (*alive, *outputs_of(node)) if last.get(tensor, -1) > index}
        if alive == {node.output} and node.output != network.output and not isinstance(node, Flatten):
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
