"""What a layer's numbers become: a format and a granularity for its weights and for its activations.

The canonical token is used in keys, tables, file names and on the command line: `w4g32-a8t`, `w8c-a8t`, `wtc-a8t`,
`wbc-abt`, `w4logc-a32`. A granularity that is left out means per channel for weights, per tensor for activations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qbench.core.formats import (
    CODEBOOKS,
    Binary,
    Codebook,
    Float32,
    Logarithmic,
    NumberFormat,
    PowerOfTwo,
    Ternary,
    Uniform,
)
from qbench.core.granularity import Granularity, PerChannel, PerTensor, parse_granularity
from qbench.errors import QBenchError

Scope = Literal["weights", "activations", "full", "none"]

_KINDS = {token: kind for kind, token in CODEBOOKS.items()}
_SIDE = re.compile(
    r"^(?P<kind>[wa])(?P<width>32|16|[1-8]|[tb])"
    rf"(?P<format>log|pot|{'|'.join(_KINDS)})?(?P<granularity>t|c|d|r|g\d+[xvk]?)?$"
)


@dataclass(frozen=True, slots=True)
class QuantSpec:
    """A number format and the granularity of its scales."""

    format: NumberFormat
    granularity: Granularity

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized."""
        return isinstance(self.format, Float32)

    @property
    def token(self) -> str:
        """The canonical word without its leading w or a, e.g. `4g32`, `tc`, `4logc`, `32`."""
        if self.is_float:
            return "32"
        if isinstance(self.format, Ternary | Binary):
            return self.format.token + self.granularity.token
        return f"{self.format.bits}{self.format.token}{self.granularity.token}"


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """What becomes of one layer's weights and of the activations that enter it."""

    weights: QuantSpec
    activations: QuantSpec

    @property
    def token(self) -> str:
        """The canonical token, e.g. `w4g32-a8t`."""
        return f"w{self.weights.token}-a{self.activations.token}"

    @property
    def scope(self) -> Scope:
        """Which of the two are quantized (the source document's granularity)."""
        if self.weights.is_float:
            return "none" if self.activations.is_float else "activations"
        return "weights" if self.activations.is_float else "full"


FLOAT = QuantSpec(Float32(), PerTensor())


def weight_uniform(bits: int) -> Uniform:
    """Return the signed symmetric format of uniform weights (narrow, as TFLite and QNN want, at 8 bits only)."""
    return Uniform(bits, signed=True, symmetric=True, narrow=bits == 8)


def activation_uniform(bits: int) -> Uniform:
    """Return the unsigned format with a zero point of uniform activations."""
    return Uniform(bits, signed=False, symmetric=False)


def _parse_side(text: str, token: str) -> QuantSpec:
    match = _SIDE.match(text)
    if match is None:
        raise QBenchError(
            f"spec '{token}': cannot read '{text}'; expected w or a, then 1..8, 32 (a16 too), t or b, then log, pot, "
            f"{', '.join(_KINDS)} if not uniform, then t, c, gN (x, v or k behind it for scales of few bits), "
            "or of activations d or r, as in w4g32-a8t"
        )
    kind, width, name, grain = match["kind"], match["width"], match["format"], match["granularity"]
    if width == "32":
        return FLOAT
    default: Granularity = PerChannel() if kind == "w" else PerTensor()
    granularity = parse_granularity(grain) if grain else default
    if width == "16" and (kind == "w" or name):
        raise QBenchError(f"spec '{token}': 16 bits are for uniform activations (a16t), got '{text}'")
    if width in ("t", "b"):
        return QuantSpec(Ternary() if width == "t" else Binary(), granularity)
    bits = int(width)
    uniform = weight_uniform(bits) if kind == "w" else activation_uniform(bits)
    formats: dict[str, NumberFormat] = (
        {"log": Logarithmic(bits), "pot": PowerOfTwo(bits)} if name in ("log", "pot") else {}
    )
    if name is not None and name not in formats:
        formats[name] = Codebook(bits, _KINDS[name])
    return QuantSpec(formats[name] if name else uniform, granularity)


def parse_spec(token: str) -> LayerSpec:
    """Return the LayerSpec of a token such as `w4g32-a8t` or `wt-a8`; raise QBenchError when it cannot be read."""
    sides = token.strip().lower().split("-")
    if len(sides) != 2 or sides[0][:1] != "w" or sides[1][:1] != "a":
        raise QBenchError(f"spec '{token}': expected w...-a..., as in w4g32-a8t")
    return LayerSpec(_parse_side(sides[0], token), _parse_side(sides[1], token))
