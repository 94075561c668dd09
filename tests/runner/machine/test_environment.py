"""The machine is described in plain JSON, and what disturbs a timing is named with advice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qbench.runner.machine import environment

QUIET: dict[str, Any] = {
    "load_average": [0.1, 0.1, 0.1],
    "cpus_allowed": [0, 1],
    "cores_allowed": 2,
    "virtualization": None,
    "governor": "performance",
    "boost": "0",
    "cpu_quota": None,
}


def test_the_description_is_json() -> None:
    facts = environment.describe()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu_model"]
    assert facts["memory_bytes"] > 0


def test_versions_name_what_results_depend_on() -> None:
    assert {"python", "numpy", "numba", "onnxruntime"} <= set(environment.versions())


@pytest.mark.parametrize("program", ["/somewhere/bin/qbench", "-c"])
def test_the_command_is_told_without_its_folder(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [program, "run", "a suite.yaml"])
    assert environment.command_line() == "qbench run 'a suite.yaml'"


def test_the_fingerprint_does_not_change_within_a_machine() -> None:
    assert environment.fingerprint() == environment.fingerprint()


def test_a_quiet_machine_has_no_noise_and_needs_no_advice() -> None:
    assert environment.noise_sources(QUIET) == []
    assert environment.advice(QUIET) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"load_average": [1.5, 0.0, 0.0]}, "load average"),
        ({"virtualization": "KVM"}, "virtual machine"),
        ({"governor": "powersave"}, "governor"),
        ({"boost": "1"}, "boost"),
        ({"cpu_quota": 1.5}, "1.5 of 2"),
        ({"cores_allowed": 1}, "multithreading"),
    ],
)
def test_each_source_of_noise_is_named_with_advice(change: dict[str, Any], word: str) -> None:
    (line,) = environment.noise_sources({**QUIET, **change})
    assert word in line
    (told,) = environment.advice({**QUIET, **change})
    assert told.startswith(line)
    assert len(told) > len(line) + 5


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")
    return folder


def test_a_cpu_quota_is_read_from_either_version_of_control_groups(tmp_path: Path) -> None:
    assert environment.cgroup_cpus(tmp_path) is None
    assert environment.cgroup_cpus(write(tmp_path / "new", cpu__max="150000 100000")) == 1.5
    assert environment.cgroup_cpus(write(tmp_path / "free", cpu__max="max 100000")) is None
    write(tmp_path / "old" / "cpu", **{"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"})
    assert environment.cgroup_cpus(tmp_path / "old") == 2.0


def test_data_caches_are_listed_by_level(tmp_path: Path) -> None:
    write(tmp_path / "index0", level="1", type="Data", size="48K")
    write(tmp_path / "index1", level="1", type="Instruction", size="32K")
    write(tmp_path / "index2", level="2", type="Unified", size="1024K")
    assert environment.caches(tmp_path) == {"l1": 48 * 1024, "l2": 1024 * 1024}


def test_bare_metal_is_no_virtual_machine() -> None:
    assert environment.virtualization(["sse2"]) is None
    assert environment.virtualization(["hypervisor"])
