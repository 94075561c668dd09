"""Peak resident memory of every method and stage that calibrates ResNet-20 on 10,000 images, Python and torch with it.

It takes minutes: python -m pytest -n0 -s -m slow tests/end_to_end/test_calibration_memory.py
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from qbench.methods import METHODS
from qbench.quantization import STAGES, stage_names

MOST_MIB = 1024
IMAGES = 10_000
IN_TORCH = {"brecq", "qdrop", "lsq"}
SPECS = {"ternary": "wtc-att", "binary": "wbc-abt", "nvfp4": "w4g16-a8t", "mxfp4": "w4g32-a8t", "mxint8": "w8g32-a8t"}
SPECS |= {"mxfp8": "w8g32-a8t", "fp8_e4m3": "w8c-a8t", "fp8_e5m2": "w8c-a8t"}
POSITIVE = {"log_floor"}
"""Methods of positive numbers alone, which no weights are."""
CALIBRATE = """
import sys
import numpy as np
from qbench.errors import UnsuitableError
from qbench.graph import read_onnx
import qbench.quantization.adaround as adaround
import qbench.quantization.signround as signround
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.zoo import load_data, model_path

adaround.STEPS = signround.STEPS = 5  # one step takes as much memory as all
if sys.argv[1] == "blocks":
    from qbench.quantization.blocks import reconstruct

    reconstruct.STEPS = 5
network = read_onnx(model_path("resnet20"))
draw = load_data("cifar10-shard").calibration_inputs(512, 0)
seen = Observations(network, lambda: np.resize(draw, ({images}, *draw.shape[1:])), threads=2)
for word in sys.argv[2:]:
    text, token = word.split(":")
    recipe = parse_recipe(text)
    try:
        recipe.apply(assigned(network, token, method=recipe.parts.method), seen)
    except UnsuitableError as why:
        print(text, why)
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(f"{{text}}: {{int(peak) / 1024:.0f}} MiB", flush=True)
"""


def recipes() -> dict[str, list[str]]:
    """The methods, and the stages by the word in which they differ, that one process makes: it sees samples once."""
    forms = {"before": "{}/mse", "rounding": "mse+{}", "after": "mse/{}"}
    found = {"methods": [f"{name}:{SPECS.get(name, 'w4c-a8t')}" for name in METHODS if name not in POSITIVE]}
    for name in STAGES:
        place = next(place for place in forms if name in stage_names(place))  # type: ignore[arg-type]
        found.setdefault("blocks" if name in IN_TORCH else place, []).append(f"{forms[place].format(name)}:w4c-a8t")
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not tell a process' peak memory")
@pytest.mark.parametrize("group", recipes())
def test_calibrating_on_ten_thousand_images_takes_less_than_a_gibibyte(group: str) -> None:
    if group == "blocks" and find_spec("torch") is None:
        pytest.skip("torch is not installed (extra train)")
    command = [sys.executable, "-c", CALIBRATE.format(images=IMAGES), group, *recipes()[group]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr[-1500:]
    peaks = [float(line.split()[-2]) for line in done.stdout.splitlines() if line.endswith(" MiB")]
    assert len(peaks) == len(recipes()[group])
    assert max(peaks) < MOST_MIB
