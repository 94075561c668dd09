"""Dynamic activations: each sample, or each row of channels, by its own extremes; products to the last bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import build_session
from qbench.graph import Conv, Linear, Network, QuantizedNetwork
from qbench.graph.network import Clamp, Layer
from qbench.kernels import variants
from qbench.kernels.conv.reference import Window, windows
from qbench.kernels.quantize.reference import dynamic_codes
from qbench.methods import METHODS, ActivationStats

from .conftest import quantized

SIDE, CHANNELS, OUT = 4, 7, 5


def law(x: Floats, codes: np.ndarray, layer: Layer, scale: Floats, *, rows: bool, kernel: int) -> Floats:
    """A layer of images (n, h, w, c) as its law says: sums of whole numbers, then what the range of each one makes."""
    seen, step, zero = dynamic_codes(x, 255, rows=rows)
    depth = windows(seen - zero.astype(np.int64), Window((kernel, kernel), pads=(kernel // 2,) * 4), 0)
    depth = depth.astype(np.int64) + (zero.astype(np.int64) - 128)  # the border holds the code of 0
    sums = (depth @ codes.T.astype(np.int64)).astype(np.float32) * scale
    totals = (codes * scale[:, None]).sum(axis=1, dtype=np.float64).astype(np.float32)
    result = step * (sums - (zero - np.float32(128)) * totals) + layer.bias
    return np.maximum(result, layer.activation.low) if layer.activation else result


@pytest.mark.parametrize(("token", "kernel"), [("a8d", 1), ("a8d", 3), ("a8r", 1)])
@pytest.mark.parametrize("is_conv", [True, False])
def test_a_layer_is_its_law_to_the_last_bit(token: str, kernel: int, is_conv: bool) -> None:
    if kernel == 3 and not is_conv:
        return
    draw, spec = np.random.default_rng(kernel), parse_spec(f"w8c-{token}")
    codes = draw.integers(-127, 128, (OUT, kernel * kernel * CHANNELS)).astype(np.int16)
    scale = np.exp2(draw.integers(-6, -3, OUT)).astype(np.float32)
    bias, relu = draw.standard_normal(OUT).astype(np.float32), Clamp(0.0, np.inf)
    layer: Layer = Linear("y", "x", "y", np.zeros((OUT, CHANNELS), np.float32), bias, relu)
    shapes, size = {"x": (SIDE, CHANNELS), "y": (SIDE, OUT)}, (3, SIDE, 1, CHANNELS)
    if is_conv:
        weight = np.zeros((OUT, CHANNELS, kernel, kernel), np.float32)
        layer = Conv("y", "x", "y", weight, bias, pads=(kernel // 2,) * 4, activation=relu)
        shapes, size = {"x": (CHANNELS, SIDE, SIDE), "y": (OUT, SIDE, SIDE)}, (3, SIDE, SIDE, CHANNELS)
    network = Network("one", "x", shapes["x"], "y", (layer,), shapes, {}, "")
    weights = {"y": QTensor(codes, QParams(spec.weights, scale, np.zeros(OUT, np.float32)))}
    params = {"x": QParams(spec.activations, np.ones((), np.float32), np.zeros((), np.float32))}
    x = (draw.standard_normal(size) * np.exp2(draw.integers(-6, 7, (*size[:3], 1)))).astype(np.float32)
    x[0, 0], x[1, 1] = 0, np.abs(x[1, 1])
    want = law(x, codes, layer, scale, rows=token == "a8r", kernel=kernel)
    given = x.transpose(0, 3, 1, 2) if is_conv else x[:, :, 0]
    for name in ("portable", *(name for name in variants.NAMES if variants.unavailable(name) is None)):
        with build_session(QuantizedNetwork(network, weights, params), variant=name) as session:
            assert session.execution == "integer", session.execution_reason
            got = session.run(given)
            alone = np.concatenate([session.run(given[i : i + 1]) for i in range(3)])
        np.testing.assert_array_equal(got, want.transpose(0, 3, 1, 2) if is_conv else want[:, :, 0])
        np.testing.assert_array_equal(got, alone)


def test_a_network_with_residuals_loses_no_more_than_with_static_scales(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats]
) -> None:
    weights, _ = quantized(network, stats, "w8c-a8t", "mse")
    apart = {}
    with build_session(QuantizedNetwork(network, weights)) as session:
        expected = session.run(images)
    for token in ("a8t", "a8d", "a8r"):
        with build_session(QuantizedNetwork(network, *quantized(network, stats, f"w8c-{token}", "mse"))) as session:
            assert session.execution == ("integer" if token != "a8r" else "mixed"), session.execution_reason
            apart[token] = float(np.abs(session.run(images) - expected).max())
    assert apart["a8d"] < 1.5 * apart["a8t"]
    assert apart["a8r"] < 1.5 * apart["a8t"]


def test_what_is_not_finite_makes_nothing_that_looks_finite() -> None:
    spec = parse_spec("w8c-a8r")
    layer = Linear("y", "x", "y", np.eye(2, 3, dtype=np.float32), np.zeros(2, np.float32))
    network = Network("one", "x", (2, 3), "y", (layer,), {"x": (2, 3), "y": (2, 2)}, {}, "")
    weights = QTensor(np.eye(2, 3).astype(np.int16), QParams(spec.weights, np.ones(2, np.float32), np.zeros(2)))
    params = QParams(spec.activations, np.ones((), np.float32), np.zeros((), np.float32))
    x = np.array([[[1, 2, np.nan], [1, 2, 3]], [[1, np.inf, 3], [0, 0, 0]]], np.float32)
    with build_session(QuantizedNetwork(network, {"y": weights}, {"x": params})) as session:
        found = session.run(x)
    assert np.isnan(found[:, 0]).all()
    assert found[1, 1].tolist() == [0, 0]
    np.testing.assert_allclose(found[0, 1], [1, 2], atol=0.02)


def test_a_method_says_what_it_cannot_do_dynamically() -> None:
    assert METHODS.load("mse").supports(parse_spec("w8c-a8d")) is None
    assert "uniform" in (METHODS.load("mse").supports(parse_spec("w8c-a16d")) or "")
    assert "before a network runs" in (METHODS.load("mse").supports(parse_spec("w8d-a8t")) or "")
    assert "smoothquant(1)" in (METHODS.load("mse").supports(parse_spec("w8c-a8c")) or "")
    assert METHODS.load("ternary").supports(parse_spec("wtc-a8d")) is not None
