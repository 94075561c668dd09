"""What a quantizer promises: which packages it wants, its algorithms, what it can do, and a file for a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Float32, Uniform
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.spec import LayerSpec
from qbench.peers.installed import installed

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a quantizer is to make.

    Args:
        model: path of the float network, ONNX of operator set 17, its batch left free.
        out: path where the quantized ONNX file is to lie.
        samples: input -> calibration samples (n, ...), as the network takes them; read, never written.
        algorithm: one of the quantizer's own.
        weight_bits: of all weights; 32 leaves them in float.
        activation_bits: of all activations; 32 leaves them in float.
        per_channel: whether each output channel has a scale, else each tensor.
        seed: of every random choice.
        threads: to work on.
    """

    model: Path
    out: Path
    samples: Mapping[str, Array]
    algorithm: str
    weight_bits: int
    activation_bits: int
    per_channel: bool
    seed: int
    threads: int

    def __len__(self) -> int:
        """Return the number of calibration samples."""
        return len(next(iter(self.samples.values())))

    def batch(self, start: int, size: int) -> dict[str, Array]:
        """Return some samples, an array for each input."""
        return {name: np.ascontiguousarray(array[start : start + size]) for name, array in self.samples.items()}


class Quantizer(Protocol):
    """A tool that quantizes networks.

    Attributes:
        name: the word in recipes.
        version: raised whenever qbench asks the tool otherwise than before; the tool's own version counts by itself.
        distributions: the packages that it runs on, as an index names them.
        algorithms: word in brackets -> a line about it, the first being the default.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    distributions: ClassVar[tuple[str, ...]]
    algorithms: ClassVar[Mapping[str, str]]

    def missing(self) -> str | None:
        """Return why it cannot work here, or None; without its name, and nothing of the tool is imported."""
        ...

    def supports(self, spec: LayerSpec, algorithm: str) -> str | None:
        """Return why it cannot make a spec, or None; without its name."""
        ...

    def load(self) -> None:
        """Import what it works with: the time that this takes is not the tool's work."""
        ...

    def quantize(self, request: Request) -> tuple[str, ...]:
        """Write the quantized file; return remarks for the row.

        An UnsuitableError, for a network that the tool cannot do, makes a skipped row; any other exception a failed
        one, which tells its first line.
        """
        ...


class Tool:
    """What quantizers of uniform codes have in common: they say their widths.

    Attributes:
        weight_bits: widths of weights that the tool has; 32 for float.
        activation_bits: widths of activations.
        per_tensor: whether it can give all channels of a weight one scale.
    """

    version: ClassVar[int] = 1
    distributions: ClassVar[tuple[str, ...]]
    weight_bits: ClassVar[frozenset[int]]
    activation_bits: ClassVar[frozenset[int]]
    per_tensor: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return which packages are not installed, or None."""
        _, missing = installed(self.distributions)
        return f"not installed: {', '.join(missing)}" if missing else None

    def supports(self, spec: LayerSpec, algorithm: str) -> str | None:
        """Return what of a spec is beyond the tool, or None."""
        weights, activations = spec.weights, spec.activations
        sides = (("weights", weights, self.weight_bits), ("activations", activations, self.activation_bits))
        for side, asked, known in sides:
            if not isinstance(asked.format, Uniform | Float32):
                return f"{side} are uniform codes, not '{asked.format.token}'"
            if asked.format.bits not in known:
                return f"{side} have {_listed(known)} bits, not {asked.format.bits}"
        grains = (PerChannel, PerTensor) if self.per_tensor else (PerChannel,)
        if not weights.is_float and not isinstance(weights.granularity, grains):
            return (
                f"weights share a scale a channel{' or a tensor' * self.per_tensor}, not '{weights.granularity.token}'"
            )
        if not activations.is_float and activations.granularity != PerTensor():
            return f"activations share a scale a tensor, not '{activations.granularity.token}'"
        return None


def _listed(bits: frozenset[int]) -> str:
    return " or ".join(str(one) if one < 32 else "32 (float)" for one in sorted(bits))
