"""Tensors of a legacy PyTorch checkpoint (before 1.6), read without running any code that the file names.

The file is five pickles (magic number, protocol, sizes, the objects, the keys of their storages) and then each storage:
its count as int64 and its numbers. The reader knows the names that plain tensors need and refuses every other; what it
builds for them are descriptions of its own, not PyTorch's classes.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError

Array = npt.NDArray[np.generic]
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor's numbers lie: its storage's key, and offset, shape and strides in it."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """Builds lists, mappings, numbers, words and `_Place`s, and nothing else."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.types: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _place
        if module == "torch" and name in _TYPES:
            return _Kind(name)
        raise ModelError(f"torch file: expected only tensors, got a reference to {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self.types[str(key)] = np.dtype(_TYPES[kind.name])
        return str(key)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A storage's class, which is only named and never called."""

    name: str

    def __call__(self, *_: object) -> object:
        raise ModelError(f"torch file: expected {self.name} to be named only, got a call")


def _place(storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Place:
    return _Place(str(storage), int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def read_torch_file(content: bytes) -> dict[str, Array]:
    """Return the tensors of a checkpoint by name; raise ModelError when it is anything else."""
    stream = io.BytesIO(content)
    try:
        magic, protocol, _ = (_Reader(stream).load() for _ in range(3))
        if (magic, protocol) != (_MAGIC, _PROTOCOL):
            raise ModelError("torch file: expected a checkpoint in the format of before PyTorch 1.6, got another file")
        objects = _Reader(stream)
        places, keys = objects.load(), _Reader(stream).load()
        storages = {str(key): _storage(stream, objects.types[str(key)]) for key in keys}
        return {str(name): _tensor(storages, place) for name, place in places.items()}
    except ModelError:
        raise
    except Exception as error:  # a hostile pickle can fail in any way, and no way of failing is of use to the caller
        raise ModelError(f"torch file: damaged: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _storage(stream: io.BytesIO, kind: np.dtype[Any]) -> Array:
    (count,) = struct.unpack("<q", stream.read(8))
    raw = stream.read(max(0, count) * kind.itemsize)
    if count < 0 or len(raw) != count * kind.itemsize:
        raise ModelError(f"torch file: expected a storage of {count} numbers, got {len(raw)} bytes")
    return np.frombuffer(raw, kind)


def _tensor(storages: dict[str, Array], place: object) -> Array:
    """Return a tensor out of its storage, whatever order its numbers lie in; all of them must lie inside."""
    if not isinstance(place, _Place) or place.storage not in storages:
        raise ModelError("torch file: expected every entry to be a tensor")
    numbers, shape, strides = storages[place.storage], place.shape, place.strides
    pairs = list(zip(shape, strides, strict=True))
    last = place.offset + sum((size - 1) * stride for size, stride in pairs)
    if min(place.offset, *shape, *strides, 0) < 0 or math.prod(shape) > numbers.size or last >= numbers.size:
        raise ModelError(f"torch file: expected a tensor of shape {shape} inside its {numbers.size} numbers")
    steps = [stride * numbers.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[place.offset :], shape, steps).copy()
