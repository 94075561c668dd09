"""What is learned of a block: up or down for every weight, the steps of weights, the steps of activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from qbench.core.formats import Ternary, Uniform
from qbench.core.granularity import PerChannel, PerGroup
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.graph import Layer
from qbench.graph.network import Conv
from qbench.quantization.blocks.forward import Tensor
from qbench.quantization.equal_steps import EqualSteps

WIDE, SHIFT = 1.2, 0.1
"""h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1) reaches 0 and 1 themselves: Louizos et al. 2018, as in Nagel 2020, (23)."""


class LearnedWeight(Protocol):
    """A layer's weight while it is learned."""

    parameters: list[Tensor]

    def weight(self) -> Tensor:
        """Return the weight in ONNX order, with gradients."""
        ...

    def penalty(self, beta: float) -> Tensor:
        """Return how far the weight is from one that has codes; 0 where it always has."""
        ...

    def codes(self) -> QTensor:
        """Return the codes that were found."""
        ...


def in_onnx_order(layer: Layer, rows: Tensor) -> Tensor:
    """Return rows (channels, depth) in the layer's own shape."""
    if not isinstance(layer, Conv):
        return rows
    out, channels, height, width = layer.weight.shape
    return rows.view(out, height, width, channels).permute(0, 3, 1, 2)


class SoftRounding:
    """Up or down for every weight: code = floor(W / s) + h(V), h between 0 and 1 until it is decided."""

    def __init__(self, layer: Layer, rows: Floats, params: QParams) -> None:
        self._layer, self._steps = layer, EqualSteps.of(params, rows.shape[1])
        places = self._steps.places(rows)
        base = np.floor(places)
        share = torch.from_numpy(places - base)
        self._base, self._v = torch.from_numpy(base), (-torch.log(WIDE / (share + SHIFT) - 1)).requires_grad_()
        self._scale, self._zero = (torch.from_numpy(v) for v in (self._steps.scale.copy(), self._steps.zero_point + 0))
        self.parameters = [self._v]

    def _up(self) -> Tensor:
        return (WIDE * torch.sigmoid(self._v) - SHIFT).clamp(0, 1)

    def weight(self) -> Tensor:
        """Return the weight between its two codes."""
        codes = (self._base + self._up()).clamp(self._steps.low, self._steps.high)
        return in_onnx_order(self._layer, (codes - self._zero) * self._scale)

    def penalty(self, beta: float) -> Tensor:
        """Return the sum of 1 - |2 h - 1|^beta."""
        return (1 - (2 * self._up() - 1).abs() ** beta).sum()

    def codes(self) -> QTensor:
        """Return the nearer of the two codes."""
        return self._steps.tensor((self._base + (self._up() >= 0.5)).detach().numpy())


class SteppedWeight:
    """The step of every slice: code = round(W / s), with the gradient passed straight through the rounding."""

    def __init__(self, layer: Layer, rows: Floats, params: QParams) -> None:
        self._layer, self._params = layer, params
        self._rows, self._steps = torch.from_numpy(rows.copy()), EqualSteps.of(params, rows.shape[1])
        self._log = torch.zeros(params.scale.shape, requires_grad=True)
        self._start, self._zero = torch.from_numpy(params.scale.copy()), torch.from_numpy(self._steps.zero_point + 0)
        self.parameters = [self._log]

    def _codes(self, scale: Tensor) -> Tensor:
        return rounded(self._rows / scale + self._zero).clamp(self._steps.low, self._steps.high)

    def _scale(self) -> Tensor:
        return self._start * self._log.exp()

    def _spread(self, scale: Tensor) -> Tensor:
        grain = self._params.spec.granularity
        if isinstance(grain, PerGroup):
            return scale.repeat_interleave(grain.group_size, dim=1)[:, : self._rows.shape[1]]
        return scale[:, None] if isinstance(grain, PerChannel) else scale

    def weight(self) -> Tensor:
        """Return what the codes stand for."""
        scale = self._spread(self._scale())
        return in_onnx_order(self._layer, (self._codes(scale) - self._zero) * scale)

    def penalty(self, beta: float) -> Tensor:
        """Return 0: every weight has a code."""
        return torch.zeros(())

    def codes(self) -> QTensor:
        """Return the codes under the steps that were found."""
        scale = self._scale().detach()
        codes = self._codes(self._spread(scale)).detach().numpy().astype(np.int16)
        return QTensor(codes, replace(self._params, scale=scale.numpy()))


class ActivationStep:
    """The step of a tensor of activations; its zero point stays.

    Args:
        params: what the method chose.
        drop: share of the numbers that stay float while others are rounded.
        generator: draws which.
    """

    def __init__(self, params: QParams, *, drop: float, generator: Tensor) -> None:
        self._start, self._drop, self._generator, self.start = params, drop, generator, float(params.scale)
        self._low, self._high = code_range(params)
        self._round: Callable[[Tensor], Tensor] = floored if params.rounding == "floor" else rounded
        self._log = torch.zeros((), requires_grad=True)
        self.parameters = [self._log]

    def __call__(self, x: Tensor, *, learning: bool) -> Tensor:
        """Return what numbers become."""
        scale, zero = self.start * self._log.exp(), float(self._start.zero_point)
        made = (self._round(x / scale + zero).clamp(self._low, self._high) - zero) * scale
        if not learning or not self._drop:
            return made
        return torch.where(torch.rand(x.shape, generator=self._generator) < self._drop, x, made)

    def params(self) -> QParams:
        """Return the parameters with the step that was found."""
        scale = np.asarray(self.start * float(self._log.detach().exp()), np.float32)
        return replace(self._start, scale=scale)


def code_range(params: QParams) -> tuple[int, int]:
    """Return the lowest and highest code of activations on equal steps."""
    number_format = params.spec.format
    if not isinstance(number_format, Uniform | Ternary):
        raise ValueError(f"{number_format} has no equal steps")
    return number_format.qmin, number_format.qmax


def rounded(x: Tensor) -> Tensor:
    """Return numbers rounded to nearest, with the gradient of x."""
    return x + (torch.round(x) - x).detach()


def floored(x: Tensor) -> Tensor:
    """Return numbers rounded down, with the gradient of x."""
    return x + (torch.floor(x) - x).detach()
