"""A whole network on the device, in Numba's simulator, gives the CPU's logits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("session_in_simulator.py")
PATIENCE_S = 300
KERNELS = {
    ("w8c-a8t", "mse"): "u8_s8",
    ("w4c-a8t", "mse"): "u8_t4",
    ("wtc-a8t", "ternary"): "u8_t2",
    ("wbc-abt", "binary"): "b1_b1",
}


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("token", "method"), KERNELS)
def test_a_network_gives_the_logits_of_the_cpu(token: str, method: str) -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, str(SCRIPT), token, method]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    device, cpu = np.array(found["device"]), np.array(found["cpu"])
    # Codes between layers are the same; only the last layer's float32 logits may round differently.
    assert np.abs(device - cpu).max() <= 1e-6 * np.abs(cpu).max()
    assert np.ptp(cpu) > 0.1
    assert all(KERNELS[token, method] in kernel for kernel in found["kernels"].values())
    assert len(found["kernels"]) == 4
