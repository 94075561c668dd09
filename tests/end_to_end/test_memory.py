"""Peak resident memory of a saved network that is loaded and run, beside onnxruntime on the same quantized network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qbench.engine.saved.network import save_network
from qbench.graph import QuantizedNetwork, qdq_onnx_bytes, read_onnx
from qbench.quantization import Observations
from qbench.zoo import load_data, model_path
from tests.engine.conftest import quantized as made

READ_PEAK = """
import numpy
x = numpy.zeros(({batch}, 3, 32, 32), numpy.float32)
{load}
for _ in range(3):
    run()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
QBENCH = """
from pathlib import Path
from qbench.engine.saved.network import load_network
session = load_network(Path({path!r})).session(threads=2)
run = lambda: session.run(x)
"""
ONNXRUNTIME = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
session = onnxruntime.InferenceSession({path!r}, options)
run = lambda: session.run(None, {{session.get_inputs()[0].name: x}})
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled kernels, those of both batches: only a second start counts."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, network = tmp_path_factory.mktemp("quantized"), read_onnx(model_path("resnet20"))
    samples = load_data("cifar10-shard").inputs(0, 16)
    seen = Observations(network, lambda: samples, threads=2).stats()
    weights, activations = made(network, seen, "w8c-a8t", "minmax")
    (folder / "network.onnx").write_bytes(qdq_onnx_bytes(QuantizedNetwork(network, weights, activations)))
    save_network(folder / "saved", QuantizedNetwork(network, weights, activations), facts={})
    return folder


def _peak_kib(load: str, path: Path, batch: int, cache: Path) -> int:
    code = READ_PEAK.format(batch=batch, load=load.format(path=str(path)))
    environment = {**os.environ, "QBENCH_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not tell a process' peak memory")
@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.xdist_group("memory")
def test_a_second_start_takes_no_more_memory_than_onnxruntime(quantized: Path, batch: int, cache: Path) -> None:
    _peak_kib(QBENCH, quantized / "saved", batch, cache)  # compiles
    own = _peak_kib(QBENCH, quantized / "saved", batch, cache)
    assert own <= _peak_kib(ONNXRUNTIME, quantized / "network.onnx", batch, cache)
