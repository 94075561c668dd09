"""Scores of one trial: what its logits and its weights say beside fp32's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats, QTensor, expand
from qbench.core.trial import Metric
from qbench.graph import Network, depth_weights
from qbench.metrics import accuracy, logits, noninferiority, paired, size, tensor
from qbench.metrics.bits import Bools

_BATCH = 256


class Runnable(Protocol):
    """Whatever maps float32 NCHW images to float32 logits."""

    def run(self, inputs: Floats, /) -> Floats:
        """Return the logits (n, classes)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What fp32 answers on the evaluation images, and what is right.

    Args:
        logits: (n, classes) of the independent fp32 runtime.
        labels: (n,), or (0,) where nothing is known of the images.
    """

    logits: Floats
    labels: npt.NDArray[np.int64]

    @property
    def labelled(self) -> bool:
        """Whether there is a right answer."""
        return len(self.labels) > 0

    @property
    def correct(self) -> Bools:
        """Which of fp32's first guesses are right."""
        return accuracy.correct(self.logits, self.labels)


def all_logits(session: Runnable, inputs: Floats) -> Floats:
    """Return the logits of all images, in batches of 256 and in their order."""
    return np.concatenate([session.run(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)])


def score_logits(found: Floats, reference: Answers) -> dict[str, Metric]:
    """Return every score of logits (n, classes) against fp32's, and against the labels if any, by metric name."""
    against_fp32 = {
        "agreement_percent": logits.agreement(reference.logits, found),
        "logit_sqnr_db": logits.logit_sqnr(reference.logits, found),
        "logit_kl_nats": logits.logit_kl(reference.logits, found),
    }
    if not reference.labelled:
        return against_fp32
    right, right_ref = accuracy.correct(found, reference.labels), reference.correct
    return {
        "top1_percent": accuracy.top1(right),
        "worst_class_percent": accuracy.worst_class(right, reference.labels),
        "top1_drop_points": paired.drop(right_ref, right),
        "mcnemar_p": paired.mcnemar_midp(right_ref, right),
        "kept_percent": noninferiority.kept(right_ref, right),
        "keeps_99": noninferiority.keeps(right_ref, right, 0.99),
        "keeps_999": noninferiority.keeps(right_ref, right, 0.999),
        **against_fp32,
    }


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

    def error_metrics(self) -> dict[str, Metric]:
        """Return the error of all quantized weights together; nothing when none is quantized."""
        if not self._restored:
            return {}
        original, restored, step = (
            np.concatenate([row[i].ravel() for row in self._restored.values()]) for i in range(3)
        )
        scores = {"weight_sqnr_db": tensor.weight_sqnr(original, restored)}
        if all(codes.params.levels is None for codes in self.weights.values()):
            scores["weight_bias_steps"] = tensor.weight_bias(original, restored, step=step)
        return scores

    def size_metrics(self, *, resident_bytes: int) -> dict[str, Metric]:
        """Return the three sizes of the network and the bits per weight; float32 numbers count 4 bytes."""
        theoretical = packed = biases = count = 0.0
        for layer in self.network.layers:
            codes = self.weights.get(layer.name)
            theoretical += 4 * layer.weight.size if codes is None else codes.theoretical_bits / 8
            packed += 4 * layer.weight.size if codes is None else codes.packed_bytes
            biases += layer.bias.nbytes
            count += layer.weight.size
        return {
            "theoretical_bytes": size.THEORETICAL_BYTES.of(theoretical),
            "packed_bytes": size.PACKED_BYTES.of(packed + biases),
            "resident_bytes": size.RESIDENT_BYTES.of(resident_bytes),
            "bits_per_weight": size.bits_per_weight(packed, weights=int(count)),
        }
