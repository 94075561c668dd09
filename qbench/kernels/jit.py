"""All JIT flags are decided here; nothing else calls `njit`.

Kernels release the GIL and are cached on disk. Numba's own cache key does not see code in other files, so its cache
lives in a folder named by a hash of all kernel sources and of the instruction sets in use. C functions become images,
which run without Numba (`native`).
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from numba import cfunc, config, int64, njit, types
from numba.core import compiler, compiler_lock, event, registry, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.np import linalg

from qbench.errors import MachineError
from qbench.kernels.cache import cache_root, source_hash
from qbench.kernels.compilations import count_compilation
from qbench.kernels.elf import Image, image_of
from qbench.kernels.isa import features

Compiled = Callable[..., Any]


def _cache_folder() -> str:
    isa = hashlib.sha256(",".join(sorted(features())).encode()).hexdigest()[:6]
    return str(cache_root() / f"{source_hash()}-{isa}")


# LLVM's machine scheduler lifts all broadcasts of a micro-kernel above its dot instructions and spills what no longer
# fits: measured 340 Gop/s on one core with it, 940 without, for the 14 x 32 int8 tile. The option is process-wide.
llvm.set_option("qbench", "--enable-misched=false")

if "NUMBA_CACHE_DIR" not in os.environ:
    config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]


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

    def on_start(self, event: Any) -> None:
        """Count one."""
        count_compilation()

    def on_end(self, event: Any) -> None:
        """Do nothing."""


event.register("numba:compile", _Compilations())  # type: ignore[no-untyped-call]


def jit(function: Compiled) -> Compiled:
    """Compile `function` without the GIL and without fast-math, cached on disk, for kernels and for Python.

    Numba would also make a wrapper for callers in C, which takes a tenth of the time and which nothing calls.
    """
    left_out: Any = {"no_cfunc_wrapper": True}
    compiled: Compiled = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False, **left_out)(function)
    return compiled


def inlined(function: Compiled) -> Compiled:
    """Compile `function` into its callers, so that literal arguments stay literal."""
    compiled: Compiled = njit(nogil=True, inline="always", error_model="numpy", boundscheck=False)(function)
    return compiled


OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
SIGNATURES = {
    "task": types.void(types.CPointer(int64), int64, int64, int64),  # type: ignore[no-untyped-call]
    "entry": int64(int64, int64, int64, int64),
}
"""Kinds of C functions; see `qbench.kernels.native`."""


def c_function(function: Compiled, kind: str) -> Any:
    """Compile a C function that Numba loads itself, from its own disk cache too, where kernels are no images."""
    return cfunc(SIGNATURES[kind], cache=True, **OPTIONS)(function)


_WRAPPER = """
target triple = "{triple}"
declare i32 @"{name}"(ptr, ptr, {pointer}, i64, i64, i64)
declare void @llvm.trap()
define i64 @{entry}({pointer} %a, i64 %b, i64 %c, i64 %d) {{
  %result = alloca i64
  %error = alloca ptr
  store i64 0, ptr %result
  %status = call i32 @"{name}"(ptr %result, ptr %error, {pointer} %a, i64 %b, i64 %c, i64 %d)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %stop, label %done
stop:
  call void @llvm.trap()
  unreachable
done:
  %found = load i64, ptr %result
  ret i64 %found
}}
define void @NRT_MemInfo_call_dtor(ptr %none) {{
  call void @llvm.trap()
  unreachable
}}
"""
"""A kernel raises nothing and owns no memory: code that would is never reached, and ends the process if it is."""
_ENTRY = "qbench_entry"


def compiled_image(function: Compiled, kind: str) -> Image:
    """Compile a C function as an image that runs without Numba."""
    module, machine = _native_module(function, kind)
    return image_of(machine.emit_object(module), _ENTRY)


def compiled_assembly(function: Compiled, kind: str) -> str:
    """Return the assembly of what `compiled_image` makes."""
    module, machine = _native_module(function, kind)
    assembly: str = machine.emit_assembly(module)
    return assembly


class _Passes(compiler.CompilerBase):
    """Numba's passes, without those that only closures, arrays' expressions, `with` and the like need.

    A C function is a loop over calls; the same image comes out, a tenth sooner.
    """

    def define_pipelines(self) -> list[Any]:
        """Return the passes, in Numba's order."""
        passes = PassManager("c function")  # type: ignore[no-untyped-call]
        for step in (
            untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing,
            untyped_passes.RewriteSemanticConstants, untyped_passes.DeadBranchPrune, untyped_passes.GenericRewrites,
            untyped_passes.RewriteDynamicRaises, untyped_passes.InlineInlinables, untyped_passes.DeadBranchPrune,
            untyped_passes.ReconstructSSA, typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis,
            typed_passes.InlineOverloads, typed_passes.NoPythonSupportedFeatureValidation, typed_passes.IRLegalization,
            typed_passes.NativeLowering, typed_passes.NoPythonBackend,
        ):  # fmt: skip
            passes.add_pass(step, step.__name__)  # type: ignore[no-untyped-call]
        passes.finalize()  # type: ignore[no-untyped-call]
        return [passes]


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let Python look for no cycles meanwhile: the compiler's many objects live until it is done.

    Looking through them again and again is a tenth of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _native_module(function: Compiled, kind: str) -> tuple[Any, Any]:
    """Return a C function as an LLVM module of its own, optimized, and the machine that it is for."""
    signature = SIGNATURES[kind]
    target, flags = registry.cpu_target, compiler.Flags()  # type: ignore[no-untyped-call]
    target.options.parse_as_flags(flags, OPTIONS)  # type: ignore[no-untyped-call]
    # `no_compile`: machine code is emitted below, and once; Numba's own would be a tenth of the time, and unused
    for flag in ("no_cpython_wrapper", "no_cfunc_wrapper", "no_compile"):
        setattr(flags, flag, True)
    with compiler_lock.global_compiler_lock, _without_collections():
        result: Any = compiler.compile_extra(  # type: ignore[no-untyped-call]
            target.typing_context, target.target_context, function, signature.args, signature.return_type, flags, {},
            pipeline_class=_Passes,
        )  # fmt: skip
        result.library.finalize()
    codegen = result.library.codegen
    module = result.library._final_module.clone()
    pointer = "ptr" if kind == "task" else "i64"
    names = {"triple": module.triple, "name": result.fndesc.llvm_func_name, "pointer": pointer, "entry": _ENTRY}
    module.link_in(llvm.parse_assembly(_WRAPPER.format(**names)))
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != _ENTRY:
            value.linkage = "internal"
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=codegen._get_host_cpu_name(), features=codegen._get_host_cpu_features(), opt=3, reloc="pic",
        codemodel="small",
    )  # fmt: skip
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3)))
    return module, machine


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
