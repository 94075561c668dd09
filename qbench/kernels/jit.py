"""All JIT flags are decided here; nothing else calls `njit`.

Kernels release the GIL and are cached on disk. Numba's own cache key does not see code in other files, so the cache
lives in a folder named by a hash of all kernel sources and of the instruction sets in use: a changed intrinsic can
never be served stale.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import cfunc, config, njit
from numba.core import event
from numba.np import linalg

from qbench.errors import MachineError
from qbench.kernels.isa import features

Compiled = Callable[..., Any]


@cache
def source_hash() -> str:
    """Return the hash of every source file of this room, 12 hexadecimal digits."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _cache_folder() -> Path:
    root = (
        os.environ.get("QBENCH_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "qbench"
    )
    isa = hashlib.sha256(",".join(sorted(features())).encode()).hexdigest()[:6]
    return Path(root) / "jit" / f"{source_hash()}-{isa}"


# LLVM's machine scheduler lifts all broadcasts of a micro-kernel above its dot instructions and spills what no longer
# fits: measured 340 Gop/s on one core with it, 940 without, for the 14 x 32 int8 tile. The option is process-wide.
llvm.set_option("qbench", "--enable-misched=false")

if "NUMBA_CACHE_DIR" not in os.environ:
    config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


def _skip_blas() -> None:
    """Import Numba's array functions without SciPy's BLAS, which takes a quarter of a warm start.

    No kernel uses it; Numba asks for it again when it compiles a matrix product.
    """
    asked = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = asked


_skip_blas()


class _Compilations(event.Listener):
    """Counts what Numba compiles, or loads from the disk cache in place of compiling."""

    count = 0

    def on_start(self, event: Any) -> None:
        """Count one."""
        self.count += 1

    def on_end(self, event: Any) -> None:
        """Do nothing."""


_COMPILED = _Compilations()
event.register("numba:compile", _COMPILED)  # type: ignore[no-untyped-call]


def compilations() -> int:
    """Return how many compilations this process has begun; a timed region asserts that the number stays."""
    return _COMPILED.count


def jit(function: Compiled) -> Compiled:
    """Compile `function` without the GIL and without fast-math, cached on disk."""
    compiled: Compiled = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)(function)
    return compiled


def inlined(function: Compiled) -> Compiled:
    """Compile `function` into its callers, so that literal arguments stay literal."""
    compiled: Compiled = njit(nogil=True, inline="always", error_model="numpy", boundscheck=False)(function)
    return compiled


def c_function(function: Compiled) -> Any:
    """Compile `function(arguments, images, part, parts)` as a C function of a pointer and three whole numbers."""
    _COMPILED.count += 1
    options: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
    return cfunc("void(CPointer(int64), int64, int64, int64)", cache=True, **options)(function)


def compiled_for(triple: str, target_features: frozenset[str], module: str) -> tuple[str, bytes]:
    """Return the assembly and the object file of an LLVM module for any machine, optimized as kernels are.

    Raises:
        MachineError: LLVM was built without that architecture.
    """
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as why:
        raise MachineError(f"no assembly for {triple}: {why}") from None
    features = ",".join(f"+{name}" for name in sorted(target_features))
    machine = target.create_target_machine(features=features, opt=3, reloc="pic")
    parsed = llvm.parse_assembly(module)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(parsed, builder)
    return machine.emit_assembly(parsed), machine.emit_object(parsed)
