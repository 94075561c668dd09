"""Where compiled kernels lie on disk, and what their place depends on; needs neither Numba nor LLVM.

A folder is named by a hash of all kernel sources, of Numba's and LLVM's versions, of what the environment tells Numba
and of the CPU: a changed kernel, compiler or computer can never be served another's code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
from functools import cache
from pathlib import Path

from qbench.errors import MachineError

COMPILERS = ("numba", "llvmlite")
_OWN_FACTS = (
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features",
)  # fmt: skip
"""Lines of /proc/cpuinfo that tell what a CPU can do; the others change from one moment to the next."""


@cache
def source_hash() -> str:
    """Return the hash of every source file of this room and of the compilers' versions, 12 hexadecimal digits."""
    digest = hashlib.sha256(b"".join(_version_of(name) for name in COMPILERS))
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def cache_root() -> Path:
    """Return the folder of everything that qbench compiles."""
    return cache_home() / "jit"


def cache_home() -> Path:
    """Return the folder of all that qbench keeps for this user outside of results.

    It is the one that QBENCH_CACHE_DIR names, else `qbench` in the one of XDG_CACHE_HOME, else in `.cache` of the home
    folder. An empty variable counts as none, and so does a relative XDG_CACHE_HOME, as its standard has it.

    Raises:
        MachineError: no variable names a folder, and this user has no home.
    """
    if named := os.environ.get("QBENCH_CACHE_DIR"):
        return Path(named)
    if (custom := os.environ.get("XDG_CACHE_HOME", "")) and Path(custom).is_absolute():
        return Path(custom) / "qbench"
    home = os.environ.get("HOME") or _home_by_name()
    if not home:
        raise MachineError(
            "no folder to keep compiled kernels in: HOME is not set, and the user has no home; set QBENCH_CACHE_DIR"
        )
    return Path(home) / ".cache" / "qbench"


def _home_by_name() -> str:
    """Return the home folder of this user in the system's list of users, "" where it does not know him."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def machine_key(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return a hash of what decides which code the compiler makes here, None where the system does not tell the CPU."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return None
    facts = sorted({line for line in lines if line.partition(":")[0].strip() in _OWN_FACTS})
    told = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
    config = Path(".numba_config.yaml")
    file = config.read_text() if config.exists() else ""
    whole = "\n".join((*facts, *told, file, str(sys.version_info[:2]), *(str(_version_of(name)) for name in COMPILERS)))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that others may be reading or writing: they see all of it or nothing.

    Raises:
        MachineError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        why = f"cannot keep compiled kernels ({error.strerror}); QBENCH_CACHE_DIR names another folder for them"
        raise MachineError(f"{path.parent}: {why}") from None


def _version_of(package: str) -> bytes:
    """Return the file that says a package's version: reading it is 60 MB less than importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MachineError(f"kernels need {package}, which is not installed")
    path = Path(spec.submodule_search_locations[0]) / "_version.py"
    try:
        return path.read_bytes()
    except OSError as error:
        raise MachineError(f"{path}: cannot read the version of {package}: {error.strerror}") from None
