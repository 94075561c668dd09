"""Quantized weights that stay as they were stored: a layer's codes are unfolded when asked for, and not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine.saved.codes import Bytes, check_stream, unpack_codes
from qbench.graph.network import Shape


@dataclass(frozen=True, slots=True, eq=False)
class StoredCodes:
    """A layer's codes at their width.

    Args:
        stream: as `pack_codes` writes it.
        shape: of the codes, (channels, depth).
        params: what they mean.

    Raises:
        ValueError: the stream is not that of such codes.
    """

    stream: Bytes
    shape: tuple[int, ...]
    params: QParams

    def __post_init__(self) -> None:
        check_stream(self.stream, self.shape, self.params.spec.format)

    def unfolded(self) -> QTensor:
        """Return the codes as int16."""
        return QTensor(unpack_codes(self.stream, self.shape, self.params.spec.format), self.params)


class StoredWeights(Mapping[str, QTensor]):
    """Layer -> codes, made anew from what was stored each time that they are asked for."""

    def __init__(self, stored: Mapping[str, StoredCodes]) -> None:
        self._stored = stored

    def __getitem__(self, layer: str) -> QTensor:
        return self._stored[layer].unfolded()

    def __contains__(self, layer: object) -> bool:
        return layer in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def blank(shape: Shape) -> Floats:
    """Return zeros of a shape that share one number's memory: they stand where a layer's codes are what counts."""
    return np.broadcast_to(np.float32(0), shape)
