"""What the batch normalizations of a network know of the data that it was trained on.

What one writes has mean `bias` and deviation |scale| in each channel, over the data of its training. Reading a file
folds both into the layers before it, so they are read apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.graph.network import Network
from qbench.graph.nodes import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """Mean and deviation of each channel that a batch normalization writes, float32 (c,)."""

    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Normed:
    """A network that shows what its batch normalizations write.

    Args:
        network: of the same function, these tensors among its outputs.
        norms: by these tensors; none where the file was folded before it was written.
    """

    network: Network
    norms: Mapping[str, Norm]
