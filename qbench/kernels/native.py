"""Compiled functions by name: from their image where one lies on disk, else compiled, written there, and used alike.

A name is `module:factory` with literal arguments; the factory returns the Python function to compile, and its module,
with Numba, is imported only when there is no image. What runs is the same bytes on a first start and on every later
one.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from qbench.kernels.cache import cache_root, machine_key, source_hash
from qbench.kernels.compilations import count_compilation
from qbench.kernels.images import HERE, mapped, read_image, write_image

Constant = str | int
Entry = Callable[[int, int, int, int], int]
_C_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)


class Compiled(Protocol):
    """A C function."""

    @property
    def address(self) -> int:
        """Where it lies."""


@cache
def images_folder() -> Path | None:
    """Return the folder of this machine's images, None where kernels are none (`images.HERE`)."""
    key = machine_key() if HERE else None
    return None if key is None else cache_root() / f"{source_hash()}-{key}"


@cache
def task_function(factory: str, *literals: Constant) -> Compiled:
    """Return the C function `void(int64 *arguments, int64 images, int64 part, int64 parts)` that a factory makes."""
    return _compiled(factory, literals, "task")


@cache
def entry(factory: str, *literals: Constant) -> Entry:
    """Return a C function of four whole numbers that gives one, to be called from Python without the GIL."""
    function = _compiled(factory, literals, "entry")
    called: Any = _C_ENTRY(function.address)
    called.keep = function
    return called  # type: ignore[no-any-return]


def _compiled(factory: str, literals: tuple[Constant, ...], kind: str) -> Compiled:
    count_compilation()
    folder, key = images_folder(), f"{kind} {factory}{literals!r}"
    if folder is None:
        from qbench.kernels.jit import c_function

        made: Compiled = c_function(_source(factory, literals), kind)
        return made
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.image"
    image = read_image(path, key)
    if image is not None:
        return mapped(image)
    from qbench.kernels.jit import compiled_image

    image = compiled_image(_source(factory, literals), kind)
    function = mapped(image)
    write_image(path, image, key)
    return function


def _source(factory: str, literals: tuple[Constant, ...]) -> Callable[..., Any]:
    module, _, name = factory.partition(":")
    made: Callable[..., Any] = getattr(importlib.import_module(module), name)(*literals)
    return made
