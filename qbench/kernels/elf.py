"""From an object file of one function to an image: its bytes as they will lie in memory, at any address.

Understands what LLVM emits for x86-64 Linux with code that does not depend on its place: sections that are only read
or run, references between them, and calls of the C library's functions, each through a stub and a slot at the end that
holds its address. Anything else is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SECTIONS, SYMBOLS, PROGRAM, RELOCATIONS = 0x28, 2, 1, 4
WRITTEN, LOADED = 1, 2
ABSOLUTE, RELATIVE, CALL, SLOTS = 1, 2, 4, (9, 41, 42)
"""Relocations (System V ABI, AMD64): R_X86_64_64, _PC32, _PLT32; _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX."""
WORD, STUB = 8, b"\xff\x25"
"""A stub is `jmp *(rip + offset)`, padded to a word."""


class ObjectFormError(Exception):
    """An object file holds what an image cannot; the message says what."""


@dataclass(frozen=True, slots=True)
class Image:
    """Code and constants.

    Args:
        code: the bytes; they begin at a page.
        entry: place of the function.
        slots: place of the first slot; each takes the address of one of `imports`.
        imports: functions of the C library that are called.
        bases: places of words that the image's own address is added to.
    """

    code: bytes
    entry: int
    slots: int
    imports: tuple[str, ...]
    bases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    section: int
    value: int


def image_of(binary: bytes, entry: str) -> Image:
    """Return the image of an object file whose function `entry` is to be called.

    Raises:
        ObjectFormError: it is not of the form that the module's docstring tells.
    """
    (table,), (count,) = struct.unpack_from("<Q", binary, SECTIONS), struct.unpack_from("<H", binary, 0x3C)
    heads = [struct.unpack_from("<IIQQQQIIQQ", binary, table + 64 * i) for i in range(count)]
    code, places = bytearray(), {}
    for index, (_, kind, flags, _, offset, size, _, _, align, _) in enumerate(heads):
        if kind == PROGRAM and flags & LOADED and size:
            code += bytes(-len(code) % max(align, 1))
            places[index] = len(code)
            code += binary[offset : offset + size]
        elif flags & LOADED and flags & WRITTEN and size:
            raise ObjectFormError("variables that are written")
    symbols = _symbols(binary, heads)
    used = [i for i, s in enumerate(symbols) if not s.section and s.name]
    code += bytes(-len(code) % WORD)
    stubs = len(code)
    slots = stubs + WORD * len(used)
    stub = STUB + struct.pack("<i", WORD * len(used) - len(STUB) - 4)  # from its end to its own slot
    code += stub.ljust(WORD, b"\xcc") * len(used) + bytes(WORD * len(used))
    outside = {symbol: (stubs + WORD * n, slots + WORD * n) for n, symbol in enumerate(used)}
    bases = _relocate(binary, heads, symbols, code, places, outside)
    start = next(places[s.section] + s.value for s in symbols if s.name == entry)
    return Image(bytes(code), start, slots, tuple(symbols[i].name for i in used), tuple(bases))


def _symbols(binary: bytes, heads: list[tuple[int, ...]]) -> list[_Symbol]:
    head = next(head for head in heads if head[1] == SYMBOLS)
    names, found = heads[head[6]][4], []
    for at in range(head[4], head[4] + head[5], 24):
        name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", binary, at)
        begin = names + name
        found.append(_Symbol(binary[begin : binary.index(b"\0", begin)].decode(), section, value))
    return found


def _relocate(
    binary: bytes, heads: list[tuple[int, ...]], symbols: list[_Symbol], code: bytearray, places: dict[int, int],
    outside: dict[int, tuple[int, int]],
) -> list[int]:  # fmt: skip
    """Fill the references in, and return the places that hold absolute ones."""
    bases = []
    for head in heads:
        if head[1] != RELOCATIONS or head[7] not in places:
            continue
        for at in range(head[4], head[4] + head[5], 24):
            offset, info, addend = struct.unpack_from("<QQq", binary, at)
            place, index, kind = places[head[7]] + offset, info >> 32, info & 0xFFFFFFFF
            symbol = symbols[index]
            if index in outside and kind in (RELATIVE, CALL, *SLOTS):
                target = outside[index][kind in SLOTS]
            elif symbol.section in places and kind in (ABSOLUTE, RELATIVE, CALL):
                target = places[symbol.section] + symbol.value
            else:
                raise ObjectFormError(f"a reference of kind {kind} to '{symbol.name}'")
            if kind == ABSOLUTE:
                struct.pack_into("<q", code, place, target + addend)
                bases.append(place)
            else:
                struct.pack_into("<i", code, place, target + addend - place)
    return bases
