"""Recognize a Foreign that looks token ids up in a table of vectors, the first thing that a text model does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from qbench.graph.nodes import Floats, Foreign


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """table[ids] + places.

    Args:
        table: float32 (words, c).
        places: float32 (tokens, c) that is added, or (1, c) for every token alike; zeros where nothing is.
    """

    table: Floats
    places: Floats


def embedding_of(node: Foreign) -> Embedding | None:
    """Return what a Foreign computes if that is Gather, or Gather and Add of a constant, from ids (batch, tokens)."""
    if node.operators not in (("Gather",), ("Gather", "Add")) or len(node.inputs) != 1 or len(node.outputs) != 1:
        return None
    graph = onnx.load_from_string(node.model).graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    gather, *adds = graph.node
    axis = next((attribute.i for attribute in gather.attribute if attribute.name == "axis"), 0)
    table = known.get(gather.input[0])
    if axis != 0 or table is None or table.ndim != 2 or table.dtype != np.float32:
        return None
    if gather.input[1] != graph.input[0].name:
        return None
    places = np.zeros((1, table.shape[1]), np.float32)
    if adds:
        others = [known[name] for name in adds[0].input if name in known]
        if len(others) != 1 or others[0].dtype != np.float32 or others[0].shape[-1:] != table.shape[1:]:
            return None
        if others[0].ndim > 3 or (others[0].ndim == 3 and len(others[0]) != 1):
            return None
        places = np.ascontiguousarray(others[0].reshape(-1, table.shape[1]))
    return Embedding(np.ascontiguousarray(table), places)
