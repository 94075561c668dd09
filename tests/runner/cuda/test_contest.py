"""A row on the device, run in Numba's simulator: prepared, checked against the law, timed, and said who could not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("in_simulator.py")
PATIENCE_S = 300
WHY = {
    "gemm": "at least 17 rows, got 3",
    "groups": "8-bit weights and activations only",
    "half": "8-bit weights and activations only",
    "conv": "products only",
    "binary": "8-bit weights and activations only",
    "ternary": "8-bit weights and activations only",
}


def row(name: str) -> dict[str, Any]:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, str(SCRIPT), name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", WHY)
def test_a_row_is_exact_and_timed(name: str) -> None:
    found = row(name)
    own, peer = found["parties"]
    assert (found["status"], own["reason"]) == ("ok", "")
    assert own["isa"].startswith("cuda_")
    assert peer["reason"] == WHY[name]
    assert [one["cell"] for one in found["measurements"]] == ["qbench"]
    assert min(found["measurements"][0]["samples_s"]) > 0


def test_a_wrong_answer_is_as_far_off_as_its_largest_difference() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")
    from qbench.errors import MachineError
    from qbench.runner.cuda.contest import deviation

    want = np.array([[1, -4]], np.int32)
    assert deviation(want.copy(), want) == 0
    assert deviation(want + 2, want) == 2
    assert deviation(want.astype(np.float32) + 2, want.astype(np.float32)) == 0.5
    with pytest.raises(MachineError, match=r"shape \(2,\), expected \(1, 2\)"):
        deviation(want[0], want)
