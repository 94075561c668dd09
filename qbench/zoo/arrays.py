"""Samples that are no pictures: arrays of any shape and type, one for each input of a network, labelled or not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qbench.core.several import Inputs, Several, contiguous
from qbench.errors import DataError
from qbench.zoo.dataset import Labels, drawn, labels_checked

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Input:
    """What a network takes.

    Args:
        name: of the input.
        shape: of one sample; sizes below 1 are free.
        dtype: numpy's name of its type.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def text(self) -> str:
        """Name, shape and type for messages: `'x' (n, 3, 8, 8) float32`."""
        sizes = ", ".join(["n", *(str(size) if size > 0 else "any" for size in self.shape)])
        return f"'{self.name}' ({sizes}) {self.dtype}"

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Return whether one sample may have that shape."""
        pairs = zip(self.shape, shape, strict=False)
        return len(shape) == len(self.shape) and all(wanted < 1 or wanted == got for wanted, got in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Arrays (n, ...) by the name of an input, in the network's order.

    Args:
        name: for messages and tables.
        parts: evaluation samples of every input.
        labels: int64 (n,), an index into `classes` each; (0,) with no classes where nothing is known.
        apart: calibration samples of every input, (m, ...) each; none of them is evaluated.
        classes: names of the classes.
        remarks: what their reader has to say of them, a line each.
        sha256: of all of it, derived.

    Raises:
        DataError: on construction, when anything does not fit together.
    """

    name: str
    parts: Mapping[str, Array]
    labels: Labels
    apart: Mapping[str, Array]
    classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Check everything, then fix the hash."""
        for what, parts in (("samples", self.parts), ("calibration samples", self.apart)):
            counts = {name: len(part) for name, part in parts.items()}
            if len(set(counts.values())) != 1:
                raise DataError(f"data '{self.name}': expected as many {what} of every input, got {counts}")
        if not len(self):
            raise DataError(f"data '{self.name}': expected at least one sample, got none")
        labels_checked(self.name, self.labels, count=len(self), classes=len(self.classes))
        seen = set(self.keys())
        shared = sum(key in seen for key in _keys(self.apart))
        if shared:
            count = len(self.calibration)
            raise DataError(f"data '{self.name}': {shared} of {count} calibration samples are evaluation samples too")
        digest = hashlib.sha256(repr(self.classes).encode())
        for parts in (self.parts, self.apart, {"labels": self.labels}):
            for name, part in parts.items():
                digest.update(f"{name} {part.dtype.str} {part.shape}".encode())
                digest.update(np.ascontiguousarray(part).tobytes())
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        """Return the number of evaluation samples."""
        return len(next(iter(self.parts.values())))

    @property
    def labelled(self) -> bool:
        """Whether it is known what the samples are."""
        return bool(self.classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample of the first input."""
        return next(iter(self.parts.values())).shape[1:]

    @property
    def sample_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one sample of every input."""
        return tuple(part.shape[1:] for part in self.parts.values())

    @property
    def calibration(self) -> Array:
        """Calibration samples of the first input."""
        return next(iter(self.apart.values()))

    def inputs(self, start: int = 0, stop: int | None = None) -> Inputs:
        """Return evaluation samples `start` to `stop` as a network takes them, of every input."""
        return contiguous(_inputs(self.parts)[start:stop])

    def calibration_indices(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Return which calibration samples a draw of `count` without repetition takes, ascending; int64 (count,)."""
        return drawn(self.name, len(self.calibration), count=count, seed=seed)

    def calibration_inputs(self, count: int, seed: int) -> Inputs:
        """Return the calibration samples of that draw, of every input."""
        return contiguous(_inputs(self.apart)[self.calibration_indices(count, seed)])

    def keys(self) -> list[bytes]:
        """Return a hash of every evaluation sample, of all its inputs."""
        return _keys(self.parts)

    def parted(self, rest: npt.NDArray[np.int64], apart: npt.NDArray[np.int64] | None) -> Self:
        """Return these samples with those of `rest` to evaluate, and those of `apart`, if given, to calibrate on."""
        chosen = self.apart if apart is None else {name: part[apart] for name, part in self.parts.items()}
        kept = {name: part[rest] for name, part in self.parts.items()}
        labels = self.labels[rest] if self.labelled else self.labels
        return type(self)(self.name, kept, labels, chosen, self.classes, self.remarks)


def as_input(array: npt.NDArray[Any], wanted: Input, *, where: str) -> Array:
    """Return an array in the type that an input takes.

    Raises:
        DataError: it has another shape, or numbers that the type does not hold.
    """
    kind = np.dtype(wanted.dtype)
    if array.ndim < 1 or not wanted.takes(array.shape[1:]) or array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected {wanted.text}, got {array.dtype} {array.shape}")
    if array.dtype == kind or kind.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype(kind)
    whole = array.dtype.kind in "iub" and kind.kind in "iub"
    limits = (0, 1) if kind.kind == "b" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    if not whole or (array.size and not (int(array.min()) >= limits[0] and int(array.max()) <= limits[1])):
        got = f"{array.dtype}" if not whole else f"numbers of {array.min()}..{array.max()}"
        raise DataError(f"{where}: expected {wanted.text}, got {got}")
    return array.astype(kind)


def _inputs(parts: Mapping[str, Array]) -> Inputs:
    arrays = tuple(parts.values())
    return arrays[0] if len(arrays) == 1 else Several(arrays)


def _keys(parts: Mapping[str, Array]) -> list[bytes]:
    """Return a hash of every sample."""
    whole = [np.ascontiguousarray(part) for part in parts.values()]
    found = []
    for index in range(len(whole[0]) if whole else 0):
        digest = hashlib.sha256()
        for part in whole:
            digest.update(part[index].tobytes())
        found.append(digest.digest())
    return found
