"""Sizes that a file does not tell, found by running what makes them; a run that meets others later says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from qbench.engine.reference_runner import runner_of
from qbench.errors import ModelError
from qbench.graph.network import FREE, Foreign, Network, Shape, inputs_of, outputs_of
from qbench.graph.shapes import shape_after

_BATCHES = (2, 3)


def with_sizes(network: Network) -> Network:
    """Return the network with the shapes that its Foreign nodes write, where only a run shows them.

    Each is run on two batches of made-up numbers; a size that differs between them stays free.
    """
    shapes = dict(network.shapes)
    if not any(FREE in shapes[tensor] for node in network.nodes for tensor in outputs_of(node)):
        return network
    for node in network.nodes:
        is_known = all(FREE not in shapes[tensor] for tensor in inputs_of(node))
        if not is_known or not any(FREE in shapes[tensor] for tensor in outputs_of(node)):
            continue
        if isinstance(node, Foreign):
            shapes |= _found(node, network, shapes)
        else:
            shapes[node.output] = shape_after(node, [shapes[tensor] for tensor in inputs_of(node)])
    return replace(network, shapes=shapes)


def _found(node: Foreign, network: Network, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shapes of what a Foreign writes, as far as two runs agree on them."""
    try:
        runner = runner_of(node)
        runs = [runner.run([_made_up(network, shapes[t], t, batch=batch) for t in node.inputs]) for batch in _BATCHES]
    except ModelError:  # numbers that are made up need not suit it: whoever runs it will say what is wrong
        return {}
    found = {}
    for tensor, *arrays in zip(node.outputs, *runs, strict=True):
        whole = [array.shape for array in arrays]
        if tensor in network.unbatched:
            if whole[0] == whole[1]:
                found[tensor] = whole[0]
        elif [shape[:1] for shape in whole] == [(batch,) for batch in _BATCHES] and whole[0][1:] == whole[1][1:]:
            found[tensor] = whole[0][1:]
    return found


def _made_up(network: Network, shape: Shape, tensor: str, *, batch: int) -> np.ndarray:
    """Return numbers of a tensor's type: normal ones, or zeros and ones of whole numbers."""
    whole = shape if tensor in network.unbatched else (network.batch or batch, *shape)
    kind, generator = np.dtype(network.dtypes.get(tensor, "float32")), np.random.default_rng(batch)
    made = generator.standard_normal(whole) if kind.kind == "f" else generator.integers(0, 2, whole)
    return made.astype(kind)
