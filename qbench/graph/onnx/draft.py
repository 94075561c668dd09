"""Nodes that exist only while a file is read: passes fold them into the typed nodes of `qbench.graph.nodes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph.nodes import Node, Pads, inputs_of, outputs_of

if TYPE_CHECKING:  # shapes are checked where onnx is not wanted: a saved network is read without it
    from onnx import NodeProto


class UntypedError(Exception):
    """A node is well formed, but no typed node can stand for it; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Operators kept as they stand in the file, to become part of a Foreign.

    Args:
        name: the module that the node stands for.
        protos: the node, or several that belong together, in order.
        inputs: tensors that come from other nodes, by the names that they have inside `protos`.
        reads: the same tensors, by the names that they have in the network by now.
        outputs: tensors that it writes.
        reason: why it is no typed node.
    """

    name: str
    protos: tuple[NodeProto, ...]
    inputs: tuple[str, ...]
    reads: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: str

    @property
    def output(self) -> str:
        """The first tensor that it writes."""
        return self.outputs[0]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """x * scale + offset a channel: a batch normalization, or a sum or product with a constant. float64 (c,) or (1,).

    `axis` is where the channels lie in the shape without the batch; None where one number serves all.
    """

    name: str
    op: str
    input: str
    output: str
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    axis: int | None = 0
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class ZeroPad:
    """Zeros around the image, as a node of its own."""

    name: str
    input: str
    output: str
    pads: Pads
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A node that changes nothing (Identity, Dropout, Flatten of what is flat)."""

    name: str
    input: str
    output: str


Draft = Node | Affine | ZeroPad | Alias | Raw


def reads(node: Draft) -> tuple[str, ...]:
    """Return the tensors that a draft node reads."""
    if isinstance(node, Raw):
        return node.reads
    return (node.input,) if isinstance(node, Affine | ZeroPad | Alias) else inputs_of(node)


def writes(node: Draft) -> tuple[str, ...]:
    """Return the tensors that a draft node writes."""
    if isinstance(node, Raw):
        return node.outputs
    return (node.output,) if isinstance(node, Affine | ZeroPad | Alias) else outputs_of(node)


def uses(nodes: Iterable[Draft], outputs: Sequence[str]) -> Counter[str]:
    """Return how often each tensor is read; being an output of the network counts as once."""
    return Counter([*outputs, *(tensor for node in nodes for tensor in reads(node))])


def uncovered(name: str, op: str, why: str) -> ModelError:
    """Return the error that names a node of the file, its operator and what is wrong with it."""
    return ModelError(f"node '{name}' ({op}): {why}")
