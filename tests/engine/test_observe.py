"""What a session observes is the law of what it shows, tensor by tensor and to the last bit; threads change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.errors import QBenchError
from qbench.graph import Conv, Network, read_onnx
from qbench.methods import ActivationObserver, ActivationStats, stats_of
from qbench.zoo import model_path

from .encoder import encoder, ids

EXPORTED = Path(__file__).parents[1] / "graph" / "exported"
NETWORKS: dict[str, Callable[[Path], Network]] = {
    "resnet20": lambda _: read_onnx(model_path("resnet20")),
    "encoder": encoder,
    **{
        name: lambda _, name=name: read_onnx(EXPORTED / f"{name}.onnx")  # type: ignore[misc]
        for name in ("mobilenet_v2_script", "shufflenet_script", "unet_nearest_script")
    },
}


def shown(session: FloatSession, x: Floats) -> dict[str, ActivationStats]:
    """The statistics of every tensor that a session shows, in plain NumPy."""
    observers: dict[str, ActivationObserver] = {}
    session.run(x, tap=lambda name, values: observers.setdefault(name, ActivationObserver()).update(values))
    return {name: observer.finish() for name, observer in observers.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_observed_is_what_is_shown(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name](tmp_path)
    draw = np.random.default_rng(0)
    x = ids(5) if name == "encoder" else draw.standard_normal((5, *network.input_shape), np.float32)
    with FloatSession(network, threads=1) as one, FloatSession(network, threads=3) as three:
        wanted = shown(one, x)
        for found in (one.observe(x), three.observe(x)):
            assert found.keys() == wanted.keys()
            for tensor, parts in found.items():
                got = stats_of(parts)
                for field in fields(ActivationStats):
                    same = np.array_equal(getattr(got, field.name), getattr(wanted[tensor], field.name))
                    assert same, (tensor, field.name)
    residuals = [node for node in network.nodes if isinstance(node, Conv) and node.residual is not None]
    assert {f"{node.name}:pre_add" for node in residuals} <= wanted.keys()


def test_a_number_that_is_not_finite_is_refused() -> None:
    x = np.zeros((3, 3, 32, 32), np.float32)
    x[2, 1, 5, 7] = np.inf
    network = read_onnx(model_path("resnet20"))
    with FloatSession(network, threads=2) as session:
        found = session.observe(x)
    with pytest.raises(QBenchError, match="NaN or infinite"):
        stats_of(found[network.input])
