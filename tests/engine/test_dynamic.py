"""Dynamic activations: each sample, or each row of channels, by its own extremes; simulated, and said to be."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.granularity import Dynamic
from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import build_session
from qbench.graph import Linear, Network, QuantizedNetwork
from qbench.methods import METHODS
from qbench.methods.fitting.affine import affine_params, scale_and_zero
from qbench.methods.law import fake_quantize

ROWS, CHANNELS = 4, 7


def by_their_own_range(x: Floats, *, rows: bool) -> Floats:
    """Each sample, or each row, as codes of 8 bits over its range stand for it."""
    found = np.empty_like(x)
    for place in np.ndindex(x.shape[:2] if rows else x.shape[:1]):
        scale, zero = scale_and_zero(float(x[place].min()), float(x[place].max()), 8)
        found[place] = fake_quantize(x[place], affine_params(scale, zero, parse_spec("w8c-a8t").activations))
    return found


@pytest.mark.parametrize("token", ["a8d", "a8r"])
def test_a_product_of_rows_sees_what_codes_of_their_own_range_stand_for(token: str) -> None:
    draw, spec = np.random.default_rng(0), parse_spec(f"w8c-{token}")
    assert isinstance(spec.activations.granularity, Dynamic)
    codes = draw.integers(-127, 128, (5, CHANNELS)).astype(np.int16)
    weights = QTensor(codes, QParams(spec.weights, np.ones(5, np.float32), np.zeros(5, np.float32)))
    params = QParams(spec.activations, np.ones((), np.float32), np.zeros((), np.float32))
    layer = Linear("y", "x", "y", codes.astype(np.float32), np.zeros(5, np.float32))
    shapes = {"x": (ROWS, CHANNELS), "y": (ROWS, 5)}
    network = Network("one", "x", shapes["x"], "y", (layer,), shapes, {}, "")
    x = (draw.standard_normal((3, ROWS, CHANNELS)) * np.exp2(draw.integers(-6, 7, (3, ROWS, 1)))).astype(np.float32)
    x[0, 0], x[1, 1] = 0, np.abs(x[1, 1])
    with build_session(QuantizedNetwork(network, {"y": weights}, {"x": params})) as session:
        assert session.execution == "simulated"
        assert "only a run shows" in session.execution_reason
        got, alone = session.run(x), np.concatenate([session.run(x[i : i + 1]) for i in range(3)])
    np.testing.assert_array_equal(got, alone)
    want = by_their_own_range(x, rows=token == "a8r") @ codes.T.astype(np.float32)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-4 * float(np.abs(want).max()))


def test_a_method_says_what_it_cannot_do_dynamically() -> None:
    assert METHODS.load("mse").supports(parse_spec("w8c-a8d")) is None
    assert "uniform" in (METHODS.load("mse").supports(parse_spec("w8c-a16d")) or "")
    assert "before a network runs" in (METHODS.load("mse").supports(parse_spec("w8d-a8t")) or "")
    assert "smoothquant(1)" in (METHODS.load("mse").supports(parse_spec("w8c-a8c")) or "")
    assert METHODS.load("ternary").supports(parse_spec("wtc-a8d")) is not None
