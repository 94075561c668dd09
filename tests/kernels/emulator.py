"""Runs tiles of aarch64 in the emulator Unicorn, on this process's own memory, in place of compiled ones."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import unicorn
from unicorn import arm64_const as names

from qbench.kernels.epilogue import Epilogue
from qbench.kernels.product import Product
from qbench.kernels.tasks import Task
from qbench.kernels.tiles.fields import FIELDS
from qbench.kernels.tiles.listing import compiled_tile
from qbench.kernels.tiles.targets import TileShape, target_of

PAGE = 4096
CODE, STACK, END, SIZE = 0x10000, 0x200000, 0x8000, 1 << 16
PAGE_OF, LOW_OF = 275, {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}
"""Relocations of an address: its page, and its lowest 12 bits, which loads of 2, 4, 8 and 16 bytes count in those."""


def linked(image: bytes, base: int) -> tuple[bytes, int]:
    """Return the sections of an aarch64 object file as they lie at `base`, and the address of its one function."""
    table, count = struct.unpack_from("<Q", image, 40)[0], struct.unpack_from("<H", image, 60)[0]
    heads = [struct.unpack_from("<IIQQQQIIQQ", image, table + 64 * i) for i in range(count)]
    memory, places = bytearray(), {}
    for index, (_, kind, flags, _, offset, size, *_) in enumerate(heads):
        if kind == 1 and flags & 2:
            memory += bytes(-len(memory) % 64)
            places[index] = len(memory)
            memory += image[offset : offset + size]
    symbols = next(head for head in heads if head[1] == 2)
    entry = 0
    values = []
    for at in range(symbols[4], symbols[4] + symbols[5], 24):
        _, info, _, section, value, _ = struct.unpack_from("<IBBHQQ", image, at)
        values.append(base + places.get(section, 0) + value)
        entry = values[-1] if info == 0x12 else entry
    for _, kind, _, _, offset, size, _, target, *_ in heads:
        for at in range(offset, offset + size, 24) if kind == 4 and target in places else ():
            where, info, addend = struct.unpack_from("<QQq", image, at)
            place = places[target] + where
            word, goal = struct.unpack_from("<I", memory, place)[0], values[info >> 32] + addend
            if info & 0xFFFFFFFF == PAGE_OF:
                pages = (goal // PAGE - (base + place) // PAGE) & 0x1FFFFF
                word |= (pages & 3) << 29 | (pages >> 2) << 5
            else:
                word |= (goal % PAGE >> LOW_OF[info & 0xFFFFFFFF]) << 10
            struct.pack_into("<I", memory, place, word)
    return bytes(memory), entry


@cache
def _code(product: Product, epilogue: Epilogue, target: str, shape: TileShape) -> tuple[bytes, int]:
    return linked(compiled_tile(target_of(target), product, epilogue, shape)[1], CODE)


class Tiled:
    """What `driver.tiled` returns, but for an instruction set that this machine lacks."""

    def __init__(self, product: Product, epilogue: Epilogue, target: str, shape: TileShape) -> None:
        self.code, self.entry = _code(product, epilogue, target, shape)
        self.rows, self.width = shape.rows, shape.width(target_of(target).lanes)


def run_task(task: Task, *, images: int = 1) -> None:
    """Compute every tile of a task in the emulator; memory that the task names is shared with it."""
    tiled: Any = task.function
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
    machine.ctl_set_cpu_model(names.UC_CPU_ARM64_MAX)
    machine.reg_write(names.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # vectors are allowed
    for start in (CODE, STACK):
        machine.mem_map(start, SIZE)
    machine.mem_write(CODE, tiled.code)
    _share(machine, [task.arguments, *task.keep])
    words = dict(zip(FIELDS, task.arguments.tolist(), strict=True))
    m_end = images * words["pixels"]
    for panel in range(words["channels"] // tiled.width):
        for at in range(0, m_end, tiled.rows):
            given = (task.arguments.ctypes.data, max(min(at, m_end - tiled.rows), 0), panel)
            for number, value in enumerate(given):
                machine.reg_write(names.UC_ARM64_REG_X0 + number, value)
            machine.reg_write(names.UC_ARM64_REG_SP, STACK + SIZE - 256)
            machine.reg_write(names.UC_ARM64_REG_LR, END)
            machine.emu_start(tiled.entry, END)


def _share(machine: Any, arrays: list[Any]) -> None:
    """Map the pages of arrays, at their own addresses."""
    pages: set[int] = set()
    for array in arrays:
        first = array.ctypes.data // PAGE
        pages |= set(range(first, (array.ctypes.data + max(1, array.nbytes) - 1) // PAGE + 1))
    for page in sorted(pages):
        machine.mem_map_ptr(page * PAGE, PAGE, unicorn.UC_PROT_ALL, page * PAGE)
