"""What the compiler makes of the kernels, without a GPU: the intended instruction, registers, spills."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qbench.kernels.cuda import layers
from qbench.kernels.cuda.language.compile import Compiled, ptx
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_kernel, hopper_shape
from qbench.kernels.cuda.multiply.hopper_panel import HopperPanelShape
from qbench.kernels.cuda.multiply.hopper_panel_kernel import hopper_panel_kernel
from qbench.kernels.cuda.multiply.panel_kernel import panel_kernel
from qbench.kernels.cuda.multiply.panel_shape import PanelShape
from qbench.kernels.cuda.multiply.skinny_kernel import skinny_kernel
from qbench.kernels.cuda.multiply.tile_kernel import tile_kernel
from qbench.kernels.cuda.multiply.words_kernel import words_kernel

MMA, MMA_BITS, MMA_HALF = (
    "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32",
    "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
)
MMA_LEFT = MMA.replace("u8.s8", "s8.u8")
WGMMA_LEFT = "k32.s32.s8.u8"
STREAM = "ld.global.nc.L1::no_allocate"


@dataclass(frozen=True, slots=True)
class Listed:
    """A kernel, its epilogue in words, and the instruction that it is there for."""

    kernel: Kernel
    words: str
    instruction: str


@dataclass(frozen=True, slots=True)
class PtxRow:
    """A compiled kernel: how often its instruction stands there; registers and spills where ptxas is at hand."""

    name: str
    words: str
    target: str
    instruction: str
    count: int
    has_local_memory: bool
    registers: int | None = None
    spilled_bytes: int | None = None


def catalogue() -> tuple[Listed, ...]:
    """Return one kernel of every kind, at the sizes that large products run at."""
    large, half = TileShape(2, 2, 4, 8, 64, 4), TileShape(2, 2, 4, 4, 128, 3)
    deep = TileShape(2, 2, 2, 4, 256, 2)
    found = [
        ("s32", words_kernel("u8_s8", "s32", "plain"), "mul"),
        ("s32", words_kernel("u8_s8", "s32", "dp4a"), "dp4a.u32.s32"),
        ("u8+grouped", words_kernel("u8_s8", "u8+grouped", "dp4a", group_size=32), "dp4a.u32.s32"),
        ("u8", words_kernel("b1_b1", "u8", "plain"), "popc.b32"),
        ("f32", words_kernel("t2_t2", "f32", "plain"), "popc.b32"),
        ("s32", tile_kernel("u8_s8", "s32", large), MMA),
        ("s32", tile_kernel("u8_s8", "s32", TileShape(2, 4, 4, 8, 64, 4)), MMA),
        ("u8+residual", tile_kernel("u8_s8", "u8+residual", large), MMA),
        ("u8+residual+floor+sum", tile_kernel("u8_s8", "u8+residual+floor+sum", large, piece=4), MMA),
        ("u8", tile_kernel("u8_t4", "u8", large), MMA),
        ("f32+grouped", tile_kernel("u8_t4", "f32+grouped", half, group_steps=4), MMA),
        ("u8+grouped", tile_kernel("u8_t4", "u8+grouped", half, group_steps=1), MMA),
        ("u8", tile_kernel("u8_t2", "u8", half), MMA),
        ("f32", tile_kernel("u8_t1", "f32", deep), MMA),
        ("s32", tile_kernel("b1_b1", "s32", large), MMA_BITS),
        ("f32+grouped", tile_kernel("f16_s4", "f32+grouped", half, group_steps=8), MMA_HALF),
        ("s32", skinny_kernel("u8_s8", "s32"), MMA_LEFT),
        (
            "f32+grouped",
            skinny_kernel("u8_t4", "f32+grouped", group_size=128, slots=64),
            "ld.global.nc.L1::no_allocate",
        ),
        ("f32+grouped", skinny_kernel("u8_t4", "f32+grouped", group_size=128, tall=16, slots=64), STREAM),
        ("f32+grouped", skinny_kernel("f16_s4", "f32+grouped", group_size=128, slots=64), MMA_HALF),
        ("s32", skinny_kernel("b1_b1", "s32"), MMA_BITS),
        *(
            ("f32+grouped", panel_kernel("u8_t4", "f32+grouped", PanelShape(*sizes), group_size=128), MMA_LEFT)
            for sizes in ((16, 4, 2, 2, 4), (16, 2, 4, 1, 4), (32, 4, 1, 2, 4), (64, 4, 1, 2, 4))
        ),
        *(
            ("f32+grouped", hopper_panel_kernel("u8_t4", "f32+grouped", HopperPanelShape(*sizes)), WGMMA_LEFT)
            for sizes in ((1, 2, 16, 2, 4), (2, 1, 32, 2, 4), (1, 2, 128, 1, 4))
        ),
        ("s32", hopper_kernel("u8_s8", "s32", hopper_shape(2, 256, 4)), "wgmma.mma_async.sync.aligned.m64n256k32"),
        ("u8+residual", hopper_kernel("u8_s8", "u8+residual", hopper_shape(2, 128, 5)), "wgmma.mma_async"),
        ("s32", hopper_kernel("b1_b1", "s32", hopper_shape(2, 256, 4)), "m64n256k256.s32.b1.b1.and.popc"),
        ("", layers.quantize_kernel(floor=False), "cvt.rni.f32.f32"),
        ("", layers.pack_kernel(ternary=True), "st.global"),
        ("", layers.row_sums_kernel(bits=True), "popc.b32"),
        ("", layers.add_kernel(floor=True), "cvt.rmi.f32.f32"),
        ("", layers.table_kernel(), "st.global"),
        ("", layers.average_kernel(floor=False), "cvt.rni.f32.f32"),
        ("", layers.max_pool_kernel(floor=False), "cvt.rni.f32.f32"),
    ]
    return tuple(Listed(kernel, words, instruction) for words, kernel, instruction in found)


def rows(capability: int) -> Iterator[PtxRow]:
    """Yield a row for every kernel of the catalogue that this compute capability (times ten) runs."""
    for listed in catalogue():
        if listed.kernel.needs <= capability:
            yield row_of(listed, capability)


def row_of(listed: Listed, capability: int) -> PtxRow:
    """Compile a kernel and return its row."""
    compiled = ptx(listed.kernel, capability)
    registers, spilled = _assembled(compiled)
    local = bool(re.search(r"\.local|st\.local|ld\.local", compiled.text))
    count = compiled.text.count(listed.instruction)
    name, words = listed.kernel.name, listed.words
    return PtxRow(name, words, compiled.target, listed.instruction, count, local, registers, spilled)


def _assembled(compiled: Compiled) -> tuple[int | None, int | None]:
    """Return registers per thread and bytes spilled, by ptxas; None without it.

    Raises:
        RuntimeError: ptxas refuses the PTX, a defect of the kernel.
    """
    tool = shutil.which("ptxas")
    if tool is None:
        return None, None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(compiled.text, encoding="utf-8")
        command = [tool, "-v", f"-arch={compiled.target}", str(source), "-o", str(source.with_suffix(".cubin"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ptxas refuses {compiled.entry}: {done.stderr}")
    registers = re.search(r"Used (\d+) registers", done.stderr)
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", done.stderr)
    return int(registers[1]) if registers else None, sum(map(int, spills))
