"""Passes in stages, and images whose pixels stand side by side, change nothing in what is computed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.engine.plans.network import plan_network
from qbench.engine.plans.stages import calls
from qbench.graph import Conv, Flatten, Linear, Network, Pool, QuantizedNetwork
from qbench.graph.network import Add
from qbench.kernels.variants import choose
from tests.engine.conftest import quantized
from tests.engine.test_other_networks import calibrated

RNG = np.random.default_rng(5)


def conv(name: str, source: str, shape: tuple[int, ...], *, stride: int = 1) -> Conv:
    weight = RNG.normal(size=shape).astype(np.float32)
    pad = shape[2] // 2
    bias = RNG.normal(size=shape[0]).astype(np.float32)
    return Conv(name, source, f"{name}.out", weight, bias, (stride, stride), (pad,) * 4)


def network(channels: int) -> Network:
    """A 7 x 7 stem, layers that shrink until many images fit, an addition within a stage, a classifier."""
    nodes = (
        conv("stem", "x", (48, channels, 7, 7), stride=2),
        conv("a", "stem.out", (32, 48, 3, 3), stride=2),
        conv("b", "a.out", (32, 32, 3, 3)),
        Add("sum", ("a.out", "b.out"), "sum.out"),
        conv("c", "sum.out", (64, 32, 3, 3), stride=2),
        Pool("mean", "global_average", "c.out", "mean.out", (15, 15)),
        Flatten("flat", "mean.out", "flat.out"),
        Linear("fc", "flat.out", "y", RNG.normal(size=(10, 64)).astype(np.float32), np.zeros(10, np.float32)),
    )
    shapes = {
        "x": (channels, 120, 120), "stem.out": (48, 60, 60), "a.out": (32, 30, 30), "b.out": (32, 30, 30),
        "sum.out": (32, 30, 30), "c.out": (64, 15, 15), "mean.out": (64, 1, 1), "flat.out": (64,), "y": (10,),
    }  # fmt: skip
    return Network("staged", "x", shapes["x"], "y", nodes, shapes, {}, "")


def pixels(count: int, channels: int) -> Floats:
    return np.random.default_rng(0).normal(size=(count, channels, 120, 120)).astype(np.float32)


def test_calls_of_a_pass_run_early_steps_once_for_each_group_of_images() -> None:
    assert list(calls((1, 1, 2, 4))) == [
        (0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (1, 2), (0, 3), (1, 3), (2, 2), (3, 0),
    ]  # fmt: skip
    assert list(calls((3, 3))) == [(0, 0), (1, 0)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", ["auto", "portable"])
def test_any_batch_gives_what_one_image_at_a_time_does(channels: int, variant: str) -> None:
    net, x = network(channels), pixels(39, channels)
    weights, activations = quantized(net, calibrated(net, x[:2]), "w8c-a8t", "minmax")
    plan = plan_network(QuantizedNetwork(net, weights, activations), variant=choose(variant)).plan
    assert plan.sizes[0] < plan.sizes[3] < plan.sizes[-1] == plan.images, "three stages"
    assert all(b % a == 0 for a, b in itertools.pairwise(plan.sizes))
    found = {}
    for threads in (1, 2):
        session = build_session(QuantizedNetwork(net, weights, activations), threads=threads, variant=variant)
        found[threads] = session.run(x)
        some = slice(None, None, 1 if variant == "auto" else 6)  # the portable kernels take 50 ms per image
        alone = np.concatenate([session.run(x[i : i + 1]) for i in range(len(x))[some]])
        np.testing.assert_array_equal(alone, found[threads][some])
        assert session.execution == "integer"
        session.close()
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_of_taps_give_what_whole_pixels_give(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network(channels), pixels(3, channels)
    weights, activations = quantized(net, calibrated(net, x), "w8c-a8t", "minmax")
    session = build_session(QuantizedNetwork(net, weights, activations), threads=1)
    assert session.plan.layouts["x:codes"].words == channels
    monkeypatch.setattr("qbench.engine.plans.kept.takes_rows", lambda *_: False)
    whole = build_session(QuantizedNetwork(net, weights, activations), threads=1)
    assert whole.plan.layouts["x:codes"].words == 4
    np.testing.assert_array_equal(session.run(x), whole.run(x))
