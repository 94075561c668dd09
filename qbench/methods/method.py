"""What every method promises, and the reasons that several of them share for refusing a spec."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from qbench.core.formats import Binary, Float32, NumberFormat, Ternary, Uniform
from qbench.core.granularity import Dynamic, Granularity, PerChannel, PerGroup, PerTensor, ScaledGroup, ScaleFormat
from qbench.core.spec import LayerSpec, QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats

S8_BITS = 8
"""The most bits of a byte."""


class Method(Protocol):
    """A way to choose scales, zero points, levels and codes. Stateless; the same numbers give the same codes.

    `version` is raised whenever the codes change: it is part of the hash under which results are cached.
    """

    @property
    def name(self) -> str:
        """The word in suites."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the method's codes change."""
        ...

    def weight_format(self, bits: int) -> NumberFormat:
        """Return what `bits` means for weights; raise QBenchError for a width that the method does not have."""
        ...

    def activation_format(self, bits: int) -> NumberFormat:
        """Return what `bits` means for activations; raise QBenchError for a width that the method does not have."""
        ...

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None when it can."""
        ...

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return the codes of float32 `weights` (channels, depth); QBenchError on NaN, infinity, no numbers.

        `seed` is for methods that draw numbers; none of those in this package does.
        """
        ...

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the scale, zero point and levels of a tensor with the observed `stats`."""
        ...


def method_spec(method: Method, spec: LayerSpec) -> LayerSpec:
    """Return `spec` with its uniform formats replaced by what their bits mean for `method`.

    A token such as `w4c-a8t` says the width only: `linear_floor` makes 4-bit weights unsigned, `log` logarithmic.
    Formats that a token names (`t`, `b`, `log`, `pot`, `km`) stay. Raises QBenchError for a width that the method does
    not have.
    """
    weights, activations = spec.weights, spec.activations
    if not weights.is_float:
        weights = replace(weights, granularity=weight_granularity(method, weights.granularity))
    if isinstance(weights.format, Uniform):
        weights = replace(weights, format=method.weight_format(weights.format.bits))
    if isinstance(activations.format, Uniform):
        activations = replace(activations, format=method.activation_format(activations.format.bits))
    return LayerSpec(weights, activations)


def weight_granularity(method: Method, granularity: Granularity) -> Granularity:
    """Return the granularity that a method makes of one: plain groups get its scales of few bits, if it has such."""
    scales: ScaleFormat | None = getattr(method, "group_scales", None)
    if scales is None or type(granularity) is not PerGroup:
        return granularity
    return ScaledGroup(granularity.group_size, scales)


def is_affine(number_format: NumberFormat) -> bool:
    """Return whether the format is the unsigned one with a zero point, which uniform activations use."""
    return isinstance(number_format, Uniform) and not number_format.signed and not number_format.symmetric


def refuse(reason: str | None) -> None:
    """Raise QBenchError with `reason`, if there is one."""
    if reason:
        raise QBenchError(reason)


def granularity_reason(name: str, spec: LayerSpec, *, scales: bool = False) -> str | None:
    """Return why a method cannot share scales as `spec` asks, or None.

    `scales` says that it rounds to nearest and takes scales that are not its own: of few bits, or dynamic ones.
    """
    if isinstance(spec.weights.granularity, ScaledGroup) and not scales:
        return f"{name}: keeps a float32 scale a group, not those of '{spec.weights.granularity.token}'"
    if isinstance(spec.weights.granularity, Dynamic):
        return f"{name}: weights have scales of their own before a network runs, not '{spec.weights.granularity.token}'"
    grain = spec.activations.granularity
    if isinstance(grain, Dynamic):
        if scales and is_affine(spec.activations.format) and spec.activations.format.bits <= S8_BITS:
            return None
        return f"{name}: dynamic activations are uniform, rounded to nearest, of at most {S8_BITS} bits"
    if not spec.activations.is_float and not isinstance(grain, PerTensor):
        more = ": smoothquant(1) folds scales of channels into weights" if isinstance(grain, PerChannel) else ""
        return f"{name}: activations are quantized per tensor, not '{grain.token}'{more}"
    if isinstance(spec.weights.granularity, PerChannel) and spec.weights.granularity.axis != 0:
        return f"{name}: weights keep axis 0 (output channels), not axis {spec.weights.granularity.axis}"
    return None


def mse_activation_reason(name: str, number_format: NumberFormat) -> str | None:
    """Return why `mse`, which other methods borrow from, cannot give activations the format, or None."""
    if isinstance(number_format, Float32 | Ternary | Binary) or is_affine(number_format):
        return None
    return f"{name}: cannot give activations the format {number_format}"
