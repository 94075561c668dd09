"""What this device can do at most, measured: matrix instructions alone, reading alone, and a half-precision product."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np

from qbench.kernels.cuda.machines.driver import Device
from qbench.kernels.cuda.multiply import ceiling
from qbench.runner.cuda.clock import DeviceClock

_READ_BYTES = 2**30
_BLOCKS_A_UNIT = 2
_LOOPS = 400


def measure(device: Device, *, clock: DeviceClock | None = None, quick: bool = False) -> dict[str, float]:
    """Return the ceilings of a device under the names that bounds are computed with (`_1`: one device).

    `int8_gops_1` and `popcount_gops_1` are the best of `mma` and `wgmma` loops, which stand beside them;
    `read_gb_s_1` is 10^9 bytes per second from memory.
    """
    clock, samples = clock or DeviceClock(device), 3 if quick else 7
    found: dict[str, float] = {}
    kinds = ("mma", "wgmma") if device.capability >= 90 else ("mma",)
    for name, product in {"int8_gops": "u8_s8", "popcount_gops": "b1_b1"}.items():
        rates = {kind: _unit_rate(device, clock, kind, product, samples=samples) * 1e-9 for kind in kinds}
        found |= {f"{name}_{kind}": rate for kind, rate in rates.items()}
        found[f"{name}_1"] = max(rates.values())
    found["read_gb_s_1"] = _read_rate(device, clock, samples=samples) * 1e-9
    return found


def _best_s(clock: DeviceClock, call: Callable[[], object], samples: int) -> float:
    call()
    return min(clock.elapsed_s(call, 1) for _ in range(samples))


def _unit_rate(device: Device, clock: DeviceClock, kind: str, product: str, *, samples: int) -> float:
    kernel = ceiling.unit_kernel(kind, product)
    blocks = device.attribute("multiprocessors") * (1 if kind == "wgmma" else _BLOCKS_A_UNIT)
    out = device.empty(4 * blocks * kernel.threads)
    launch = device.launch(kernel, blocks, (out, _LOOPS))
    return blocks * ceiling.operations(kind, product, _LOOPS) / _best_s(clock, launch.run, samples)


def _read_rate(device: Device, clock: DeviceClock, *, samples: int) -> float:
    kernel = ceiling.read_kernel()
    turn = kernel.threads * 16 * ceiling.LOADS
    blocks = device.attribute("multiprocessors") * 16
    size = ceil(_READ_BYTES / blocks / turn) * turn
    data = device.upload(np.random.default_rng(0).integers(0, 256, blocks * size, dtype=np.uint8))
    out = device.empty(4 * blocks * kernel.threads)
    launch = device.launch(kernel, blocks, (data, out, size))
    return blocks * size / _best_s(clock, launch.run, samples)
