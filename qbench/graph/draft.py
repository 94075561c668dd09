"""Nodes that exist only while a file is read: passes fold them into the typed nodes of `qbench.graph.network`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph.network import Node, Pads, inputs_of


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """x * scale + offset a channel: a batch normalization, or a sum or product with a constant. float64 (c,)."""

    name: str
    op: str
    input: str
    output: str
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ZeroPad:
    """Zeros around the image, as a node of its own."""

    name: str
    input: str
    output: str
    pads: Pads


@dataclass(frozen=True, slots=True)
class Alias:
    """A node that changes nothing (Identity, Dropout, Flatten of what is flat)."""

    name: str
    input: str
    output: str


Draft = Node | Affine | ZeroPad | Alias


def reads(node: Draft) -> tuple[str, ...]:
    """Return the tensors that a draft node reads."""
    return (node.input,) if isinstance(node, Affine | ZeroPad | Alias) else inputs_of(node)


def uses(nodes: Iterable[Draft], output: str) -> Counter[str]:
    """Return how often each tensor is read; being the network's output counts as once."""
    return Counter([output, *(tensor for node in nodes for tensor in reads(node))])


def uncovered(name: str, op: str, why: str) -> ModelError:
    """Return the error that names a node of the file, its operator and what is wrong with it."""
    return ModelError(f"node '{name}' ({op}): {why}")
