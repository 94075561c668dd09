"""Scores of one trial: what its logits and its weights say beside fp32's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from qbench.core.several import Inputs, arrays_of
from qbench.core.tensor import Floats, QTensor, expand
from qbench.core.trial import Metric
from qbench.graph import Network, depth_weights
from qbench.metrics import Scored, measured, tensor
from qbench.metrics.network import Built, Restored
from qbench.metrics.pair import Pair, lost

_BATCH = 256


class Runnable(Protocol):
    """Whatever maps float32 NCHW images, or an array for each input, to float32 logits."""

    @property
    def run(self) -> Callable[..., Floats]:
        """Return what is scored, logits (n, classes) mostly, of an array for each input; see `Network.answer`."""
        ...


def all_logits(session: Runnable, inputs: Inputs) -> Floats:
    """Return the answers to all samples, (n, m), in batches of 256 and in their order."""
    starts = range(0, len(inputs), _BATCH)
    return np.concatenate([answers(session, inputs[start : start + _BATCH]) for start in starts])


def answers(session: Runnable, inputs: Inputs) -> Floats:
    """Return what is scored of some samples as (n, m), whatever its shape: images, say, or a number for each."""
    found = session.run(*arrays_of(inputs))
    return found.reshape(len(found), -1)


def score_outputs(scored: Scored) -> dict[str, Metric]:
    """Return every score of a row's outputs against fp32's, and against the labels if any, by metric name.

    First what the task says, then what is lost against fp32, then what any outputs have.
    """
    answers, scores = scored.answers, scored.scores
    task = answers.task
    found = {task.primary.name: task.summary(scores.each), **scores.more}
    if task.loss is not None:
        pair = Pair(answers.scores.each, scores.each, task)
        found[task.loss.name] = lost(pair, task.loss)
        found |= measured("pair", pair)
    return found | measured("outputs", scored)


@dataclass(frozen=True)
class WeightScores:
    """Error and size of a network's weights, some of them quantized.

    Args:
        network: the fp32 network.
        weights: layer -> its codes; layers that are not named stay float32.
    """

    network: Network
    weights: Mapping[str, QTensor]

    @cached_property
    def _restored(self) -> dict[str, tuple[Floats, Floats, Floats]]:
        """Layer -> original, dequantized and step, each (channels, depth)."""
        found = {}
        for layer in self.network.layers:
            if layer.name in self.weights:
                codes = self.weights[layer.name]
                original = depth_weights(layer)
                step = expand(codes.params.scale, original.shape[1], codes.spec.granularity)
                found[layer.name] = (original, codes.dequantize(), np.broadcast_to(step, original.shape))
        return found

    def layer_sqnr_db(self, name: str) -> float | None:
        """Return a layer's SQNR in dB; None for a layer that is not quantized or has no error."""
        if name not in self._restored:
            return None
        value = tensor.sqnr_db(*self._restored[name][:2])
        return value if np.isfinite(value) else None

    def built(self, *, resident_bytes: int, integer_share: float) -> Built:
        """Return what scores of the network are computed from; float32 numbers count 4 bytes.

        Args:
            resident_bytes: of the weights in the kernels' layout.
            integer_share: of the multiply-adds.
        """
        theoretical = packed = biases = count = 0.0
        for layer in self.network.layers:
            codes = self.weights.get(layer.name)
            theoretical += 4 * layer.weight.size if codes is None else codes.theoretical_bits / 8
            packed += 4 * layer.weight.size if codes is None else codes.packed_bytes
            biases += layer.bias.nbytes
            count += layer.weight.size
        uniform = {name: self.weights[name].params.levels is None for name in self._restored}
        layers = tuple(Restored(*row, uniform=uniform[name]) for name, row in self._restored.items())
        return Built(layers, int(count), theoretical, packed, int(biases), resident_bytes, integer_share)
