"""Which instruction sets the JIT may use here.

`NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` are honoured, so that tests can force the lesser paths. LLVM is asked once a
computer: what it says is kept beside the compiled kernels, since loading it takes 40 MB.
"""

from __future__ import annotations

import json
from functools import cache

from qbench.kernels.cache import cache_root, machine_key, write_whole

# Names are LLVM's. Each variant lists what it needs in `qbench.kernels.tiles.targets`.
PORTABLE: frozenset[str] = frozenset()


@cache
def features() -> frozenset[str]:
    """Return LLVM's names of the features that compiled kernels may use, e.g. `avx512vnni`, `avx512vpopcntdq`."""
    key = machine_key()
    if key is None:
        return _asked()
    path = cache_root() / f"features-{key}.json"
    try:
        return frozenset(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):  # not there yet, or damaged: written anew
        found = _asked()
        write_whole(path, json.dumps(sorted(found)).encode())
        return found


def _asked() -> frozenset[str]:
    """Return what LLVM says of this CPU, or the environment's restriction of it."""
    import llvmlite.binding as llvm
    from numba import config

    forced: str | None = getattr(config, "CPU_FEATURES", None)
    if forced is not None:
        return frozenset(word[1:] for word in forced.split(",") if word.startswith("+"))
    return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


def missing(required: frozenset[str]) -> str | None:
    """Return a reason when this machine (or the environment's restriction of it) lacks a required feature."""
    absent = sorted(required - features())
    return f"needs {', '.join(absent)}" if absent else None
