"""Runs a `Foreign` node by ONNX's own reference implementation, where onnxruntime has no kernel: slow, but it answers.

onnxruntime lacks kernels for operators and types that are new, and Python arrays for the narrow floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy.typing as npt

from qbench.engine.foreign import ForeignRunner, copied
from qbench.errors import ModelError
from qbench.graph.nodes import Foreign

Array = npt.NDArray[Any]


class ReferenceRunner:
    """One node, run by the reference.

    Raises:
        ModelError: the reference has no such operator.
    """

    def __init__(self, node: Foreign) -> None:
        from qbench.graph.onnx.reference import Reference  # onnx itself: few networks need it once they are read

        self.node, self._reference = node, Reference(node.model)

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return what the node writes, given what it reads; raise ModelError where the reference cannot run it."""
        return self._reference.run(inputs)

    def into(self, reads: Sequence[Array], writes: Sequence[Array]) -> Callable[[], None]:
        """Return a call that runs the node on these very arrays and copies what it makes to those."""
        return partial(copied, self, reads, writes)


Runner = ForeignRunner | ReferenceRunner


def runner_of(node: Foreign) -> Runner:
    """Return what runs a node: onnxruntime, or the reference where onnxruntime has no kernel of it.

    Raises:
        ModelError: neither can run it; the line is onnxruntime's.
    """
    try:
        return ForeignRunner(node)
    except ModelError as refusal:
        try:
            return ReferenceRunner(node)
        except ModelError:
            raise refusal from None


class AnyRunner:
    """A node ready to run by onnxruntime, or where that refuses the node or the very arrays, by the reference.

    For tests of what a node means: a session that fell back in the middle of a run would be slow without a word.

    Args:
        node: the node.
    """

    def __init__(self, node: Foreign) -> None:
        self.node, self._first = node, runner_of(node)

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return what the node writes, given what it reads, both in the node's order and with the batch first.

        Raises:
            ModelError: neither can run it; the line is the first one's.
        """
        try:
            return self._first.run(inputs)
        except ModelError as refusal:
            try:
                return ReferenceRunner(self.node).run(inputs)
            except ModelError:
                raise refusal from None
