"""Counters of energy as files and as a library give them: they wrap, they may be missing, and idle is taken off."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from qbench.errors import MachineError
from qbench.runner.load.energy import energy, idle_w
from qbench.runner.machine.sensors import Nvml, rapl
from qbench.runner.timing.clock import Clock


def zone(root: Path, name: str, domain: str, energy_uj: int, limit_uj: int = 1000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in (("name", domain), ("energy_uj", str(energy_uj)), ("max_energy_range_uj", str(limit_uj))):
        (folder / file).write_text(f"{text}\n")
    return folder


def test_only_packages_are_counted_and_a_counter_that_began_anew_is_not_negative(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", "package-0", 990), zone(tmp_path, "intel-rapl:1", "package-1", 10)
    zone(tmp_path, "intel-rapl:0:0", "core", 5)
    sensor = rapl(tmp_path)
    assert sensor.name == "RAPL, 2 packages"
    before = sensor.read()
    (first / "energy_uj").write_text("20\n")
    (second / "energy_uj").write_text("40\n")
    assert sensor.spent_j(before, sensor.read()) == pytest.approx(60e-6)


def test_a_machine_without_a_counter_says_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no sensor: .* has no package"):
        rapl(tmp_path)
    folder = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (folder / "energy_uj").unlink()
    with pytest.raises(MachineError, match=r"no sensor: .*energy_uj cannot be read: No such file"):
        rapl(tmp_path)


class Driver:
    """A library that counts 250 J a second."""

    def __init__(self, code: int = 0) -> None:
        self.code, self.energy_mj = code, 5

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._answer(name, arguments)

    def _answer(self, name: str, arguments: tuple[Any, ...]) -> int:
        if name.endswith("EnergyConsumption"):
            ctypes.cast(arguments[1], ctypes.POINTER(ctypes.c_ulonglong))[0] = self.energy_mj
            return self.code
        return 0


def test_a_gpu_that_does_not_count_says_so() -> None:
    sensor = Nvml(Driver())
    assert sensor.read() == (0.005,)
    with pytest.raises(MachineError, match="no sensor: nvmlDeviceGetTotalEnergyConsumption answered 3"):
        Nvml(Driver(code=3))


class Machine:
    """A timer and a sensor: 10 W idle, 30 W while a call runs, which takes 0.1 s."""

    name = "made up"

    def __init__(self) -> None:
        self.now_ns, self.joules = 0, 0.0

    def timer(self) -> int:
        return self.now_ns

    def spend(self, seconds: float, watts: float = 10.0) -> None:
        self.now_ns += round(seconds * 1e9)
        self.joules += watts * seconds

    def read(self) -> tuple[float, ...]:
        return (self.joules,)

    def spent_j(self, before: tuple[float, ...], after: tuple[float, ...]) -> float:
        return after[0] - before[0]


def test_the_energy_of_a_sample_is_what_it_costs_beyond_the_idle_machine() -> None:
    machine = Machine()
    clock = Clock(machine.timer, machine.spend, awake_s=0.0)
    idle = idle_w(machine, 2.0, clock=clock)
    found = energy(lambda: machine.spend(0.1, 30.0), 4, machine, 1.0, idle=idle, clock=clock)
    assert idle == pytest.approx(10.0)
    assert (found.sample_j, found.power_w) == pytest.approx((0.1 * 20.0 / 4, 30.0))
