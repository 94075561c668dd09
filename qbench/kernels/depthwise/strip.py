"""The micro-kernel: a strip of output pixels of one row, a block of channels, all sums in registers, fused epilogue."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from qbench.kernels.depthwise.fields import FIELDS, FLOATS, LIMITS, POINTERS
from qbench.kernels.depthwise.strip_pairs import PairStrip
from qbench.kernels.depthwise.strip_quads import QuadStrip
from qbench.kernels.tiles.arguments import load_fields
from qbench.kernels.tiles.targets import target_of

EMITTERS = {"vnni": QuadStrip, "pairs": PairStrip}
"""What emits a strip, by the target's way to sum four bytes."""


@intrinsic(prefer_literal=True)
def strip(typingctx: Any, arguments: Any, place: Any, geometry: Any, taken: Any, rounding: Any, variant: Any) -> Any:
    """Compute one strip at place (lhs offset, out offset, block of channels); the last four are literals.

    `geometry` is `pixels x kh x kw x step x dilation` (along the row); `taken` the channels: a whole block, a half or a
    quarter; `rounding` is `nearest`, `floor`, or `fixed`, in whole numbers (`qbench.kernels.tiles.fixed`).
    """
    literals = (geometry, taken, rounding, variant)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    shape = tuple(int(number) for number in geometry.literal_value.split("x"))
    target = target_of(variant.literal_value)

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        found = load_fields(builder, values[0], FIELDS, pointers=(*POINTERS, LIMITS), floats=FLOATS)
        for index, name in enumerate(("lhs_at", "out_at", "block")):
            found[name] = builder.extract_value(values[1], index)
        emitter = EMITTERS[target.dot]
        emitter(builder, found, shape, taken.literal_value, rounding.literal_value, lanes=target.lanes).emit()
        return context.get_dummy_value()

    return types.void(arguments, place, *literals), codegen
