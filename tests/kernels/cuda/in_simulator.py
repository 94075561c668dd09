"""Runs checks in Numba's simulator and prints one JSON line each: name and mismatch ("" when exact).

Started by test_simulator.py with NUMBA_ENABLE_CUDASIM=1, which must be set before Numba is imported.
"""

from __future__ import annotations

import json
import sys
import warnings

from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda.checks import layers as check_layers
from qbench.kernels.cuda.checks.products import Shape, check
from qbench.kernels.cuda.choose.choice import Choice, Hopper, Skinny, Tiles, Words
from qbench.kernels.cuda.choose.panel_choice import HopperPanel, Panel
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.machines.simulator import Simulator
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_shape
from qbench.kernels.cuda.multiply.hopper_panel import HopperPanelShape
from qbench.kernels.cuda.multiply.panel_shape import PanelShape

PLAIN, DP4A, SKINNY = Words("plain", side=4), Words("dp4a", side=4), Skinny(8, warps=2)
TALL = Skinny(16, warps=2)
SMALL = Tiles(TileShape(1, 2, 1, 2, 64, 2))
DEEP, DEEPEST = Tiles(TileShape(1, 2, 1, 2, 128, 2)), Tiles(TileShape(1, 2, 1, 2, 256, 2))
HOPPER, HOPPER4 = Hopper(hopper_shape(1, 16, 3)), Hopper(hopper_shape(1, 32, 4))

CONV = Shape(1, 3, 3, 32, 7, Window((3, 2), (1, 2), (1, 1, 0, 1)))
PADDED = Shape(1, 3, 3, 20, 5, Window((2, 2), (1, 1), (1, 1, 1, 1), (2, 1)))
IMAGE = Shape(1, 5, 4, 3, 16, Window((3, 3), (1, 1), (1, 1, 1, 1)))
BITS = Shape(1, 3, 3, 70, 7, Window((3, 3), (1, 1), (1, 1, 1, 1)))

Case = tuple[Choice, str, str, Shape, int]
GROUPS: dict[str, tuple[Case, ...]] = {
    "words": (
        (PLAIN, "u8_s8", "s32", CONV, 0),
        (PLAIN, "u8_s8", "u8", IMAGE, 0),
        (DP4A, "u8_s8", "u8+residual+floor+sum", PADDED, 0),
        (DP4A, "u8_s8", "u8+grouped", CONV, 32),
        (PLAIN, "b1_b1", "u8", BITS, 0),
        (PLAIN, "t2_t2", "f32", BITS, 0),
    ),
    "tiles": (
        (SMALL, "u8_s8", "s32", CONV, 0),
        (SMALL, "u8_s8", "u8+residual+floor+sum", PADDED, 0),
        (SMALL, "u8_s8", "u8", IMAGE, 0),
        (SMALL, "u8_t4", "u8", CONV, 0),
        (DEEP, "u8_t2", "u8+residual", CONV, 0),
        (DEEPEST, "u8_t1", "f32", CONV, 0),
        (DEEPEST, "u8_t1", "f32", Shape(1, 3, 2, 32, 7, Window((3, 3), (1, 1), (1, 1, 1, 1))), 0),
        (SMALL, "b1_b1", "u8", BITS, 0),
    ),
    "groups": (
        (SMALL, "u8_t4", "u8+grouped", CONV, 32),
        (SMALL, "u8_s8", "u8+residual+grouped", CONV, 64),
        (SMALL, "u8_t4", "f32+grouped", Shape(1, 1, 19, 320, 7), 128),
        (DEEP, "f16_s4", "f32+grouped", Shape(1, 1, 17, 192, 9), 64),
    ),
    "hopper": (
        (HOPPER, "u8_s8", "s32", CONV, 0),
        (HOPPER4, "u8_s8", "u8+residual", Shape(1, 1, 65, 272, 25), 0),
        (HOPPER, "b1_b1", "u8", Shape(1, 1, 3, 1280, 7), 0),
    ),
    "skinny": (
        (SKINNY, "u8_s8", "s32", Shape(1, 1, 1, 320, 17), 0),
        (SKINNY, "u8_s8", "u8+residual+sum", Shape(1, 1, 3, 64, 20), 0),
        (SKINNY, "u8_t4", "u8", Shape(1, 1, 9, 640, 17), 0),
        (SKINNY, "u8_t4", "f32+grouped", Shape(1, 1, 2, 640, 17), 128),
        (TALL, "u8_t4", "f32+grouped", Shape(1, 1, 19, 640, 17), 128),
        (TALL, "u8_t4", "u8", Shape(1, 1, 16, 384, 17), 0),
        (SKINNY, "u8_t2", "f32", Shape(1, 1, 8, 384, 17), 0),
        (SKINNY, "u8_t1", "s32", Shape(1, 1, 8, 512, 17), 0),
        (SKINNY, "b1_b1", "u8", Shape(1, 1, 8, 1024, 17), 0),
        (SKINNY, "f16_s4", "f32+grouped", Shape(1, 1, 3, 384, 17), 128),
    ),
    "hopper panel": (
        (HopperPanel(HopperPanelShape(1, 1, 16, 2, 3)), "u8_t4", "f32+grouped", Shape(1, 1, 13, 640, 33), 128),
        (HopperPanel(HopperPanelShape(2, 1, 8, 1, 4)), "u8_t4", "u8+residual+grouped", Shape(1, 1, 19, 384, 5), 128),
    ),
    "panel": (
        (Panel(PanelShape(8, 1, 1, 1, 3)), "u8_t4", "f32+grouped", Shape(1, 1, 2, 640, 17), 128),
        (Panel(PanelShape(16, 2, 1, 2, 3)), "u8_t4", "f32+grouped", Shape(1, 1, 13, 640, 17), 128),
        (Panel(PanelShape(16, 1, 2, 1, 4)), "u8_t4", "u8+residual+grouped", Shape(1, 1, 19, 640, 17), 128),
        (Panel(PanelShape(8, 1, 4, 1, 3)), "u8_t4", "f32+grouped", Shape(1, 1, 3, 384, 33), 64),
        (Panel(PanelShape(32, 1, 2, 2, 4)), "u8_t4", "f32+grouped", CONV, 64),
    ),
}
LAYERS = ("check_quantize", "check_pack", "check_elementwise", "check_pool")


def name_of(case: Case) -> str:
    choice, product, words, shape, group_size = case
    sizes = f"{shape.images}x{shape.height}x{shape.width}x{shape.channels} to {shape.out}"
    return f"{choice.variant} {product} {words} {sizes} k{shape.window.kernel} g{group_size}"


def tell(name: str, detail: str) -> None:
    sys.stdout.write(json.dumps((name, detail)) + "\n")


def main(group: str) -> None:
    machine = Simulator()
    warnings.simplefilter("error")
    for name in LAYERS if group == "layers" else ():
        tell(name, getattr(check_layers, name)(machine))
    for case in GROUPS.get(group, ()):
        choice, product, words, shape, group_size = case
        found = list(check(machine, choice, product, words, shape, group_size=group_size))
        assert len(found) == 3
        tell(name_of(case), next(filter(None, found), ""))


if __name__ == "__main__":
    main(sys.argv[1])
