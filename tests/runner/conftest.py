"""A timer that tests own, where time passes only when a test says so, and a suite on a network of three layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.graph import Clamp, Conv, Flatten, Linear, Network, Pool, read_onnx, write_onnx
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.timing.clock import Clock
from qbench.suite import Planned, Suite, expand, load_suite


class FakeTime:
    """Nanoseconds that move when `spend` is called; reading costs `tick_ns`."""

    def __init__(self, *, tick_ns: int = 10) -> None:
        self.now_ns = 0
        self.tick_ns = tick_ns
        self.calls: list[str] = []

    def read(self) -> int:
        """Be a `Timer`."""
        self.now_ns += self.tick_ns
        return self.now_ns

    def work(self, name: str, nanoseconds: Callable[[], float]) -> Callable[[], None]:
        """Return a call that takes so long and remembers that it was made."""

        def call() -> None:
            self.calls.append(name)
            self.now_ns += round(nanoseconds())

        return call


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(fake_time: FakeTime) -> Clock:
    return Clock(fake_time.read)


CLASSES = 4
SUITE = """
name: small
model: small.onnx
data: small.npz
calibration: {samples: 16}
threads: 2
timing: {batch_sizes: [1, 8], precision: 0.5, seconds_a_cell: 0.01, references: [onnxruntime-fp32, onnxruntime-int8]}
sweeps:
  - {name: bits, scope: [weights, activations, full], bits: [8, 4], method: minmax}
  - {name: single, layers: second, scope: full, bits: 4, method: mse}
  - {name: speed, measure: [accuracy, speed, layers], spec: w8c-a8t, method: mse}
  - {name: peers, spec: w8c-a8t, method: mse, backend: onnxruntime-int8}
"""


def small_network() -> Network:
    """Return two convolutions, the second with a residual, and a classifier."""
    generator = np.random.default_rng(0)

    def numbers(*shape: int) -> Floats:
        return (generator.standard_normal(shape) * 0.2).astype(np.float32)

    relu, same = Clamp(0.0, float("inf")), (1, 1, 1, 1)
    convolution = (numbers(16, 16, 3, 3), numbers(16))
    nodes = (
        Conv("first", "images", "first", numbers(16, 3, 3, 3), numbers(16), pads=same, activation=relu),
        Conv("second", "first", "second", *convolution, pads=same, activation=relu, residual="first"),
        Pool("pooled", "global_average", "second", "pooled", (8, 8)),
        Flatten("flat", "pooled", "flat"),
        Linear("last", "flat", "last", numbers(CLASSES, 16) * 5, numbers(CLASSES)),
    )
    shapes = {"images": (3, 8, 8), "first": (16, 8, 8), "second": (16, 8, 8), "pooled": (16, 1, 1), "flat": (16,)}
    return Network("small", "images", (3, 8, 8), "last", nodes, shapes | {"last": (CLASSES,)}, {}, "")


@pytest.fixture(scope="session")
def suite_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite file beside its own network and its own images, labelled as fp32 answers for 9 of 10."""
    folder = tmp_path_factory.mktemp("small")
    write_onnx(small_network(), folder / "small.onnx")
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    session = FloatSession(read_onnx(folder / "small.onnx"), threads=1)
    labels = session.run((images / 255).astype(np.float32).transpose(0, 3, 1, 2)).argmax(axis=1)
    labels[::10] = (labels[::10] + 1) % CLASSES
    calibration = generator.integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    classes = np.array([f"class {i}" for i in range(CLASSES)])
    np.savez(folder / "small.npz", images=images, labels=labels, calibration=calibration, classes=classes)
    (folder / "small.yaml").write_text(SUITE)
    return folder / "small.yaml"


@pytest.fixture(scope="session")
def suite(suite_path: Path) -> Suite:
    return load_suite(suite_path)


@pytest.fixture
def bench(suite: Suite) -> Bench:
    return bench_of(suite)


@pytest.fixture
def planned(bench: Bench, suite: Suite) -> dict[str, Planned]:
    """The trials of the suite by sweep and spec, e.g. `bits/w4c-a4t`; the fp32 row is `baseline/w32-a32`."""
    items = expand(suite, [layer.name for layer in bench.network.layers])
    return {f"{item.trial.sweep}/{item.trial.spec}": item for item in items}
