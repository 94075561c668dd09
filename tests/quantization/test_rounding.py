"""Every rounding: deterministic for a seed, at rest on its grid, and what is learned beats rounding to nearest."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QTensor
from qbench.errors import MachineError
from qbench.graph import Network, QuantizedNetwork
from qbench.methods import METHODS, method_spec
from qbench.quantization import STAGES, Observations, assigned, parse_recipe, stage_names
from qbench.quantization.adaround import adapted
from qbench.quantization.gptq import rounded
from qbench.quantization.seqmse import chosen
from qbench.quantization.signround import signed
from qbench.quantization.stochastic import drawn
from qbench.quantization.walk import Moments
from tests.quantization.test_gptq import correlated
from tests.runner.conftest import small_network

IMAGES = np.random.default_rng(0).random((48, 3, 8, 8), np.float32)
IN_TORCH = {"brecq", "qdrop", "lsq"}
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed (extra train)")
ROUNDINGS = [pytest.param(name, marks=needs_torch if name in IN_TORCH else ()) for name in stage_names("rounding")]


def made(recipe: str, token: str, network: Network | None = None, *, seed: int = 0) -> QuantizedNetwork:
    network = network or small_network()
    plain = assigned(network, token, method="mse")
    return parse_recipe(recipe).apply(plain, Observations(network, lambda: IMAGES, threads=1), seed=seed)


def layer(token: str, *, groups: int = 1) -> tuple[Floats, QTensor, Moments]:
    """Return weights, their nearest codes, and the moments of inputs that hang together."""
    method = METHODS.part({"t": "ternary"}.get(token[1], "mse"))
    weights = np.random.default_rng(1).standard_normal((8, 48)).astype(np.float32)
    x = correlated(2048, 48 * groups).reshape(2048, groups, 48).transpose(1, 0, 2).astype(np.float64)
    gram = x.transpose(0, 2, 1) @ x / 2048
    target = (weights.reshape(groups, -1, 48) @ gram).reshape(weights.shape)
    codes = method.quantize_weights(weights, method_spec(method, parse_spec(token)).weights)
    return weights, codes, Moments(gram, target, (target * weights).sum(axis=1))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let blocks be learned in fewer steps than users get."""
    if find_spec("torch") is not None:
        monkeypatch.setattr("qbench.quantization.blocks.reconstruct.STEPS", 40)


@pytest.mark.parametrize("name", ROUNDINGS)
def test_a_seed_gives_the_same_codes(name: str) -> None:
    first, second = (made(f"mse+{name}", "w3c-a4t", seed=3) for _ in range(2))
    for layer_name, codes in first.weights.items():
        np.testing.assert_array_equal(codes.codes, second.weights[layer_name].codes)
        np.testing.assert_array_equal(codes.params.scale, second.weights[layer_name].params.scale)
    assert {n: float(p.scale) for n, p in first.activations.items()} == {
        n: float(p.scale) for n, p in second.activations.items()
    }


@pytest.mark.parametrize("name", ROUNDINGS)
def test_what_lies_on_its_grid_stays(name: str) -> None:
    nearest = made("mse", "w4c-a32")
    network = nearest.dequantized()
    plain = replace(nearest, network=network)
    found = STAGES.part(name).apply(plain, Observations(network, lambda: IMAGES, threads=1), seed=0)
    for layer_name, codes in nearest.weights.items():
        np.testing.assert_array_equal(found.weights[layer_name].codes, codes.codes)
        np.testing.assert_array_equal(found.weights[layer_name].params.scale, codes.params.scale)


@pytest.mark.parametrize("name", [p for p in ROUNDINGS if p.values[0] not in ("stochastic",)])
def test_a_network_answers_nearer_to_fp32_than_after_rounding_to_nearest(name: str) -> None:
    from qbench.engine import build_session

    network = small_network()

    def answers(quantized: QuantizedNetwork) -> Floats:
        with build_session(quantized, threads=1) as session:
            return session.run(IMAGES)

    wanted = answers(QuantizedNetwork(network))
    errors = [np.square(answers(made(recipe, "w3c-a8t")) - wanted).mean() for recipe in ("mse", f"mse+{name}")]
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize("token", ["w4c-a32", "w3t-a32", "w2g16-a32", "w8c-a32", "w1c-a32", "wtc-a32"])
@pytest.mark.parametrize("make", [adapted, signed, chosen])
def test_no_channel_is_worse_than_before(make, token: str) -> None:  # type: ignore[no-untyped-def]
    weights, nearest, moments = layer(token, groups=2)
    found = make(weights, nearest, moments)
    before, after = (moments.errors(codes.dequantize()) for codes in (nearest, found))
    if nearest.params.scale.ndim == 0:  # channels share a step
        before, after = before.sum(), after.sum()
    assert (after <= before * (1 + 1e-9) + 1e-12).all()
    assert after.sum() < before.sum() or token == "w8c-a32"
    assert found.params.scale.shape == nearest.params.scale.shape


def test_roundings_that_look_at_inputs_beat_nearest_where_those_hang_together() -> None:
    weights, nearest, moments = layer("w3c-a32")
    errors = {
        "nearest": moments.errors(nearest.dequantize()).sum(),
        "gptq": moments.errors(rounded(weights, nearest.params, moments.gram).dequantize()).sum(),
        "adaround": moments.errors(adapted(weights, nearest, moments).dequantize()).sum(),
        "signround": moments.errors(signed(weights, nearest, moments).dequantize()).sum(),
    }
    assert errors["gptq"] < 0.7 * errors["nearest"]
    assert errors["adaround"] < 1.2 * errors["gptq"]
    assert errors["signround"] < 0.85 * errors["nearest"]


def test_the_mean_over_stochastic_draws_is_the_weight() -> None:
    weights, nearest, _ = layer("w4c-a32")
    inside = np.abs(weights) < 6 * nearest.params.scale[:, None]
    draws = [drawn(weights, nearest, np.random.default_rng(seed)).dequantize() for seed in range(400)]
    error = np.mean(draws, axis=0) - weights
    assert np.abs(error[inside]).max() < 0.2 * nearest.params.scale.max()
    assert abs(float(error[inside].mean())) < 0.01 * nearest.params.scale.max()


@pytest.mark.parametrize("token", ["w4logc-a32", "wbc-a32"])
@pytest.mark.parametrize("name", [name for name in stage_names("rounding") if name not in ("gptq", "seqmse")])
def test_what_has_no_up_and_down_is_refused_in_one_line(name: str, token: str) -> None:
    reason = STAGES.part(name).supports(parse_spec(token))
    assert reason is not None
    assert reason.startswith(f"{name}: weights need equal steps")


def test_without_torch_learning_in_blocks_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbench.quantization.reconstruction.find_spec", lambda name: None)
    with pytest.raises(MachineError, match=r"qdrop: it learns in torch, .*qbench\[train\]"):
        made("mse+qdrop", "w4c-a8t")


@needs_torch
def test_a_block_in_torch_is_the_block_of_the_engine() -> None:
    import torch

    from qbench.engine import build_session
    from qbench.quantization.blocks.forward import Values, can_run

    network = small_network()
    assert can_run(network.nodes)
    values = Values({network.input: torch.tensor(IMAGES)}, weights={}, rounded=lambda _, x: x, everyone=True)
    values.run(network.nodes)
    with build_session(QuantizedNetwork(network), threads=1) as session:
        np.testing.assert_allclose(values[network.output].numpy(), session.run(IMAGES), atol=1e-4)
