"""Block after block: what is learned is chosen so that the block gives what the float network's block gives.

For a block f with the inputs x of the quantized network and x_f of the float one:

    min  E |f_q(x~) - f(x_f)|^2 / L_0 + lambda / n * sum(1 - |2 h - 1|^beta),    x~ = x, or x_f with probability p

L_0 is the first term under rounding to nearest, n the number of weights, so that lambda means the same in every block.
The second term decides up or down: beta falls from 20 to 2, and it is left out during the first fifth of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qbench.core.tensor import QParams, QTensor
from qbench.engine.kinds import has_tokens
from qbench.graph import Layer, Network, QuantizedNetwork, depth_weights
from qbench.graph.network import Node, inputs_of, outputs_of
from qbench.quantization.blocks.forward import Tensor, Values, can_run
from qbench.quantization.blocks.learned import ActivationStep, LearnedWeight, SoftRounding, SteppedWeight, in_onnx_order
from qbench.quantization.equal_steps import is_on_grid
from qbench.quantization.observations import Observations
from qbench.quantization.walk import Segment, Walk

STEPS = 1000
"""Steps of Adam for each block."""
BATCH = 32
WARM_UP = 0.2
SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class How:
    """What is learned of a block, and how long.

    Args:
        rounding: up or down for every weight; the steps of the weights where it is False.
        drop: share of the activations that stay float while the block is learned.
        rate: of the rounding, or of the logarithm of the weights' steps.
        step_rate: of the logarithm of the activations' steps; 0 leaves them.
        weight: lambda.
    """

    rounding: bool
    drop: float = 0.0
    rate: float = 1e-2
    step_rate: float = 1e-3
    weight: float = 1.0


def block_starts(network: Network) -> list[str]:
    """Return the nodes that begin a block: those that all behind them is reached through, behind a layer.

    A block that torch cannot run is cut at each of its layers.
    """
    starts, piece, found = list[str](), list[Node](), list[list[Node]]()
    made: set[str] = set(network.inputs)
    for place, node in enumerate(network.nodes):
        ahead = {tensor for later in network.nodes[place:] for tensor in inputs_of(later)}
        if len(made & ahead) == 1 and any(isinstance(one, Layer) for one in piece):
            found.append(piece)
            piece = []
        piece.append(node)
        made |= {*outputs_of(node)}
    for block in [*found, piece]:
        starts += [block[0].name] if can_run(block) else [one.name for one in block if isinstance(one, Layer)]
    return starts


def reconstructed(quantized: QuantizedNetwork, seen: Observations, how: How, *, seed: int) -> QuantizedNetwork:
    """Return the network with what is learned of each block, in order; each sees the blocks before it quantized."""
    walk = Walk(quantized, seen, samples=SAMPLES, starts=block_starts(quantized.network), beside=True)
    weights, activations = dict(quantized.weights), dict(quantized.activations)
    for place, segment in enumerate(walk):
        for nodes in [segment.nodes] if can_run(segment.nodes) else [(layer,) for layer in segment.layers]:
            names = [node.name for node in nodes if node.name in quantized.weights]
            if names and can_run(nodes):  # a recurrence keeps its codes
                codes, steps = _learned(  # nothing else holds the block: its samples go before the next one's come
                    _Block(walk, segment, nodes, {name: weights[name] for name in names}, how, seed + place)
                )
                weights |= codes
                activations |= {name: params for name, params in steps.items() if name in activations}
            walk.settle({name: weights[name] for name in names}, activations)
    return replace(quantized, weights=weights, activations=activations)


def _learned(block: _Block) -> tuple[Mapping[str, QTensor], dict[str, QParams]]:
    """Return the codes and the parameters of activations that a block learns."""
    block.learn()
    return block.codes(), block.steps()


class _Block:
    """A block while it is learned."""

    def __init__(
        self, walk: Walk, segment: Segment, nodes: tuple[Node, ...], codes: Mapping[str, QTensor], how: How, seed: int
    ) -> None:  # fmt: skip
        assert walk.beside is not None
        self._how, self._nodes, self._before = how, nodes, codes
        self._everyone = not has_tokens(walk.side.network)
        self._generator = torch.Generator().manual_seed(seed)
        written = {tensor for node in nodes for tensor in outputs_of(node)}
        reads = sorted({tensor for node in nodes for tensor in inputs_of(node)} - written)
        ends = segment.writes if nodes == segment.nodes else (nodes[-1].output,)
        self._inputs = {name: _torch(walk.side.tensor(segment, name)) for name in reads}
        self._floats = {name: _torch(walk.beside.tensor(segment, name)) for name in reads if how.drop}
        self._wanted = {name: _torch(walk.beside.tensor(segment, name)) for name in ends}
        self._layers = {node.name: node for node in nodes if isinstance(node, Layer)}
        self._learned = self._weights()
        self._steps = self._activations(walk, {*reads, *written} - {*ends})

    def _weights(self) -> dict[str, LearnedWeight]:
        """Return what is learned of each layer that is not on its grid already."""
        kind = SoftRounding if self._how.rounding else SteppedWeight
        rows = {name: depth_weights(self._layers[name]) for name in self._before}
        return {
            name: kind(self._layers[name], rows[name], codes.params)
            for name, codes in self._before.items()
            if not is_on_grid(rows[name], codes.params)
        }

    def _activations(self, walk: Walk, tensors: Iterable[str]) -> dict[str, ActivationStep]:
        """Return the step of every tensor that has one, under its own name and that of what it is flattened of."""
        found: dict[str, ActivationStep] = {}
        for tensor in sorted(tensors):
            owner, params = walk.side.network.unflattened(tensor), walk.side.params(tensor)
            if params is not None:
                found[owner] = found.get(owner) or ActivationStep(
                    params, drop=self._how.drop, generator=self._generator
                )
                found[tensor] = found[owner]
        return found

    def learn(self) -> None:
        """Learn; what turns out worse than what was there before is not taken."""
        before = self._error(self._hard(self._before))
        self._found, self._taken = dict(self._before), False
        if not before or not self._learned:
            return
        self._descend(before)
        found = {**self._before, **{name: one.codes() for name, one in self._learned.items()}}
        if self._error(self._hard(found)) < before:
            self._found, self._taken = found, True

    def codes(self) -> Mapping[str, QTensor]:
        """Return the codes that were found."""
        return self._found

    def steps(self) -> dict[str, QParams]:
        """Return the parameters of activations that were found."""
        return {name: step.params() for name, step in self._steps.items()} if self._taken else {}

    def _descend(self, base: float) -> None:
        how, weights = self._how, [*self._learned.values()]
        groups = [{"params": [p for one in weights for p in one.parameters], "lr": how.rate}]
        if how.step_rate and self._steps:
            groups.append({"params": [p for one in {*self._steps.values()} for p in one.parameters], "lr": 0.0})
        descent = torch.optim.Adam(groups)
        count, numbers = len(next(iter(self._inputs.values()))), sum(self._layers[n].weight.size for n in self._learned)
        for step in range(STEPS):
            done = step / STEPS
            for group in descent.param_groups[1:]:
                group["lr"] = how.step_rate * 0.5 * (1 + math.cos(math.pi * done))
            chosen = torch.randint(count, (min(BATCH, count),), generator=self._generator)
            made = {name: one.weight() for name, one in self._learned.items()}
            loss = self._loss(self._hard(self._before) | made, chosen, learning=True) / base
            if how.rounding and done >= WARM_UP:
                beta = 20 - 18 * (done - WARM_UP) / (1 - WARM_UP)
                loss = loss + how.weight / numbers * sum(one.penalty(beta) for one in weights)
            descent.zero_grad()
            loss.backward()
            descent.step()

    def _hard(self, codes: Mapping[str, QTensor]) -> dict[str, Tensor]:
        return {
            name: in_onnx_order(self._layers[name], torch.from_numpy(one.dequantize())) for name, one in codes.items()
        }

    def _loss(self, weights: Mapping[str, Tensor], chosen: Tensor, *, learning: bool) -> Tensor:
        found = {}
        for name, values in self._inputs.items():
            found[name] = _some(values, chosen)
            if learning and self._how.drop:
                keep = torch.rand(found[name].shape, generator=self._generator) < self._how.drop
                found[name] = torch.where(keep, _some(self._floats[name], chosen), found[name])

        def quantized(name: str, x: Tensor) -> Tensor:
            step = self._steps.get(name)
            return x if step is None else step(x, learning=learning)

        values = Values(found, weights=weights, rounded=quantized, everyone=self._everyone)
        values.run(self._nodes)
        return sum(((values[name] - _some(wanted, chosen)) ** 2).mean() for name, wanted in self._wanted.items())

    def _error(self, weights: Mapping[str, Tensor]) -> float:
        """Return the mean squared error of the block over all samples."""
        count, total = len(next(iter(self._inputs.values()))), 0.0
        with torch.no_grad():
            for start in range(0, count, 2 * BATCH):
                chosen = torch.arange(start, min(count, start + 2 * BATCH))
                total += len(chosen) * float(self._loss(weights, chosen, learning=False))
        return total / count


def _torch(array: npt.NDArray[Any]) -> Tensor:
    """Return an array as a tensor that shares its memory."""
    return torch.from_numpy(np.ascontiguousarray(array))


def _some(values: Tensor, chosen: Tensor) -> Tensor:
    """Return some samples; of images with their channels last, as torch is fastest: all of them so would be copies."""
    found = values[chosen]
    return found.contiguous(memory_format=torch.channels_last) if found.ndim == 4 else found
