"""What a trial's spec says, spelled out in plain words: the fields that filters and tables name."""

from __future__ import annotations

from typing import TypedDict

from qbench.core.formats import Codebook, Float32, Logarithmic, NumberFormat, PowerOfTwo, Uniform
from qbench.core.granularity import Dynamic, PerChannel, PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.trial import Trial


class SpecFacts(TypedDict):
    """Plain words about a trial's spec.

    `bits` and `format` are the weights', or the activations' where only those are quantized; 32 and `float32` for fp32.
    """

    scope: str
    bits: int
    weight_bits: int
    activation_bits: int
    format: str
    granularity: str


def format_name(number_format: NumberFormat) -> str:
    """Return `uniform`, `log`, `pot`, a kind of codebook, `ternary`, `binary` or `float32`."""
    if isinstance(number_format, Codebook):
        return number_format.kind
    plain: dict[type, str] = {Uniform: "uniform", Logarithmic: "log", PowerOfTwo: "pot", Float32: "float32"}
    return plain.get(type(number_format), type(number_format).__name__.lower())


def granularity_name(spec: QuantSpec) -> str:
    """Return `tensor`, `channel` or `groupN`, with a letter for scales of few bits; empty for float32."""
    if spec.is_float:
        return ""
    if isinstance(spec.granularity, Dynamic):
        return "dynamic rows" if spec.granularity.rows else "dynamic"
    if isinstance(spec.granularity, PerTensor):
        return "tensor"
    return "channel" if isinstance(spec.granularity, PerChannel) else spec.granularity.token.replace("g", "group")


def spec_facts(trial: Trial) -> SpecFacts:
    """Return scope, widths, format and granularity of `trial`."""
    spec = trial.layer_spec
    leading = spec.activations if spec.scope == "activations" else spec.weights
    return SpecFacts(
        scope=spec.scope,
        bits=leading.format.bits,
        weight_bits=spec.weights.format.bits,
        activation_bits=spec.activations.format.bits,
        format=format_name(leading.format),
        granularity=granularity_name(leading),
    )
