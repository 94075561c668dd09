"""The machine in words: its facts and its measured ceilings, as `run.json` keeps them."""

from __future__ import annotations

import re
from typing import Any

from qbench.report import words
from qbench.results import MachineFacts, RunHeader

_FACTS = {
    "cpu_model": "processor",
    "cores_allowed": "cores used",
    "cpus_allowed": "hardware threads used",
    "cpu_quota": "quota, CPUs",
    "memory_bytes": "memory",
    "caches_bytes": "caches",
    "governor": "frequency governor",
    "boost": "frequency boost",
    "virtualization": "virtual machine",
    "load_average": "load average at start",
    "system": "system",
    "cpu_features": "instruction sets",
    "noise": "noise",
}
_COUNTS = re.compile(r"avx|amx|fma|f16c|gfni|popcnt|ssse3|sse4|asimd|neon|sve|i8mm|bf16|vnni")
"""Instruction sets that kernels can be faster by; `run.json` keeps them all."""
_CEILINGS = {
    "int8_gops": ("int8 multiply-adds", "Gop/s"),
    "short_gops": ("multiply-adds of 6 bits and fewer, in 16 bits", "Gop/s"),
    "popcount_gops": ("binary multiply-adds by popcount", "Gop/s"),
    "float32_gflops": ("float32 multiply-adds", "Gflop/s"),
    "ternary_gops": ("ternary multiply-adds", "Gop/s"),
    "read_gb_s": ("reading memory", "GB/s"),
    "read_l2_gb_s": ("reading the second-level cache", "GB/s"),
    "read_l3_gb_s": ("reading the third-level cache", "GB/s"),
}


def facts(header: RunHeader) -> list[tuple[str, str]]:
    """Return (name, value) of what the environment says, then of the versions; where several machines ran, of each."""
    return [fact for machine, found in header.machines.items() for fact in _of(header, machine, _facts(found))]


def ceilings(header: RunHeader) -> list[tuple[str, str]]:
    """Return (what, rate) of each measured ceiling; where several machines ran, of each."""
    return [
        fact for machine, found in header.machines.items() for fact in _of(header, machine, _ceilings(header, found))
    ]


def _of(header: RunHeader, machine: str, told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put a machine's id before what is said of it, where there are several."""
    return [("machine", machine), *told] if len(header.machines) > 1 and told else told


def _facts(machine: MachineFacts) -> list[tuple[str, str]]:
    told = [
        (title, _value(name, machine.environment[name]))
        for name, title in _FACTS.items()
        if machine.environment.get(name)
    ]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return [*told, ("versions", versions)] if versions else told


def _ceilings(header: RunHeader, machine: MachineFacts) -> list[tuple[str, str]]:
    found = []
    for name, value in machine.ceilings.items():
        base, _, many = name.rpartition("_")
        title, unit = _CEILINGS.get(base, (base.replace("_", " "), _unit(base)))
        one = "" if "cuda" in machine.environment else ", 1 thread"
        threads = {"1": one, "all": f", {header.suite.threads} threads"}.get(many, f", by {many}")
        found.append((f"{title}{threads}", f"{words.significant(value)} {unit}".strip()))
    return found


def canary_move(header: RunHeader) -> str:
    """Return how far the canary loops moved, e.g. ` (a fixed loop's time moved by 8 %)`, or "" when it was not read."""
    moves = []
    for machine in header.machines.values():
        for name in ("compute_s", "memory_s"):
            read = [reading for reading in machine.canary if isinstance(reading, dict) and reading.get(name)]
            times = [float(reading[name]) for reading in read]
            moves += [abs(time_s / times[0] - 1.0) for time_s in times[1:]]
    return f" (the time of a fixed loop moved by {100 * max(moves):.0f} %)" if moves else ""


def _value(name: str, value: Any) -> str:
    if name == "cpu_features":
        value = [word for word in value if _COUNTS.match(word)]
    if name == "memory_bytes":
        return words.size(float(value))
    if isinstance(value, dict):
        return ", ".join(f"{level.upper()} {words.size(float(size))}" for level, size in value.items())
    if isinstance(value, list | tuple):
        return ("; " if name == "noise" else ", ").join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in value)
    return str(value)


def _unit(name: str) -> str:
    return "GB/s" if name.endswith("gb_s") else "Gop/s" if name.endswith("gops") else ""
