"""Is a value that was read of the type that its field says? A file's hash proves no good intentions."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np


def conforms(value: Any, wanted: Any) -> bool:
    """Return whether a value is of a type as annotations write it; an int will do for a float, a bool for neither."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is Annotated:
        return conforms(value, inner[0])
    if origin is tuple:
        return _is_tuple(value, inner)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _is_kind(value.dtype, inner[1])
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            conforms(key, inner[0]) and conforms(item, inner[1]) for key, item in value.items()
        )
    if origin in (frozenset, set):
        return isinstance(value, frozenset) and all(conforms(item, inner[0]) for item in value)
    return _is_plain(value, wanted)


def _is_plain(value: Any, wanted: Any) -> bool:
    if wanted is Any:
        return True
    if wanted is None or wanted is type(None):
        return value is None
    if wanted in (int, float):
        return isinstance(value, int if wanted is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _is_tuple(value: Any, inner: tuple[Any, ...]) -> bool:
    if not isinstance(value, tuple):
        return False
    if len(inner) == 2 and inner[1] is Ellipsis:
        return all(conforms(item, inner[0]) for item in value)
    return len(value) == len(inner) and all(conforms(item, one) for item, one in zip(value, inner, strict=True))


def _is_kind(dtype: np.dtype[Any], wanted: Any) -> bool:
    (scalar,) = get_args(wanted) or (Any,)
    if get_origin(scalar) in (Union, types.UnionType):
        return any(issubclass(dtype.type, one) for one in get_args(scalar))
    return not isinstance(scalar, type) or issubclass(dtype.type, scalar)
