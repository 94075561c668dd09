"""Run an ONNX model by the reference implementation of the `onnx` package: slow, but it has every operator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from qbench.errors import ModelError
from qbench.graph.onnx.file import Array


class Reference:
    """A model ready to run; `model` is its bytes."""

    def __init__(self, model: bytes) -> None:
        from onnx.reference import ReferenceEvaluator  # half a second to import

        try:
            self._evaluator: Any = ReferenceEvaluator(onnx.load_from_string(model))
        except Exception as error:  # operators that it does not know, or not in this version
            raise ModelError(f"the reference of onnx fails: {' '.join(str(error).split())[:200]}") from error

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return the model's outputs for its inputs, both in its order; raise ModelError where it cannot."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the model may well mean
                feeds = dict(zip(self._evaluator.input_names, inputs, strict=True))
                return tuple(np.asarray(output) for output in self._evaluator.run(None, feeds))
        except Exception as error:  # it raises whatever NumPy does
            raise ModelError(f"the reference of onnx fails: {' '.join(str(error).split())[:200]}") from error
