"""Images of few channels: pixels side by side, so that a row of taps is one run of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from qbench.core.granularity import PerGroup
from qbench.core.tensor import QTensor
from qbench.engine.container import Container
from qbench.engine.lowering.numbers import NotIntegerError, s8_codes
from qbench.graph.network import Conv, Network, Node, inputs_of
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.layout import Layout

GROUP_BYTES = 4
"""Bytes of a k-group: a pixel of fewer channels is padded to so many, unless the network `takes_rows`."""


def takes_rows(network: Network, weights: Mapping[str, QTensor], box: Container) -> bool:
    """Return whether the input's pixels should stand side by side, without padding.

    7 x 7 taps of 3 channels are 42 k-groups then instead of 49; 3 x 3 taps are 9 either way. Rows' sums, which weights
    with a zero point need, would count the bytes behind a run.
    """
    channels = network.input_shape[0]
    readers = [node for node in network.nodes if network.input in inputs_of(node)]
    if box.floor or not all(_is_plain(node, weights) for node in readers):
        return False
    return shorter([node.weight.shape[2:] for node in readers if isinstance(node, Conv)], channels)


def shorter(kernels: Sequence[Sequence[int]], channels: int) -> bool:
    """Return whether windows of these (height, width) have fewer k-groups by rows than by pixels."""
    by_rows = sum(height * -(-width * channels // GROUP_BYTES) for height, width in kernels)
    return channels < GROUP_BYTES and by_rows < sum(height * width for height, width in kernels)


def _is_plain(node: Node, weights: Mapping[str, QTensor]) -> bool:
    if not isinstance(node, Conv) or node.groups > 1 or node.dilations[1] > 1 or node.name not in weights:
        return False
    quantized = weights[node.name]
    try:
        _, zeros = s8_codes(quantized)
    except NotIntegerError:
        return False
    return not isinstance(quantized.spec.granularity, PerGroup) and not np.any(zeros)


def rows_of_taps(window: Window, codes: Codes, lhs: Layout) -> tuple[Window, Codes, Layout]:
    """Return the same convolution with a row of taps as the channels of one tap; pixels of the layout then overlap."""
    height, width = window.kernel
    run = width * lhs.channels
    whole = codes.reshape(len(codes), height, 1, run)
    return replace(window, kernel=(height, 1)), whole, replace(lhs, channels=run)
