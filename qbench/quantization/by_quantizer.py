"""The stage that another tool's quantizer is: it makes the whole network, from the samples that all recipes get."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from qbench.core.formats import Uniform
from qbench.core.several import arrays_of
from qbench.core.spec import LayerSpec
from qbench.core.tensor import QTensor
from qbench.errors import QBenchError, UnsuitableError, suggest
from qbench.graph import QuantizedNetwork
from qbench.peers.quantizers import QUANTIZERS, Quantizer, run
from qbench.peers.quantizers.process import Work
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place


@dataclass(frozen=True, slots=True)
class ByQuantizer:
    """A quantizer of `qbench.peers.quantizers` as a stage.

    Args:
        name: of the quantizer.
        algorithm: one of its own.
    """

    name: str
    algorithm: str
    place: ClassVar[Place] = "codes"
    needs_samples: ClassVar[bool] = True

    @property
    def _quantizer(self) -> Quantizer:
        found: Quantizer = QUANTIZERS.part(self.name)
        return found

    @property
    def word(self) -> str:
        """The word in recipes: the name, with an algorithm that is not the default in brackets."""
        default = next(iter(self._quantizer.algorithms))
        return self.name if self.algorithm == default else f"{self.name}({self.algorithm})"

    @property
    def version(self) -> int:
        """Raised whenever qbench asks the tool otherwise."""
        return self._quantizer.version

    @property
    def distributions(self) -> tuple[str, ...]:
        """The packages whose versions decide what comes out."""
        return self._quantizer.distributions

    def tuned(self, value: str) -> ByQuantizer:
        """Return the stage with another algorithm; raise QBenchError for one that the tool does not have."""
        if value not in self._quantizer.algorithms:
            raise QBenchError(f"unknown algorithm '{value}'{suggest(value, self._quantizer.algorithms)}")
        return ByQuantizer(self.name, value)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the tool cannot make `spec`, or is not there, or None."""
        reason = self._quantizer.supports(spec, self.algorithm) or self._quantizer.missing()
        return f"{self.word}: {reason}" if reason else None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network that the tool makes; its layers hold the numbers that their codes stand for.

        Raises:
            UnsuitableError: layers are to become different things, or only some are to be quantized.
            ModelError: the tool fails, or leaves a file that cannot be read.
        """
        from qbench.graph import to_onnx_bytes  # with onnx, which recipes are read and checked without

        network, specs = quantized.network, {*quantized.specs.values()}
        if len(specs) != 1 or any(layer.name not in quantized.specs for layer in network.layers):
            raise UnsuitableError(f"{self.word}: quantizes whole networks, all layers alike")
        (spec,) = specs
        samples = dict(zip(network.inputs, arrays_of(seen.samples()), strict=True))
        work = Work(self.name, self.algorithm, spec, seed, seen.threads)
        made, remarks = run(work, to_onnx_bytes(network), samples, timed=seen.timed)
        weights = {name: narrowed(codes, spec) for name, codes in made.weights.items()}
        made = replace(made, weights=weights, specs={layer.name: spec for layer in made.network.layers})
        return replace(made, others=quantized.others, remarks=(*quantized.remarks, *remarks, *otherwise(made, spec)))


def narrowed(codes: QTensor, spec: LayerSpec) -> QTensor:
    """Return codes under the width that was asked where all lie within it: files hold them in wider types."""
    own, asked = codes.spec.format, spec.weights.format
    if not isinstance(own, Uniform) or not isinstance(asked, Uniform) or own.bits <= asked.bits or not own.signed:
        return codes
    least, most = int(codes.codes.min()), int(codes.codes.max())
    fitting = replace(own, bits=asked.bits, narrow=False)
    if least < fitting.qmin or most > fitting.qmax:
        return codes
    return replace(codes, params=replace(codes.params, spec=replace(codes.spec, format=fitting)))


def otherwise(made: QuantizedNetwork, spec: LayerSpec) -> list[str]:
    """Return a remark on the layers that the tool did not make as asked, by what they became."""
    found: dict[str, list[str]] = {}
    for layer in made.network.layers:
        codes, entering = made.weights.get(layer.name), made.activations.get(made.network.unflattened(layer.input))
        became = (codes.spec.format.bits if codes else 32, entering.spec.format.bits if entering else 32)
        if became != (spec.weights.format.bits, spec.activations.format.bits):
            found.setdefault(f"w{became[0]}-a{became[1]}", []).append(layer.name)
    return [f"made {what} where {spec.token} was asked: {', '.join(names)}" for what, names in sorted(found.items())]
