"""Images on disk and in memory: written whole, checked when they are read, mapped where they can run.

A kernel that was compiled once starts from its image without Numba and LLVM, which take 90 MB and a fifth of a second.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import mmap
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import MachineError
from qbench.kernels.cache import write_whole
from qbench.kernels.elf import WORD, Image

HERE = sys.platform == "linux" and os.uname().machine == "x86_64"
"""Whether kernels are images on this system; elsewhere Numba keeps and loads its own."""


def read_image(path: Path, key: str) -> Image | None:
    """Return the image of `key` that lies in a file, or None where it is missing, damaged or another's."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        facts = json.loads(head)
        if facts["key"] != key or facts["sha256"] != hashlib.sha256(code).hexdigest():
            return None
        return Image(code, facts["entry"], facts["slots"], tuple(facts["imports"]), tuple(facts["bases"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_image(path: Path, image: Image, key: str) -> None:
    """Write an image for `read_image`."""
    facts = {
        "key": key, "entry": image.entry, "slots": image.slots, "imports": image.imports, "bases": image.bases,
        "sha256": hashlib.sha256(image.code).hexdigest(),
    }  # fmt: skip
    write_whole(path, json.dumps(facts).encode() + b"\n" + image.code)


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A function that can be called at `address`, for as long as this object lives."""

    address: int
    memory: mmap.mmap


def mapped(image: Image) -> Mapped:
    """Return an image in memory that is read and run, no longer written.

    Raises:
        MachineError: the system forbids it, or lacks a function that the image calls.
    """
    process = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, len(image.code), prot=mmap.PROT_READ | mmap.PROT_WRITE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory[:] = image.code
    for place in image.bases:
        struct.pack_into("<Q", memory, place, struct.unpack_from("<Q", memory, place)[0] + base)
    for number, name in enumerate(image.imports):
        struct.pack_into("<Q", memory, image.slots + WORD * number, _address_of(process, name))
    size = -(-len(image.code) // mmap.PAGESIZE) * mmap.PAGESIZE
    if process.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        raise MachineError(f"compiled kernels may not run here: {os.strerror(ctypes.get_errno())}")
    return Mapped(base + image.entry, memory)


def _address_of(process: ctypes.CDLL, name: str) -> int:
    try:
        return int(ctypes.cast(getattr(process, name), ctypes.c_void_p).value or 0)
    except AttributeError:
        raise MachineError(f"a kernel calls '{name}', which this system's C library lacks") from None
