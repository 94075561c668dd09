"""The device's kernels between products against the laws of their families."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.cuda import steps
from qbench.kernels.cuda.machines.machine import Machine
from qbench.kernels.elementwise import reference as elementwise
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.pack import reference as packing
from qbench.kernels.pool import reference as pooling
from qbench.kernels.quantize import reference as quantizing

SIZES = ((1, 5, 7, 16), (2, 1, 1, 3), (1, 4, 4, 33))
GUARD = 7


def _layout(size: tuple[int, int, int, int], border: tuple[int, int, int, int]) -> Layout:
    n, h, w, c = size
    return Layout(n, h, w, c, 4 if c <= 4 else padded_channels(c), 1, border)


def _filled(layout: Layout, codes: Any) -> Any:
    whole = np.full(layout.shape, GUARD, np.uint8)
    layout.interior(whole)[:] = codes
    return whole


def _same(machine: Machine, out: Any, layout: Layout, want: Any) -> bool:
    got = machine.download(out, np.uint8, layout.size_bytes).reshape(layout.shape)
    return bool(np.array_equal(got, _filled(layout, want)))


def _target(machine: Machine, layout: Layout) -> Any:
    return machine.upload(np.full(layout.shape, GUARD, np.uint8))


def check_quantize(machine: Machine) -> str:
    """Return '' or the first mismatch of quantize_f32_u8, ties and numbers out of range included."""
    for size in SIZES:
        for floor in (False, True):
            n, h, w, c = size
            x = np.random.default_rng(1).standard_normal((n, c, h, w)).astype(np.float32) * np.float32(3)
            x.reshape(-1)[::3] = np.round(x.reshape(-1)[::3] * 8) / 8
            x.reshape(-1)[:2] = (1e30, -1e30)
            layout = _layout(size, (1, 1, 0, 2))
            out = _target(machine, layout)
            steps.quantize(machine, machine.upload(x), out, layout, (4.0, 11.0, 15.0), floor=floor).run()
            if not _same(machine, out, layout, quantizing.quantize_f32_u8(x, 4.0, 11, 15, floor=floor)):
                return f"quantize_f32_u8 {size} floor={floor}"
    return ""


def check_pack(machine: Machine) -> str:
    """Return '' or the first mismatch of pack_u8_b1 and pack_u8_t2."""
    for size in SIZES:
        for ternary in (False, True):
            layout = _layout(size, (1, 0, 1, 1))
            codes = np.random.default_rng(0).integers(0, 3 if ternary else 2, layout.shape).astype(np.uint8)
            law = packing.pack_u8_t2 if ternary else packing.pack_u8_b1
            want = law(np.ascontiguousarray(codes.reshape(-1, layout.words)[:, : layout.channels]))
            out = machine.empty(want.nbytes)
            steps.pack(machine, machine.upload(codes), out, layout, ternary=ternary).run()
            if not np.array_equal(machine.download(out, np.uint32, want.size), want.reshape(-1)):
                return f"pack {size} ternary={ternary}"
    return ""


def check_elementwise(machine: Machine) -> str:
    """Return '' or the first mismatch of add_u8_u8_u8 and table_u8_u8."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        layouts = (_layout(size, (1, 1, 0, 0)), _layout(size, (0, 2, 1, 0)), _layout(size, (1, 0, 0, 1)))
        a, b = (rng.integers(0, 256, size).astype(np.uint8) for _ in range(2))
        left, right = (machine.upload(_filled(layout, v)) for layout, v in zip(layouts, (a, b), strict=False))
        for floor in (False, True):
            out = _target(machine, layouts[2])
            numbers = (0.61, 0.27, -3.4, 2.0, 240.0)
            steps.add(machine, (left, right, out), layouts, numbers, floor=floor).run()
            if not _same(machine, out, layouts[2], elementwise.add_u8_u8_u8(a, b, *numbers, floor=floor)):
                return f"add_u8_u8_u8 {size} floor={floor}"
        codes, out = rng.integers(0, 256, 256).astype(np.uint8), _target(machine, layouts[2])
        steps.table(machine, (left, out), (layouts[0], layouts[2]), codes).run()
        if not _same(machine, out, layouts[2], codes[a]):
            return f"table_u8_u8 {size}"
    return ""


def check_pool(machine: Machine) -> str:
    """Return '' or the first mismatch of global_average_u8_u8 and of maxima."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        n, h, w, c = size
        a = rng.integers(0, 256, size).astype(np.uint8)
        source, flat = _layout(size, (1, 1, 1, 1)), _layout((n, 1, 1, c), (0, 0, 0, 0))
        buffer, out = machine.upload(_filled(source, a)), _target(machine, flat)
        numbers = (1.7 / (h * w), -5.2, 255.0)
        for floor in (False, True):
            steps.global_average(machine, (buffer, out), (source, flat), numbers, floor=floor).run()
            if not _same(machine, out, flat, pooling.global_average_u8_u8(a, *numbers[:2], 255, floor=floor)):
                return f"global_average_u8_u8 {size} floor={floor}"
        detail = _check_max(machine, a, source, buffer)
        if detail:
            return detail
    return ""


def _check_max(machine: Machine, a: Any, source: Layout, buffer: Any) -> str:
    n, h, w, c = a.shape
    size = (n, (h + 1) // 2, (w + 1) // 2, c)
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = [padded[:, y : y + 2 * size[1] - 1 : 2, x : x + 2 * size[2] - 1 : 2] for y in range(3) for x in range(3)]
    best = np.max(views, axis=0).astype(np.float32)
    want = np.clip(np.rint(best * np.float32(0.8) + np.float32(3)), 2, 200).astype(np.uint8)
    layout = _layout(size, (1, 0, 1, 0))
    out = _target(machine, layout)
    window = ((3, 3), (2, 2), (1, 1))
    steps.max_pool(machine, (buffer, out), (source, layout), window, (0.8, 3.0, 2.0, 200.0), floor=False).run()
    return "" if _same(machine, out, layout, want) else f"max_pool_u8_u8 {a.shape}"
