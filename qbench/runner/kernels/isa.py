"""Which instructions a kernel really runs on, seen from outside.

Its process is stopped now and then, and the code around its program counter is searched for the instructions that do
the work of products. Linux on x86-64 only, and only where a process may trace its children; elsewhere "" is shown.
No time is taken while this looks.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

_SEIZE, _INTERRUPT, _GETREGS, _DETACH = 0x4206, 0x4207, 12, 17
_REGISTERS, _RIP = 27, 16
_WALL = 0x40000000
_SAMPLES, _PAUSE_S, _WINDOW = 40, 0.0005, 192
_LEAST = 3
"""Pieces of code that must hold it: of random bytes one piece in 500 does, three of 40 one time in ten thousand."""
_LEAST_SHARE = 0.2
"""Share of the pieces that must hold it: what stands in fewer is beside the work, which is then reported as unknown."""

_WORK = {
    (2, 1, 0x50): "vpdpbusd",
    (2, 1, 0x51): "vpdpbusds",
    (2, 1, 0x52): "vpdpwssd",
    (2, 1, 0x53): "vpdpwssds",
    (2, 1, 0x04): "vpmaddubsw",
    (1, 1, 0xF5): "vpmaddwd",
    (2, 1, 0x40): "vpmulld",
    (2, 1, 0x55): "vpopcnt",
    (2, 2, 0x52): "vdpbf16ps",
    (2, 1, 0xB8): "vfmadd231ps",
    (2, 1, 0xA8): "vfmadd213ps",
}
"""(opcode map, prefix, opcode) of VEX and EVEX -> mnemonic. Intel's manual, volume 2, chapter 2."""

_TILES = {
    (2, 0, 0x5E): "tdpbuud",
    (2, 1, 0x5E): "tdpbusd",
    (2, 2, 0x5E): "tdpbsud",
    (2, 3, 0x5E): "tdpbssd",
    (2, 2, 0x5C): "tdpbf16ps",
    (2, 3, 0x5C): "tdpfp16ps",
}
"""The same of AMX: VEX of three bytes, W and L zero, three tile registers. Intel's manual, volume 2, chapter 3."""

MNEMONICS = frozenset((*_WORK.values(), *_TILES.values()))
"""Every instruction that can be reported."""
REGISTERS = ("xmm", "ymm", "zmm", "tmm")
"""Every kind of register that can stand behind it; `tmm` are AMX's tiles."""


def instructions(pid: int, during: Callable[[], object]) -> str:
    """Return what a process runs while `during` keeps it busy, e.g. `vpdpbusd zmm`; "" when it cannot be seen.

    Args:
        pid: a child of this process.
        during: makes the child work for some 30 ms without waiting for it.
    """
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return ""
    during()
    windows = [window for _ in range(_SAMPLES) for window in _busy_code(pid)]
    return most_common(windows)


def most_common(windows: list[bytes]) -> str:
    """Return the instruction that most of these pieces of code hold, with its registers; "" where none is frequent.

    Products of tiles go before those of vectors, and whole-number products before float ones, which kernels with scales
    of groups run beside them.
    """
    found = Counter(name for window in windows for name in set(decoded(window)))
    least = max(_LEAST, _LEAST_SHARE * len(windows))
    often = [name for name, count in found.most_common() if count >= least]
    return min(often, key=_rank, default="")  # the first, most frequent one of its rank


def _rank(name: str) -> int:
    return 0 if name.startswith("tdp") else 2 if name.startswith("vfmadd") else 1


def decoded(code: bytes) -> Iterator[str]:
    """Yield the instructions of the table above that a piece of code holds, from whatever byte they begin at."""
    for place in range(len(code) - 5):
        lead = code[place]
        if lead == 0x62 and not code[place + 1] & 0x08 and code[place + 2] & 0x04:  # EVEX
            kind = (code[place + 1] & 7, code[place + 2] & 3, code[place + 4])
            width = ("xmm", "ymm", "zmm", "")[code[place + 3] >> 5 & 3]
        elif lead == 0xC4 and _is_tiles(code[place + 1 : place + 5]):
            kind, width = (2, code[place + 2] & 3, code[place + 3]), "tmm"
        elif lead == 0xC4:  # VEX of three bytes
            kind = (code[place + 1] & 31, code[place + 2] & 3, code[place + 3])
            width = "ymm" if code[place + 2] & 4 else "xmm"
        elif lead == 0xC5:  # VEX of two bytes
            kind = (1, code[place + 1] & 3, code[place + 2])
            width = "ymm" if code[place + 1] & 4 else "xmm"
        else:
            continue
        if width == "tmm":
            yield f"{_TILES[kind]} {width}"
        elif kind in _WORK and width:
            yield f"{_WORK[kind]} {width}"


def _is_tiles(rest: bytes) -> bool:
    """Whether what follows 0xC4 is a product of tiles: map 0F38, W and L zero, a register operand."""
    opcode_map, second, opcode, operands = rest
    return opcode_map & 31 == 2 and not second & 0x84 and (2, second & 3, opcode) in _TILES and operands >> 6 == 3


def _busy_code(pid: int) -> Iterator[bytes]:
    """Yield the code around the program counter of each thread that runs now."""
    time.sleep(_PAUSE_S)
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            facts = (task / "stat").read_text(encoding="ascii", errors="replace")
            if facts[facts.rindex(")") + 2] == "R":
                place = _program_counter(int(task.name))
                if place:
                    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                        memory.seek(max(place - _WINDOW, 0))
                        yield memory.read(2 * _WINDOW)
        except OSError:  # the thread has ended, or the window touches memory that is not there
            continue


def _program_counter(thread: int) -> int:
    """Stop a thread, read where it is, and let it go on; 0 when it cannot be traced."""
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    trace.restype = ctypes.c_long
    if trace(_SEIZE, thread, None, None):
        return 0
    registers = (ctypes.c_uint64 * _REGISTERS)()
    try:
        if trace(_INTERRUPT, thread, None, None):
            return 0
        os.waitpid(thread, _WALL)
        failed = trace(_GETREGS, thread, None, ctypes.cast(registers, ctypes.c_void_p))
    finally:
        trace(_DETACH, thread, None, None)
    return 0 if failed else int(registers[_RIP])
