"""A row's own codes by PyTorch as its users try variants out: floats that are rounded on the way, in eager mode.

Weights are what their codes stand for, every tensor of activations goes through `torch.fake_quantize`; products are
float32. It computes what the row computes in whole numbers, so that both are timed on the very same variant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from qbench.core.formats import Uniform
from qbench.core.granularity import PerTensor
from qbench.core.tensor import QParams
from qbench.core.trial import Trial
from qbench.errors import ModelError
from qbench.graph import Conv, Linear, QuantizedNetwork
from qbench.graph.weights import onnx_order
from qbench.peers.peer import Precision
from qbench.peers.torch.program import Form, Program, kept_weight
from qbench.peers.torch.session import EagerSession, missing_torch


class TorchFakeQuant:
    """PyTorch's fake quantization of the row's own network."""

    name: ClassVar[str] = "torch-fake-quant"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    precision: ClassVar[Precision] = "simulated"

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_torch()

    def supports(self, trial: Trial) -> str | None:
        """Return why activations of a trial's spec have no form here, or None."""
        spec = trial.layer_spec.activations
        if isinstance(spec.format, Uniform) and spec.granularity == PerTensor():
            return None
        return "rounds activations of equal steps, one scale for a tensor"

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> EagerSession:
        """Return the network ready to run on `threads` threads; raise ModelError when it has no form here."""
        return EagerSession(_Fake(quantized, self.name), threads=threads, name=self.name)


class _Fake(Form):
    """Numbers in float32 that are rounded where they have codes."""

    def __init__(self, quantized: QuantizedNetwork, name: str) -> None:
        super().__init__(quantized)
        self._name = name

    def rounding(self, tensor: str) -> Program:
        """Return a tensor's rounding; nothing is done to one that stays in float32."""
        import torch

        params = self.quantized.activations.get(self.network.unflattened(tensor))
        if params is None:
            return lambda values: values
        law = _law(params, f"{self._name}: expected a model of activations on equal steps, got tensor '{tensor}'")
        return lambda values: torch.fake_quantize_per_tensor_affine(values, *law)

    def weight(self, held: Any, node: Conv | Linear) -> Callable[[], Any]:
        """Return what the codes of a layer stand for."""
        codes = self.quantized.weights.get(node.name)
        return kept_weight(held, node, node.weight if codes is None else onnx_order(node, codes.dequantize()))


def _law(params: QParams, refusal: str) -> tuple[float, int, int, int]:
    """Return scale, zero point and the ends of the codes; raise ModelError, `refusal`, where there are none."""
    kind, zero = params.spec.format, float(params.zero_point) if not params.zero_point.ndim else 0.5
    whole = zero.is_integer() and params.levels is None and params.rounding == "nearest"
    if not (whole and isinstance(kind, Uniform) and params.spec.granularity == PerTensor()):
        raise ModelError(refusal)
    return float(params.scale), int(zero), kind.qmin, kind.qmax
