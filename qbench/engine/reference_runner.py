"""Runs a `Foreign` node by ONNX's own reference implementation, where onnxruntime has no kernel: slow, but it answers.

onnxruntime lacks kernels for operators and types that are new, and Python arrays for the narrow floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from qbench.engine.foreign import ForeignRunner
from qbench.errors import ModelError
from qbench.graph.nodes import Foreign

if TYPE_CHECKING:
    from qbench.graph.onnx.reference import Reference

Array = npt.NDArray[Any]


class AnyRunner:
    """A node ready to run: by onnxruntime, or where that refuses the node or its arrays, by the reference.

    Args:
        node: the node.
        threads: threads that onnxruntime may use inside an operator.

    Attributes:
        refusal: why onnxruntime does not run it, "" where it does.
    """

    def __init__(self, node: Foreign, *, threads: int = 1) -> None:
        self.node, self.refusal = node, ""
        self._fast: ForeignRunner | None = None
        try:
            self._fast = ForeignRunner(node, threads=threads)
        except ModelError as error:
            self.refusal = str(error)

    @cached_property
    def _reference(self) -> Reference:
        from qbench.graph.onnx.reference import Reference  # onnx itself: few networks need it once they are read

        return Reference(self.node.model)

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return what the node writes, given what it reads, both in the node's order and with the batch first.

        Raises:
            ModelError: neither can run it; the line is onnxruntime's.
        """
        if self._fast is not None:
            try:
                return self._fast.run(inputs)
            except ModelError as error:
                self.refusal = str(error)
        try:
            return self._reference.run(inputs)
        except ModelError as error:
            raise ModelError(self.refusal) from error
