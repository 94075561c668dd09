"""Every stage of STAGES, and every method as a stage, keeps its promises on a network of four layers.

What a stage makes is a function of the network, the samples and the seed, so all tests share what is seen of the
network; only where two results must be the same is it seen twice.

For authors of stages: name yours in the entry-point group `qbench.stages`, and this file tries it too.
"""

from __future__ import annotations

import inspect
import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from qbench.cli.listing import source_of
from qbench.core.granularity import PerChannel, PerGroup, PerTensor
from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QTensor
from qbench.core.trial import Trial
from qbench.engine import FloatSession
from qbench.errors import QBenchError
from qbench.graph import Conv, Network, QuantizedNetwork, depth_weights
from qbench.graph.weights import onnx_order
from qbench.methods import METHODS
from qbench.quantization import STAGES, Observations, Recipe, assigned, parse_recipe
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.suite import Suite
from tests.quantization.small import block, rows
from tests.runner.conftest import small_network, suite, suite_path

__all__ = ["suite", "suite_path"]
FORM = {"before": "{}/mse", "rounding": "mse+{}", "after": "mse/{}"}
IN_TORCH = {"brecq", "qdrop", "lsq"}
"""Held to the same in tests/quantization/test_rounding.py, in few steps and where torch is installed."""
RECIPES = {name: FORM[STAGES.load(name).place].format(name) for name in STAGES if name not in IN_TORCH}
ON_ROWS = ("rotate",)
"""Stages that refuse a network of images."""
ROUNDING = [name for name in RECIPES if STAGES.load(name).place == "rounding"]
WIDTHS = {"ternary": "wtc-a8t", "binary": "wbc-a8t", "nvfp4": "w4g16-a8t", "mxfp4": "w4g32-a8t"}
WIDTHS |= {"mxfp8": "w8g32-a8t", "mxint8": "w8g32-a8t", "fp8_e4m3": "w8c-a8t", "fp8_e5m2": "w8c-a8t"}
SPECS = ("w8c-a8t", "w4g16-a4t", "w4g16k-a8t", "w3t-a32", "wtc-att", "wbc-abt", "w4logc-a8t", "w4e2m1c-a8t", "w32-a8t")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn in fewer steps than users get."""
    monkeypatch.setattr("qbench.quantization.adaround.STEPS", 30)
    monkeypatch.setattr("qbench.quantization.signround.STEPS", 20)


@cache
def samples() -> Floats:
    return np.random.default_rng(3).standard_normal((12, 3, 8, 8)).astype(np.float32)


@cache
def network() -> Network:
    """The small network with a convolution before the first, so that scale can move between two that nothing joins."""
    plain = small_network()
    first = plain.nodes[0]
    assert isinstance(first, Conv)
    drawn = np.random.default_rng(5).standard_normal((16, 16, 3, 3)).astype(np.float32) * np.float32(0.2)
    nodes = (replace(first, name="stem", output="stem"), replace(first, input="stem", weight=drawn), *plain.nodes[1:])
    return replace(plain, nodes=nodes, shapes={**plain.shapes, "stem": (16, 8, 8)})


@cache
def seen_of(place: int, *, of_rows: bool = False) -> Observations:
    """The observations of the network, or of a transformer, that all tests share; of another place, others."""
    return Observations(block() if of_rows else network(), rows if of_rows else samples, threads=1)


def made(recipe: str, token: str, *, place: int = 0) -> tuple[Recipe, QuantizedNetwork]:
    """What a recipe makes of the network; `rotate` is made for transformers."""
    found, seen = parse_recipe(recipe), seen_of(place, of_rows=recipe.startswith(ON_ROWS))
    return found, found.apply(assigned(seen.network, token, method=found.parts.method), seen, seed=0)


def same(a: QuantizedNetwork, b: QuantizedNetwork) -> bool:
    """Whether two networks have the same codes, scales, parameters and biases, to the last bit."""
    if a.weights.keys() != b.weights.keys() or a.activations.keys() != b.activations.keys():
        return False
    params = [(a.activations[t], b.activations[t]) for t in a.activations]
    params += [(a.weights[name].params, b.weights[name].params) for name in a.weights]
    return (
        all(np.array_equal(a.weights[name].codes, b.weights[name].codes) for name in a.weights)
        and all(np.array_equal(x.scale, y.scale) and np.array_equal(x.zero_point, y.zero_point) for x, y in params)
        and all(np.array_equal(x.bias, y.bias) for x, y in zip(a.network.layers, b.network.layers, strict=True))
    )


@pytest.mark.parametrize("name", [*RECIPES, *sorted(set(METHODS) - {"log_floor"})])
def test_the_same_seed_gives_the_same_bits_from_samples_alone(name: str) -> None:
    recipe, token = RECIPES.get(name, name), WIDTHS.get(name, "w4c-a8t")
    _, first = made(recipe, token)
    _, again = made(recipe, token, place=1)
    assert same(first, again)


@pytest.fixture(scope="module")
def bench(suite: Suite) -> Bench:
    return Bench(network(), bench_of(suite).data, threads=1)


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith(ON_ROWS)])
def test_evaluation_samples_are_never_looked_at(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a stage asked for evaluation samples")

    monkeypatch.setattr(type(bench.data), "inputs", forbidden)
    trial = Trial("s", "small", "small", "all", "w4c-a8t", "mse", calibration=8)
    parts = parse_recipe(RECIPES[name]).parts
    trial = replace(trial, transform=parts.transform, rounding=parts.rounding, correction=parts.correction)
    assert bench.quantized(trial, Phases(Clock())).weights


@pytest.mark.parametrize("token", ["w4t-a32", "w4c-a32", "w4g16-a32", "w4g16k-a32"])
@pytest.mark.parametrize("name", RECIPES)
def test_numbers_share_a_scale_as_the_spec_says(name: str, token: str) -> None:
    if parse_recipe(RECIPES[name]).supports(parse_spec(token)) is not None:
        return
    _, found = made(RECIPES[name], token)
    wanted = parse_spec(token).weights
    for layer in found.network.layers:
        codes, (channels, depth) = found.weights[layer.name], depth_weights(layer).shape
        shapes = {PerTensor: (), PerChannel: (channels,)}
        assert codes.spec == wanted
        assert codes.params.scale.shape == shapes.get(type(wanted.granularity), (channels, -(-depth // 16)))
        assert not isinstance(wanted.granularity, PerGroup) or codes.params.scale.ndim == 2


@cache
def on_grid(token: str) -> tuple[Observations, dict[str, QTensor]]:
    """What is seen of the network whose weights are exactly what `mse` makes of them, and these codes."""
    plain = network()
    _, found = made("mse", token)
    nodes = tuple(
        replace(node, weight=onnx_order(node, found.weights[node.name].dequantize()))
        if node.name in found.weights
        else node
        for node in plain.nodes
    )
    whole = replace(plain, nodes=nodes)  # type: ignore[arg-type]
    return Observations(whole, samples, threads=1), dict(found.weights)


@pytest.mark.parametrize("token", ["w4c-a32", "w4g16-a32"])
@pytest.mark.parametrize("name", ROUNDING)
def test_weights_on_their_grid_keep_their_codes(name: str, token: str) -> None:
    seen, codes = on_grid(token)
    plain = replace(assigned(seen.network, token, method="mse"), weights=codes)
    found = STAGES.part(name).apply(plain, seen, seed=0)
    for layer, kept in codes.items():
        np.testing.assert_allclose(found.weights[layer].dequantize(), kept.dequantize(), atol=1e-6)


@pytest.mark.parametrize("name", [name for name in RECIPES if STAGES.load(name).place != "before"])
def test_weights_that_are_exactly_representable_lose_nothing(name: str) -> None:
    seen, codes = on_grid("w8c-a32")
    plain = replace(assigned(seen.network, "w8c-a32", method="mse"), weights=codes)
    found = STAGES.part(name).apply(plain, seen, seed=0)
    with FloatSession(seen.network, threads=1) as before, FloatSession(found.dequantized(), threads=1) as after:
        want = before.run(samples())
        np.testing.assert_allclose(after.run(samples()), want, atol=1e-4 * float(np.abs(want).max()))


SMALLEST, LARGEST = 64, 192
"""Calibration samples; as many as the smaller number may be looked at as one."""


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith(ON_ROWS)])
def test_memory_does_not_grow_with_the_number_of_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, found = network(), parse_recipe(RECIPES[name])
    tensor_bytes = 4 * 16 * 8 * 8
    monkeypatch.setattr("qbench.quantization.walk.KEPT_BYTES", SMALLEST * tensor_bytes)
    plain = assigned(whole, "w4c-a8t", method="mse")

    def peak_bytes(count: int) -> int:
        drawn = np.random.default_rng(3).standard_normal((count, 3, 8, 8), np.float32)
        seen = Observations(whole, lambda: drawn, threads=1)
        tracemalloc.start()
        found.apply(plain, seen, seed=0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    more = peak_bytes(LARGEST) - peak_bytes(SMALLEST)
    assert more < 0.5 * (LARGEST - SMALLEST) * tensor_bytes, "as if a tensor of all samples were kept"


@pytest.mark.parametrize("name", [*RECIPES, *METHODS])
def test_a_spec_that_cannot_be_made_has_a_reason_of_one_line(name: str) -> None:
    recipe = parse_recipe(RECIPES.get(name, name))
    for token in SPECS:
        reason = recipe.supports(parse_spec(token))
        if reason is not None:
            assert reason.startswith((name, "mse"))
        elif name in RECIPES:
            reason = refusal(recipe.text, token)
        assert "\n" not in (reason or "")


def refusal(recipe: str, token: str) -> str:
    """Why a recipe refuses the network when it gets to it, "" where it makes it."""
    try:
        return "" if made(recipe, token)[1].specs else "nothing was made"
    except QBenchError as error:
        return str(error)


@pytest.mark.parametrize("name", [*METHODS, *STAGES])
def test_a_part_says_what_it_does_and_where_it_is_from(name: str) -> None:
    part = METHODS.load(name) if name in METHODS else STAGES.load(name)
    assert len(inspect.getdoc(part if inspect.isclass(part) else type(part)) or "") > 10
    assert source_of(part)
