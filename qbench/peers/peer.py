"""What a peer promises: what it needs, whether it is here, what it can do, and one network prepared for many calls.

All tables of peers (networks and single operations, on the CPU and on a GPU) speak alike: `distributions` names the
packages whose versions stand beside a row, `missing()` says why a peer cannot run here, and `supports(x)` why it cannot
do x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Uniform
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.recipe import KEEP
from qbench.core.trial import Trial
from qbench.errors import ModelError
from qbench.graph import Network, QuantizedNetwork

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Precision = Literal["fp32", "bf16", "int8", "simulated"]


class Prepared(Protocol):
    """A model that is loaded, optimized and ready to be called."""

    def run(self, *inputs: Array) -> Floats:
        """Return the float32 output of `inputs` of any batch size, as an array of its own.

        There is an array for each input of the network. Images are float32 NCHW; token ids are int64 (n, tokens).
        """
        ...

    def bind(self, *inputs: Array) -> Callable[[], Floats]:
        """Return a call that computes these very `inputs` again into one buffer, allocating nothing."""
        ...


class Peer(Protocol):
    """Another library at one precision.

    Attributes:
        name: the peer's name in suites and results.
        distributions: the packages that it runs on, as an index names them.
        precision: of its arithmetic. `int8` wants a quantized network, `simulated` that of the very row that it takes
            turns with, the others one in float32.
        reads_onnx: whether `onnx_bytes` and the network's ends are all that `prepare` looks at; a peer that does not
            say so is handed the whole network in processes of its own, too.
    """

    name: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]
    precision: ClassVar[Precision]

    def missing(self) -> str | None:
        """Return why this peer cannot run here, or None."""
        ...

    def supports(self, trial: Trial) -> str | None:
        """Return why this peer cannot run the network as a trial wants it, or None; without its name."""
        ...

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> Prepared:
        """Return the network ready to run on `threads` threads; raise ModelError when the library refuses it."""
        ...


def check_batched(network: Network, name: str) -> None:
    """Raise ModelError in the name of the peer `name` where an input or output of a network has no batch."""
    whole = [tensor for tensor in (*network.inputs, *network.outputs) if tensor in network.unbatched]
    if whole:
        raise ModelError(f"{name}: expected the batch first in every input and output, got '{whole[0]}' without one")


class FloatPeer:
    """A peer that computes in floats, on a network that is not quantized."""

    reads_onnx: ClassVar[bool] = False

    def supports(self, trial: Trial) -> str | None:
        """Return why this peer cannot run a trial's spec, or None."""
        return None if trial.layer_spec.scope == "none" else "runs the fp32 network only (spec w32-a32)"


class EightBitPeer:
    """A peer that computes on a network of 8-bit codes, all layers alike."""

    precision: ClassVar[Precision] = "int8"
    reads_onnx: ClassVar[bool] = False

    def supports(self, trial: Trial) -> str | None:
        """Return why this peer cannot run a trial's spec, or None."""
        weights, activations = trial.layer_spec.weights, trial.layer_spec.activations
        if trial.method == KEEP:
            return None
        formats = (weights.format, activations.format)
        eight_bits = all(isinstance(one, Uniform) and one.bits == 8 for one in formats)
        grains = isinstance(weights.granularity, PerChannel | PerTensor)
        grains = grains and activations.granularity == PerTensor()
        mixed = trial.edges or trial.overrides or trial.recipe != trial.method
        if trial.layers != "all" or mixed or not eight_bits or not grains:
            return "runs the whole network at w8c-a8t or w8t-a8t only"
        return None
