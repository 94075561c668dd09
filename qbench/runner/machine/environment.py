"""What this machine is, and what on it disturbs a timing. Reads only; changes nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from qbench.peers import PEERS
from qbench.peers.cuda import CUDA_NETWORKS, CUDA_OPERATORS
from qbench.peers.operators import OPERATORS
from qbench.peers.quantizers import QUANTIZERS
from qbench.registry import Registry
from qbench.runner.machine.affinity import allowed_cpus, distinct_cores

OWN_LIBRARIES = {"cpu": ("numpy", "numba", "llvmlite"), "cuda": ("numpy", "numba", "numba-cuda")}
"""What qbench's own times and answers depend on, by device."""
_OTHERS = ("onnx", "onnxruntime", "pandas", "scipy", "matplotlib")
_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def command_line() -> str:
    """Return the command that started this process, as a shell takes it, the program without its folder."""
    program = Path(sys.argv[0]).name
    return shlex.join(["qbench" if program == "-c" else program, *sys.argv[1:]])


def describe() -> dict[str, Any]:
    """Return the facts of this machine as plain JSON values; a fact that the system does not report is None."""
    processor = _processor()
    cpus = allowed_cpus()
    facts: dict[str, Any] = {
        "cpu_model": processor["model"],
        "cpu_features": processor["features"],
        "machine": platform.machine(),
        "cpus": psutil.cpu_count(logical=True),
        "cores": psutil.cpu_count(logical=False),
        "cpus_allowed": cpus,
        "cores_allowed": len(_cores(cpus)),
        "cpu_quota": cgroup_cpus(_CGROUP),
        "caches_bytes": core_caches(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": _read(_CPU / "cpu0" / "cpufreq" / "scaling_governor"),
        "boost": _read(_CPU / "cpufreq" / "boost"),
        "virtualization": virtualization(processor["features"]),
        "load_average": list(psutil.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "fingerprint": fingerprint(),
        "threads_environment": {
            name: os.environ[name]
            for name in (
                "OMP_NUM_THREADS",
                "OMP_WAIT_POLICY",
                "NUMBA_NUM_THREADS",
                "NUMBA_CPU_FEATURES",
                "NUMBA_CPU_NAME",
            )
            if name in os.environ
        },
    }
    facts["noise"] = noise_sources(facts)
    return facts


def distributions(table: Registry) -> tuple[str, ...]:
    """Return the packages that the peers of a table run on, each once, in the table's order."""
    return tuple(dict.fromkeys(name for part in table for name in table.load(part).distributions))


def operator_libraries(device: str) -> tuple[str, ...]:
    """Return the packages that rows of single operations on a device depend on."""
    tables = {"cpu": OPERATORS, "cuda": CUDA_OPERATORS}
    return tuple(dict.fromkeys((*OWN_LIBRARIES[device], *distributions(tables[device]))))


@cache
def libraries() -> tuple[str, ...]:
    """Return the packages whose versions stand in a run: qbench's own, and those that the tables of peers name."""
    own = (name for names in OWN_LIBRARIES.values() for name in names)
    tables = (PEERS, OPERATORS, CUDA_OPERATORS, CUDA_NETWORKS, QUANTIZERS)
    return tuple(dict.fromkeys((*own, *_OTHERS, *(name for table in tables for name in distributions(table)))))


def versions() -> dict[str, str]:
    """Return the version of Python and of every library that a result depends on and that is installed."""
    found = {"python": platform.python_version()}
    for name in ("qbench", *libraries()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fingerprint() -> str:
    """Return a word that differs between machines whose times cannot be compared: model and features of the CPU."""
    processor = _processor()
    words = [processor["model"], *processor["features"], str(len(allowed_cpus()))]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def noise_sources(facts: dict[str, Any]) -> list[str]:
    """Return one line for each thing on this machine that makes times less certain."""
    found = []
    if facts["load_average"][0] > 0.25 * len(facts["cpus_allowed"]):
        found.append(f"other work is running: load average {facts['load_average'][0]:.2f}")
    if facts["virtualization"]:
        found.append(f"virtual machine ({facts['virtualization']}): the host may take cores away")
    if facts["governor"] not in (None, "performance"):
        found.append(f"frequency governor is '{facts['governor']}'")
    if facts["boost"] == "1":
        found.append("frequency boost is on: clocks depend on temperature and on neighbours")
    if facts["cpu_quota"] is not None and facts["cpu_quota"] < len(facts["cpus_allowed"]):
        found.append(
            f"the container may use {facts['cpu_quota']:g} of {len(facts['cpus_allowed'])} CPUs: it is throttled"
        )
    if facts["cores_allowed"] < len(facts["cpus_allowed"]):
        found.append("simultaneous multithreading is on: two hardware threads share a core")
    return found


_ADVICE = {
    "other work": "end other programs, or expect wide intervals",
    "virtual machine": "trust ratios of one run only, never times of two runs",
    "frequency governor": "`sudo cpupower frequency-set -g performance`",
    "frequency boost": "`echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost`, for steady clocks, not fast ones",
    "the container may use": "give the container whole CPUs (docker: --cpuset-cpus), or set `threads` to its quota",
    "simultaneous multithreading": "set `threads` to the number of cores, not of hardware threads",
}


def advice(facts: dict[str, Any]) -> list[str]:
    """Return what can be done about each source of noise, in the same order."""
    return [
        f"{source}: {next(word for start, word in _ADVICE.items() if source.startswith(start))}"
        for source in noise_sources(facts)
    ]


def cgroup_cpus(root: Path) -> float | None:
    """Return the CPUs that the control group under `root` may use at a time (version 2 or 1), None without a limit."""
    newer = (_read(root / "cpu.max") or "").split()
    if len(newer) == 2:
        return None if newer[0] == "max" else int(newer[0]) / int(newer[1])
    quota, period = (_read(root / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def caches(folder: Path) -> dict[str, int]:
    """Return bytes of the data caches of one core, e.g. {"l1": 49152, "l2": 1048576, "l3": 33554432}."""
    found = {}
    for index in sorted(folder.glob("index*")):
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        if level and size and kind in ("Data", "Unified"):
            found[f"l{level}"] = int(size.removesuffix("K")) * 1024 if size.endswith("K") else int(size)
    return found


def core_caches() -> dict[str, int]:
    """Return `caches` of this machine's first core; empty where the system does not report them."""
    return caches(_CPU / "cpu0" / "cache")


def virtualization(features: list[str]) -> str | None:
    """Return the name of the virtual machine that this is, None on bare metal or where it cannot be seen."""
    if "hypervisor" not in features:
        return None
    return _read(Path("/sys/class/dmi/id/product_name")) or _read(Path("/sys/class/dmi/id/sys_vendor")) or "unknown"


def _cores(cpus: list[int]) -> set[str]:
    siblings = {cpu: _read(_CPU / f"cpu{cpu}" / "topology" / "thread_siblings_list") for cpu in distinct_cores(cpus)}
    return {name or str(cpu) for cpu, name in siblings.items()}


def _processor() -> dict[str, Any]:
    """Return model and features; from /proc on Linux, by py-cpuinfo (which starts a process, 1 s) elsewhere."""
    if sys.platform == "linux":
        lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())
        fields = {name.strip(): value.strip() for name, _, value in reversed(list(lines))}
        model = fields.get("model name") or fields.get("CPU part") or platform.machine()
        return {"model": model, "features": sorted((fields.get("flags") or fields.get("Features") or "").split())}
    from cpuinfo import get_cpu_info

    found = get_cpu_info()
    return {"model": found.get("brand_raw", platform.machine()), "features": sorted(found.get("flags", []))}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
