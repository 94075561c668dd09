"""Every kernel on the device against its law: odd sizes, strides, padding, extreme values, guards around the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from qbench.errors import MachineError
from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda.checks import layers as check_layers
from qbench.kernels.cuda.checks.products import Shape, check
from qbench.kernels.cuda.choose.choice import Choice, Hopper, Skinny, Tiles, Words
from qbench.kernels.cuda.choose.panel_choice import HopperPanel, Panel
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.machines.machine import Machine
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_shape
from qbench.kernels.cuda.multiply.hopper_panel import HopperPanelShape
from qbench.kernels.cuda.multiply.panel_shape import PanelShape

PLAIN, DP4A, SKINNY, TALL = Words("plain"), Words("dp4a"), Skinny(8), Skinny(16)
MORE, TALL_MORE = Skinny(8, loads=8), Skinny(16, loads=8)
LARGE, HALF = Tiles(TileShape(2, 2, 4, 8, 64, 4)), Tiles(TileShape(2, 2, 4, 4, 128, 3))
SMALL, DEEP = Tiles(TileShape(1, 4, 1, 2, 128, 5)), Tiles(TileShape(2, 2, 2, 4, 256, 2))
WIDE, NARROW = Hopper(hopper_shape(2, 256, 4)), Hopper(hopper_shape(1, 64, 6))
UNEVEN, SHORT = Hopper(hopper_shape(2, 192, 4)), Hopper(hopper_shape(2, 64, 3))
PANELS = tuple(
    Panel(PanelShape(*sizes))  # rows, column tiles, warps that share one, groups of each, stages
    for sizes in (
        (8, 4, 1, 2, 5), (8, 4, 4, 1, 6), (16, 4, 1, 2, 8), (16, 4, 4, 1, 6), (16, 2, 8, 1, 4), (16, 1, 4, 2, 4),
        (32, 4, 2, 1, 4), (64, 4, 1, 1, 8), (64, 4, 2, 1, 4),
    )
)  # fmt: skip
WIDE_PANELS = tuple(
    HopperPanel(HopperPanelShape(*sizes))  # warpgroups down and across, rows of each, groups of a stage, stages
    for sizes in ((1, 1, 16, 2, 4), (2, 1, 32, 2, 4), (1, 1, 64, 1, 6), (2, 2, 64, 1, 4), (1, 2, 128, 1, 4))
)

CONVS = (
    Shape(3, 13, 9, 64, 65, Window((3, 3), (1, 1), (1, 1, 1, 1))),
    Shape(2, 9, 14, 48, 33, Window((3, 2), (1, 2), (2, 1, 0, 3), (2, 1))),
    Shape(2, 17, 5, 128, 129, Window((1, 1), (2, 2))),
)
ODD = (
    Shape(2, 6, 5, 20, 7, Window((5, 5), (1, 1), (4, 4, 4, 4))),
    Shape(3, 16, 15, 3, 31, Window((3, 3), (1, 1), (1, 1, 1, 1))),
)
PRODUCTS = (Shape(1, 1, 131, 1024, 129), Shape(1, 1, 63, 640, 17), Shape(1, 1, 1, 256, 15))
ROWS = (*(Shape(1, 1, m, 1024, 127) for m in (1, 2, 7, 8, 9, 16)), Shape(1, 1, 13, 6400, 33))
EPILOGUES = ("s32", "u8", "u8+residual", "f32", "u8+residual+floor+sum")


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One operation of one variant: comparisons made, and the first mismatch or why there was none."""

    operation: str
    variant: str
    comparisons: int
    detail: str


Case = tuple[Choice, str, str, tuple[Shape, ...], int]
LAYERS = ("check_quantize", "check_pack", "check_elementwise", "check_pool")


def count() -> int:
    """Return the number of rows that there are."""
    return len(cases()) + len(LAYERS)


def verify(machine: Machine, number: int) -> DeviceRow:
    """Return row `number`; a detail that is not empty is a defect, or says what the device lacks."""
    if number >= len(cases()):
        name = LAYERS[number - len(cases())]
        return DeviceRow(name.removeprefix("check_"), "cuda", 1, getattr(check_layers, name)(machine))
    choice, product, words, shapes, group_size = cases()[number]
    compared, detail = 0, ""
    for shape in shapes:
        try:
            for found in check(machine, choice, product, words, shape, group_size=group_size):
                compared, detail = compared + 1, detail or found
        except MachineError as error:
            detail = detail or str(error)
    return DeviceRow(name_of(number), choice.variant, compared, detail)


def name_of(number: int) -> str:
    """Return the operation of row `number`."""
    if number >= len(cases()):
        return LAYERS[number - len(cases())].removeprefix("check_")
    _, product, words, _, group_size = cases()[number]
    return f"{product}_{words}" + (f"_g{group_size}" if group_size else "")


@cache
def cases() -> tuple[Case, ...]:
    """Return every variant, product, epilogue and group size, with its shapes."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for words in EPILOGUES:
        for choice in (PLAIN, DP4A, LARGE, SMALL):
            yield choice, "u8_s8", words, CONVS + ODD + PRODUCTS, 0
        for hopper in (WIDE, NARROW, UNEVEN, SHORT):
            yield hopper, "u8_s8", words, CONVS + PRODUCTS, 0
        for skinny in (SKINNY, MORE):
            yield skinny, "u8_s8", words, ROWS, 0
    for product, tiles in (("u8_t4", LARGE), ("u8_t2", HALF), ("u8_t1", DEEP)):
        for words in ("s32", "u8", "f32"):
            yield tiles, product, words, CONVS + ODD + PRODUCTS, 0
            yield SKINNY, product, words, ROWS, 0
            yield TALL, product, words, ROWS[3:], 0
    for group_size, tiles in ((32, LARGE), (64, HALF), (128, HALF)):
        for words in ("u8+grouped", "u8+residual+grouped", "f32+grouped"):
            yield tiles, "u8_t4", words, CONVS[2:] + PRODUCTS, group_size
            yield DP4A, "u8_s8", words, CONVS[2:] + PRODUCTS, group_size
    for group_size in (64, 128):
        for product in ("u8_t4", "f16_s4"):
            for skinny in (SKINNY, MORE):
                yield skinny, product, "f32+grouped", ROWS, group_size
            for skinny in (TALL, TALL_MORE):
                yield skinny, product, "f32+grouped", ROWS[3:], group_size
        yield HALF, "f16_s4", "f32+grouped", PRODUCTS, group_size
        for panel in PANELS:
            yield panel, "u8_t4", "f32+grouped", ROWS + PRODUCTS, group_size
    for wide in WIDE_PANELS:
        yield wide, "u8_t4", "f32+grouped", ROWS + PRODUCTS, 128
    yield PANELS[3], "u8_t4", "u8+residual+grouped", CONVS[2:] + ROWS, 128
    yield WIDE_PANELS[1], "u8_t4", "u8+residual+grouped", CONVS[2:] + ROWS, 128
    for words in ("s32", "u8", "f32"):
        yield PLAIN, "b1_b1", words, CONVS + ODD + PRODUCTS, 0
        yield PLAIN, "t2_t2", words, CONVS + ODD + PRODUCTS, 0
        yield LARGE, "b1_b1", words, CONVS + ODD + PRODUCTS, 0
        yield WIDE, "b1_b1", words, PRODUCTS[:2], 0
        yield SKINNY, "b1_b1", words, ROWS, 0
