"""16-bit activations: two products of bytes, exactly as their law says, and nearer to float than 8 bits are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import FloatSession, build_session
from qbench.errors import QBenchError
from qbench.graph import Conv, Network, QuantizedNetwork
from qbench.kernels import variants
from qbench.kernels.conv.reference import Window, fma, windows
from qbench.methods import ActivationStats, quantize

from .conftest import quantized

CHANNELS, SIDE, OUT = 6, 5, 9


@pytest.mark.parametrize("zero_point", [0.0, 300.0, 65535.0])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_layer_is_its_law_to_the_last_bit(kernel: int, zero_point: float) -> None:
    draw, spec = np.random.default_rng(kernel), parse_spec("w8c-a16t")
    codes = draw.integers(-127, 128, (OUT, kernel * kernel * CHANNELS)).astype(np.int16)
    codes[0], codes[1] = -127, 127
    scale = draw.uniform(0.01, 0.1, OUT).astype(np.float32)
    bias = draw.standard_normal(OUT).astype(np.float32)
    params = QParams(spec.activations, np.asarray(0.25, np.float32), np.asarray(zero_point, np.float32))
    pads = (kernel // 2,) * 4
    layer = Conv("y", "x", "y", np.zeros((OUT, CHANNELS, kernel, kernel), np.float32), bias, pads=pads)
    shapes = {"x": (CHANNELS, SIDE, SIDE), "y": (OUT, SIDE, SIDE)}
    network = Network("one", "x", shapes["x"], "y", (layer,), shapes, {}, "")
    weights = QTensor(codes, QParams(spec.weights, scale, np.zeros_like(scale)))
    x = ((draw.integers(0, 65536, (2, CHANNELS, SIDE, SIDE)) - zero_point) * 0.25).astype(np.float32)
    x[0] = (65535 - zero_point) * 0.25

    seen = quantize(x.transpose(0, 2, 3, 1), params).astype(np.int64)
    halves, total = divmod(int(zero_point), 256), np.zeros((2, SIDE, SIDE, OUT), np.float32)
    for values, zero, step in ((seen >> 8, halves[0], 64.0), (seen & 255, halves[1], 0.25)):
        depth = windows(values - zero, Window((kernel, kernel), pads=pads), 0).astype(np.int64)
        sums = (depth @ codes.T.astype(np.int64)).astype(np.float32)
        offset = bias if step == 0.25 else np.zeros_like(bias)
        total = total + fma(sums, (scale.astype(np.float64) * step).astype(np.float32), offset)
    for name in ("portable", *(name for name in variants.NAMES if variants.unavailable(name) is None)):
        with build_session(QuantizedNetwork(network, {"y": weights}, {"x": params}), variant=name) as session:
            assert session.execution == "integer", session.execution_reason
            np.testing.assert_array_equal(session.run(x), total.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("weights_token", ["8c", "4g32"])
def test_a_network_loses_less_than_with_eight_bits(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], weights_token: str
) -> None:
    weights, _ = quantized(network, stats, f"w{weights_token}-a8t", "mse")
    apart = []
    with FloatSession(QuantizedNetwork(network, weights).dequantized(), threads=1) as session:
        expected = session.run(images)
    for token in ("a4t", "a8t", "a16t"):
        made = QuantizedNetwork(network, *quantized(network, stats, f"w{weights_token}-{token}", "mse"))
        with build_session(made) as session:
            assert session.execution == "integer"
            apart.append(float(np.abs(session.run(images) - expected).max()))
    assert all(more > 4 * less for more, less in pairwise(apart))


def test_sixteen_bits_are_for_uniform_activations() -> None:
    assert parse_spec("w8c-a16t").token == "w8c-a16t"
    for token in ("w16c-a8t", "w8c-a16logt", "w8c-a12t"):
        with pytest.raises(QBenchError):
            parse_spec(token)
