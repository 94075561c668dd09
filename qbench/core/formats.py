"""Number formats: which codes exist and what real number each stands for. All frozen, checked on construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qbench.errors import QBenchError


def _check_bits(name: str, bits: int, low: int, high: int) -> None:
    if not low <= bits <= high:
        raise QBenchError(f"{name}: bits must be in {low}..{high}, got {bits}")


@dataclass(frozen=True, slots=True)
class Float32:
    """No quantization: real = code."""

    token: ClassVar[str] = ""
    bits: ClassVar[int] = 32
    is_integer: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Uniform:
    """Equal steps: real = scale * (code - zero_point), code in qmin..qmax.

    `symmetric` fixes zero_point at 0; `narrow` drops the lowest signed code, so that the grid is symmetric too. It
    has 1 to 8 bits; codes with a zero point, which activations have, also 16.
    """

    bits: int
    signed: bool = True
    symmetric: bool = True
    narrow: bool = False
    token: ClassVar[str] = ""
    is_integer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_bits("Uniform", self.bits, 1, 8 if self.signed or self.symmetric or self.bits != 16 else 16)
        if self.narrow and (not self.signed or self.bits == 1):
            raise QBenchError("Uniform: narrow needs signed codes of at least 2 bits")

    @property
    def qmin(self) -> int:
        """The lowest code."""
        lowest: int = -(1 << (self.bits - 1)) + int(self.narrow)
        return lowest if self.signed else 0

    @property
    def qmax(self) -> int:
        """The highest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True, slots=True)
class PowerOfTwo:
    """Sign and exponent: real = scale * level[code], sorted levels 0 and +-2**e, e = 0 .. 2**(bits-1) - 2."""

    bits: int
    token: ClassVar[str] = "pot"
    is_integer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_bits("PowerOfTwo", self.bits, 2, 8)


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Sign, zero, and 2**(bits-1) - 1 magnitudes in equal steps of the logarithm: real = scale * level[code]."""

    bits: int
    token: ClassVar[str] = "log"
    is_integer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_bits("Logarithmic", self.bits, 2, 8)


@dataclass(frozen=True, slots=True)
class Codebook:
    """Levels in a table: real = scale * level[code]; `kind` says which (`CODEBOOKS`), kmeans that they are free."""

    bits: int
    kind: str = "kmeans"
    is_integer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_bits("Codebook", self.bits, 1, 8)

    @property
    def token(self) -> str:
        """The name inside a spec's token."""
        return CODEBOOKS.get(self.kind, self.kind)

    @property
    def is_fixed(self) -> bool:
        """Whether kind and bits say all levels, so that no file needs to hold them."""
        return self.kind != "kmeans"


CODEBOOKS = {"kmeans": "km", "nf4": "nf4", "apot": "apot", "e2m1": "e2m1", "e4m3": "e4m3", "e5m2": "e5m2"}
"""Kind of codebook -> its name inside a spec's token."""


@dataclass(frozen=True, slots=True)
class Ternary:
    """Codes -1, 0, 1: real = scale * (code - zero_point), zero_point 0 for weights."""

    bits: ClassVar[int] = 2
    qmin: ClassVar[int] = -1
    qmax: ClassVar[int] = 1
    token: ClassVar[str] = "t"
    is_integer: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Binary:
    """Codes -1, 1: real = scale * (code - zero_point); zero_point 0, or -1 for activations never negative."""

    bits: ClassVar[int] = 1
    qmin: ClassVar[int] = -1
    qmax: ClassVar[int] = 1
    token: ClassVar[str] = "b"
    is_integer: ClassVar[bool] = True


NumberFormat = Float32 | Uniform | PowerOfTwo | Logarithmic | Codebook | Ternary | Binary


def theoretical_bits(number_format: NumberFormat) -> float:
    """Return the information content of one code in bits: log2(3) for ternary, `bits` otherwise."""
    return 1.584962500721156 if isinstance(number_format, Ternary) else float(number_format.bits)
