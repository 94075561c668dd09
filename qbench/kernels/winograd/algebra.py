"""The three transforms of `transforms`, in few instructions on vectors."""

from __future__ import annotations

from qbench.kernels.tiles.emitter import Emitter, Value
from qbench.kernels.winograd.transforms import THREE


def _shifted(e: Emitter, x: Value, bits: int) -> Value:
    return e.builder.shl(x, e.constant(bits, x.type))


def input_of(e: Emitter, d: list[Value]) -> list[Value]:
    """Return B times six vectors, by 17 instructions, or five, by 13: `transforms.FOUR` and `THREE`."""
    b = e.builder
    if len(d) == THREE.side:
        apart, first = b.sub(d[3], d[1]), b.sub(d[1], d[2])
        return [
            b.add(apart, _shifted(e, b.sub(d[0], d[2]), 1)),
            b.sub(apart, b.add(d[1], d[2])),
            b.add(apart, b.add(first, _shifted(e, first, 1))),
            apart,
            b.sub(b.sub(d[4], d[2]), _shifted(e, apart, 1)),
        ]
    even, odd = b.sub(d[4], _shifted(e, d[2], 2)), b.sub(d[3], _shifted(e, d[1], 2))
    near, far = b.sub(d[4], d[2]), _shifted(e, b.sub(d[3], d[1]), 1)
    return [
        b.add(_shifted(e, b.sub(d[0], d[2]), 2), near),
        b.add(even, odd),
        b.sub(even, odd),
        b.add(near, far),
        b.sub(near, far),
        b.sub(b.sub(d[5], d[3]), _shifted(e, far, 1)),
    ]


def weights_of(e: Emitter, g: list[Value]) -> list[Value]:
    """Return `transforms.WEIGHTS` times three vectors, by 10 instructions."""
    b = e.builder
    six, ends = e.constant(6, g[0].type), b.add(g[0], g[2])
    fours, middle = b.add(g[0], _shifted(e, g[2], 2)), _shifted(e, g[1], 1)
    return [
        b.mul(g[0], six),
        b.add(ends, g[1]),
        b.sub(ends, g[1]),
        b.add(fours, middle),
        b.sub(fours, middle),
        b.mul(g[2], six),
    ]


def output_of(e: Emitter, m: list[Value]) -> list[Value]:
    """Return A times six vectors, by 13 instructions, or five, by 12: `transforms.FOUR` and `THREE`."""
    b = e.builder
    if len(m) == THREE.side:
        thrice, twice = b.add(m[1], _shifted(e, m[1], 1)), _shifted(e, m[3], 1)
        return [
            b.sub(b.add(m[0], twice), _shifted(e, b.add(thrice, m[2]), 1)),
            b.sub(b.add(twice, m[2]), thrice),
            b.add(b.sub(b.sub(_shifted(e, twice, 1), m[2]), thrice), m[4]),
        ]
    ones, ones_apart = b.add(m[1], m[2]), b.sub(m[2], m[1])
    twos, twos_apart = b.add(m[3], m[4]), b.sub(m[3], m[4])
    return [
        b.add(b.sub(m[0], _shifted(e, ones, 2)), twos),
        b.add(_shifted(e, ones_apart, 1), twos_apart),
        b.sub(twos, ones),
        b.add(b.add(ones_apart, _shifted(e, twos_apart, 1)), m[5]),
    ]
