"""Energy as the machine counts it: RAPL's counters of whole packages, or a GPU's own. No counter, no figure."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from qbench.errors import MachineError

POWERCAP = Path("/sys/class/powercap")
_NVML = "libnvidia-ml.so.1"


class Sensor(Protocol):
    """Counts energy."""

    @property
    def name(self) -> str:
        """What it is, and of which domain."""
        ...

    def read(self) -> tuple[float, ...]:
        """Return joules so far, of each of its counters."""
        ...

    def spent_j(self, before: Sequence[float], after: Sequence[float]) -> float:
        """Return the joules between two readings, of all counters together."""
        ...


@dataclass(frozen=True, slots=True)
class Rapl:
    """Counters of packages, in microjoules; each begins again at 0 once its range is full.

    Args:
        zones: a folder for each package.
        ranges_j: of each counter.
    """

    zones: tuple[Path, ...]
    ranges_j: tuple[float, ...]

    @property
    def name(self) -> str:
        """What it is."""
        return f"RAPL, {len(self.zones)} package" + ("s" if len(self.zones) > 1 else "")

    def read(self) -> tuple[float, ...]:
        """Return joules of each package."""
        return tuple(1e-6 * int(_text(zone / "energy_uj")) for zone in self.zones)

    def spent_j(self, before: Sequence[float], after: Sequence[float]) -> float:
        """Return the joules between two readings that are less than a range apart."""
        return sum((b - a) % limit for a, b, limit in zip(before, after, self.ranges_j, strict=True))


def rapl(root: Path = POWERCAP) -> Rapl:
    """Return the counters of this machine's packages; raise MachineError with the reason where there are none."""
    zones = [zone for zone in sorted(root.glob("*:*")) if _is_package(zone)]
    if not zones:
        raise MachineError(f"no sensor: {root} has no package")
    try:
        found = Rapl(tuple(zones), tuple(1e-6 * int(_text(zone / "max_energy_range_uj")) for zone in zones))
        found.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise MachineError(f"no sensor: {zones[0] / 'energy_uj'} cannot be read: {reason}") from error
    return found


def _is_package(zone: Path) -> bool:
    try:
        return _text(zone / "name").startswith("package")
    except OSError:
        return False


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


class Nvml:
    """The total energy of the first GPU as its driver counts it, in millijoules since the driver was loaded.

    Args:
        library: NVIDIA's management library.

    Raises:
        MachineError: there is none, or the GPU does not count.
    """

    name = "NVML, first GPU"

    def __init__(self, library: Any = None) -> None:
        try:
            self._library = library or ctypes.CDLL(_NVML)
        except OSError as error:
            raise MachineError(f"no sensor: {_NVML} is not here") from error
        self._device = ctypes.c_void_p()
        self._ask("nvmlInit_v2")
        self._ask("nvmlDeviceGetHandleByIndex_v2", 0, ctypes.byref(self._device))
        self.read()

    def read(self) -> tuple[float, ...]:
        """Return joules."""
        energy_mj = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetTotalEnergyConsumption", self._device, ctypes.byref(energy_mj))
        return (1e-3 * energy_mj.value,)

    def spent_j(self, before: Sequence[float], after: Sequence[float]) -> float:
        """Return the joules between two readings."""
        return after[0] - before[0]

    def _ask(self, function: str, *arguments: Any) -> None:
        code = getattr(self._library, function)(*arguments)
        if code:
            raise MachineError(f"no sensor: {function} answered {code}")
