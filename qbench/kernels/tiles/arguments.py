"""The words of a kernel's arguments, loaded by name."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from qbench.kernels.tiles.emitter import F32, I8, I32, I64, Value


def load_fields(
    builder: Value, arguments: Value, names: Sequence[str], *, pointers: Sequence[str], floats: Sequence[str]
) -> dict[str, Value]:
    """Load word i of `arguments` as `names[i]`: an address, a float32's bits, or a whole number of 64 bits."""
    found: dict[str, Value] = {}
    for index, name in enumerate(names):
        value = builder.load(builder.gep(arguments, [ir.Constant(I64, index)]))
        if name in pointers:
            value = builder.inttoptr(value, I8.as_pointer())
        elif name in floats:
            value = builder.bitcast(builder.trunc(value, I32), F32)
        found[name] = value
    return found
