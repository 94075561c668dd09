"""Frozen values of qbench as plain JSON, and back: nodes, formats, granularities, and the arrays in them by name.

What is written: `{"is": "Conv", "name": ...}` for a value of a known class, a list for a tuple, `{"array": key}` for
numbers that lie in the tensors' file, `{"zeros": shape}` for those that are all 0, `{"float32": x}` for a lone one.
Reading makes nothing but the classes named here, with exactly their fields.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from qbench.core import formats, granularity
from qbench.core.spec import QuantSpec
from qbench.core.tensor import QParams
from qbench.engine.saved.types import conforms
from qbench.graph.network import Clamp, Network, Node

Array: TypeAlias = npt.NDArray[np.generic]
Arrays: TypeAlias = dict[str, Array]

CLASSES: dict[str, type[Any]] = {
    known.__name__: known
    for known in (
        *get_args(Node), *get_args(formats.NumberFormat), *get_args(granularity.Granularity),
        Clamp, Network, QuantSpec, QParams,
    )
}  # fmt: skip


_MOST_ZEROS = 1 << 28
"""Numbers of the largest array that is told by its shape alone, a gigabyte."""


class ValueFormError(Exception):
    """A value is not of the form that is written; the message says what was found."""


def encode(value: Any, arrays: Arrays, *, key: str) -> Any:
    """Return `value` as JSON; its arrays are put into `arrays` under names that begin with `key`."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, bytes):
        return {"bytes": _put(arrays, key, np.frombuffer(value, np.uint8))}
    if isinstance(value, np.ndarray | np.float32):
        return _encode_array(np.asarray(value), arrays, key)
    if isinstance(value, tuple):
        return [encode(part, arrays, key=f"{key}.{place}") for place, part in enumerate(value)]
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    if isinstance(value, dict):
        return {"map": {name: encode(part, arrays, key=f"{key}.{name}") for name, part in value.items()}}
    if type(value).__name__ not in CLASSES or not dataclasses.is_dataclass(value):
        raise TypeError(f"{key}: a {type(value).__name__} has no saved form")
    fields = {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
        if field.init and not (field.metadata.get("left_out") and _is_default(field, getattr(value, field.name)))
    }
    prefix = f"{key}." if key else ""
    encoded = {name: encode(part, arrays, key=f"{prefix}{name}") for name, part in fields.items()}
    return {"is": type(value).__name__, **encoded}


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    return not isinstance(value, np.ndarray) and bool(value == field.default)


def _encode_array(value: Array, arrays: Arrays, key: str) -> Any:
    if value.dtype == np.float32 and not value.ndim:
        number = float(value)
        return {"float32": number if math.isfinite(number) else str(number)}
    if value.dtype == np.float32 and not np.any(value.view(np.uint32)):  # by bits: -0.0 is no 0
        return {"zeros": list(value.shape)}
    return {"array": _put(arrays, key, np.ascontiguousarray(value))}


def _put(arrays: Arrays, key: str, value: Array) -> str:
    """Keep an array under a name that no other one has, and return the name."""
    free = next(name for name in (key, *(f"{key}#{n}" for n in range(2, len(arrays) + 3))) if name not in arrays)
    arrays[free] = value
    return free


def decode(data: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the value of JSON that `encode` wrote; raise ValueFormError for anything else."""
    if data is None or isinstance(data, bool | int | str | float):
        return data
    if isinstance(data, list):
        return tuple(decode(part, arrays) for part in data)
    if not isinstance(data, dict):
        raise ValueFormError(f"expected a value, got {type(data).__name__}")
    if "is" in data:
        return _decode_class(data, arrays)
    if len(data) != 1:
        raise ValueFormError(f"expected one word beside a value, got {sorted(data)}")
    ((word, content),) = data.items()
    if word == "map":
        return {name: decode(part, arrays) for name, part in content.items()}
    if word == "set":
        return frozenset(content)
    if word == "float":
        return float(content)
    if word == "float32":
        return np.asarray(float(content), np.float32)
    if word == "zeros":
        if not _is_shape(content):
            raise ValueFormError(f"zeros of a shape {content!r:.80}")
        return np.zeros(tuple(content), np.float32)
    if word in ("array", "bytes"):
        if content not in arrays:
            raise ValueFormError(f"tensor '{content}' is missing")
        return arrays[content].tobytes() if word == "bytes" else arrays[content]
    raise ValueFormError(f"unknown word '{word}'")


def _is_shape(content: Any) -> bool:
    """Return whether a list holds sizes of an array that fits into memory."""
    sizes = isinstance(content, list) and all(type(size) is int and 0 <= size <= _MOST_ZEROS for size in content)
    return sizes and math.prod(content) <= _MOST_ZEROS


@cache
def _types(name: str) -> Mapping[str, Any]:
    """Return the types of the fields of a known class."""
    return get_type_hints(CLASSES[name])


def _decode_class(data: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    name = data["is"]
    if name not in CLASSES:
        raise ValueFormError(f"unknown kind '{name}'")
    fields = [field for field in dataclasses.fields(CLASSES[name]) if field.init]
    known, found = {field.name for field in fields}, set(data) - {"is"}
    left_out = {field.name for field in fields if field.metadata.get("left_out")}
    if not known - left_out <= found <= known:
        raise ValueFormError(f"{name}: expected the fields {sorted(known)}, got {sorted(found)}")
    values = {field: decode(data[field], arrays) for field in sorted(found)}
    types = _types(name)
    for field, value in values.items():
        if not conforms(value, types[field]):
            shown = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
            raise ValueFormError(f"{name}: '{field}' is no {types[field]}: {shown[:80]}")
    return CLASSES[name](**values)
