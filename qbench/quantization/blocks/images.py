"""Images that look to a network's batch normalizations as those of its training did, learned by gradients, in torch.

From noise on, over a batch of images and all normalizations,

    min over x   sum E_c[(mean_c - mean)^2 + (deviation_c - deviation)^2] / E_c[deviation^2]

Source: Cai et al. 2020, "ZeroQ: a novel zero shot quantization framework", equation 3; the scale of each term is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from qbench.core.tensor import Floats
from qbench.graph import Conv, Linear
from qbench.graph.norms import Norm, Normed
from qbench.quantization.blocks.forward import Tensor, Values, held

STEPS, BATCH, RATE = 100, 64, 0.1
"""Steps of Adam for each batch of images."""


def learned_images(normed: Normed, start: Floats, *, low: Floats, high: Floats) -> Floats:
    """Return images (n, c, h, w) that agree with a network's batch normalizations.

    Args:
        normed: the network, all nodes of which `forward.can_run`, and its normalizations.
        start: noise, float32 (n, c, h, w).
        low: the least number of each channel, float32 (c,): black.
        high: the largest.
    """
    nodes = normed.network.nodes
    weights = {node.name: held(node.weight) for node in nodes if isinstance(node, Conv | Linear)}
    ends = [torch.tensor(np.asarray(end, np.float32).reshape(-1, 1, 1)) for end in (low, high)]
    found = np.empty_like(start)
    for place in range(0, len(start), BATCH):
        images = torch.tensor(start[place : place + BATCH], requires_grad=True)
        descent = torch.optim.Adam([images], lr=RATE)
        for _ in range(STEPS):
            values = Values({normed.network.input: images}, weights=weights, rounded=_as_it_is, everyone=False)
            values.run(nodes)
            descent.zero_grad()
            _apart(values, normed.norms).backward()
            descent.step()
            with torch.no_grad():
                images.clamp_(*ends)
        found[place : place + BATCH] = images.detach().numpy()
    return found


def _as_it_is(_name: str, x: Tensor) -> Tensor:
    return x


def _apart(values: Mapping[str, Tensor], norms: Mapping[str, Norm]) -> Tensor:
    return sum(_of_one(values[tensor], norm) for tensor, norm in norms.items())


def _of_one(x: Tensor, norm: Norm) -> Tensor:
    axes = [axis for axis in range(x.ndim) if axis != (1 if x.ndim == 4 else x.ndim - 1)]
    mean, deviation = x.mean(dim=axes), x.std(dim=axes, unbiased=False)
    wanted, spread = held(norm.mean), held(norm.deviation)
    return ((mean - wanted).square() + (deviation - spread).square()).mean() / spread.square().mean().clamp(min=1e-12)
