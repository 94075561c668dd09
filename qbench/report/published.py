"""Figures that others published, to stand beside a run's own: read in the authors' tables, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Scores = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class WidthSweep:
    """Top-1 of one network by bits of its weights, activations at 8 bits.

    Args:
        network: its name.
        depthwise: whether it has depthwise layers.
        fp32: top-1 in percent.
        tensor: bits -> top-1 with one scale per tensor of weights.
        channel: bits -> top-1 with one scale per channel.
    """

    network: str
    depthwise: bool
    fp32: float
    tensor: Scores
    channel: Scores


BREVITAS = "Brevitas, RESULTS_TORCHVISION.csv of 2023-05-30"
"""github.com/Xilinx/brevitas, src/brevitas_examples/imagenet_classification/ptq at commit 8a10dd05: target `generic`,
float32 scales, asymmetric activations of 8 bits, bias correction, graph equalization; of three percentiles the best."""

_RESNET, _MOBILENET = ("ResNet-18", False, 69.758), ("MobileNetV2", True, 71.898)
WITH_GPTQ = (
    WidthSweep(*_RESNET, {8: 69.500, 6: 69.332, 4: 64.890}, {8: 69.542, 6: 69.400, 4: 68.678}),
    WidthSweep(*_MOBILENET, {8: 71.166, 6: 70.114, 4: 46.680}, {8: 71.032, 6: 69.486, 4: 39.240}),
)
PLAIN = (
    WidthSweep(*_RESNET, {8: 69.438, 6: 67.486, 4: 9.456}, {8: 69.458, 6: 69.278, 4: 59.352}),
    WidthSweep(*_MOBILENET, {8: 71.056, 6: 69.866, 4: 30.316}, {8: 71.066, 6: 69.792, 4: 37.144}),
)
"""The same without GPTQ."""
