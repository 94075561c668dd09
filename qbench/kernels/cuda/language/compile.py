"""Kernels to PTX by numba-cuda's compiler; needs its compiler and no GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from qbench.errors import MachineError
from qbench.kernels.cuda.machines.machine import Kernel

PTX_VERSION = "8.4"
"""The oldest PTX with all we use (wgmma of u8 by s8): drivers from CUDA 12.4 on take what newer compilers wrote."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """PTX and the name of its kernel."""

    text: str
    entry: str
    target: str


def unavailable() -> str | None:
    """Return why kernels cannot be compiled here, or None."""
    return None if find_spec("numba_cuda") else "numba-cuda is not installed (the extra 'cuda')"


@cache
def ptx(kernel: Kernel, capability: int) -> Compiled:
    """Return the kernel's PTX for a compute capability times ten, e.g. 80 or 90.

    Raises:
        MachineError: numba-cuda is missing, or the kernel needs a newer device.
    """
    reason = unavailable()
    if reason is not None:
        raise MachineError(f"kernel {kernel.name}: {reason}")
    if capability < kernel.needs:
        raise MachineError(f"kernel {kernel.name}: needs compute capability {kernel.needs / 10}, got {capability / 10}")
    from qbench.kernels.cuda.language.dialect import cuda

    text, _ = cuda.compile_ptx(kernel.function, kernel.signature, cc=divmod(capability, 10))
    target = f"sm_{capability}{'a' if kernel.arch_specific else ''}"
    text = re.sub(r"^\.version .*$", f".version {PTX_VERSION}", text, count=1, flags=re.M)
    text = re.sub(r"^\.target .*$", f".target {target}", text, count=1, flags=re.M)
    found = re.search(r"^\.visible \.entry (\w+)", text, flags=re.M)
    assert found is not None, "numba-cuda wrote no kernel"
    return Compiled(text, found[1], target)
