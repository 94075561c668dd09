"""The best other libraries: of each class of arithmetic, the fastest one that took turns with a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qbench.core.trial import Metric
from qbench.report import words
from qbench.report.rows import Row

CLASSES = ("fp32", "bf16", "int8")
"""Classes of arithmetic, by the end of a peer's name."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A library beside a row.

    Args:
        name: the peer's, e.g. `openvino-int8`.
        kind: its class of arithmetic, e.g. `int8`.
        speedup: the row's paired speedup over it.
    """

    name: str
    kind: str
    speedup: Metric

    @property
    def text(self) -> str:
        """The speedup in words: how many times as fast as which library."""
        return f"{words.times(self.speedup.value)} {self.name}"

    @property
    def verdict(self) -> str:
        """`faster` or `slower` where the interval leaves no doubt, else `as fast`."""
        low, high = self.speedup.low, self.speedup.high
        if low is None or high is None:
            return "as fast"
        return "faster" if low > 1 else "slower" if high < 1 else "as fast"


def rivals(row: Row, batch: int) -> tuple[Rival, ...]:
    """Return, of each class, the fastest library in the rounds of a row at a batch size; () where it was not timed."""
    found = [one for kind in CLASSES for one in _of_class(row, batch, kind)]
    return tuple(min((one for one in found if one.kind == kind), key=_speedup) for kind in _kinds(found))


def _of_class(row: Row, batch: int, kind: str) -> Iterator[Rival]:
    for measurement in row.result.measurements:
        name = measurement.cell
        if measurement.group == f"network/batch{batch}" and name.endswith(f"-{kind}"):
            speedup = row.speedup(batch, name)
            if speedup is not None and speedup.value:
                yield Rival(name, kind, speedup)


def _kinds(found: list[Rival]) -> list[str]:
    return list(dict.fromkeys(one.kind for one in found))


def _speedup(one: Rival) -> float:
    return one.speedup.value or 0.0
