"""`octav`, `mean_std` and `hqq` against what their equations promise."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.methods import METHODS, ActivationObserver, fake_quantize, method_spec
from qbench.methods.ranges.hqq import POWER

NORMAL = np.random.default_rng(0).standard_normal((1, 200_000)).astype(np.float32)


def error(name: str, token: str) -> float:
    method = METHODS.part(name)
    found = method.quantize_weights(NORMAL, method_spec(method, parse_spec(token)).weights)
    return float(np.square(found.dequantize() - NORMAL).mean())


@pytest.mark.parametrize(("bits", "optimum"), [(4, 0.011864), (6, 0.001043), (8, 0.000088)])
def test_octav_is_within_some_percent_of_the_optimum_on_normal_numbers(bits: int, optimum: float) -> None:
    assert optimum * 0.99 < error("octav", f"w{bits}c-a32") < optimum * 1.06
    assert error("octav", f"w{bits}c-a32") < error("minmax", f"w{bits}c-a32")


@pytest.mark.parametrize("relu", [True, False])
def test_octav_clips_activations_as_the_optimum_does(relu: bool) -> None:
    values = np.maximum(NORMAL, 0) if relu else NORMAL
    observer = ActivationObserver()
    observer.update(values)
    stats = observer.finish()
    errors = {}
    for name in ("octav", "mse", "minmax"):
        method = METHODS.part(name)
        params = method.activation_params(stats, method_spec(method, parse_spec("w8c-a4t")).activations)
        errors[name] = float(np.square(fake_quantize(values, params) - values).mean())
    assert errors["octav"] < 1.1 * errors["mse"]
    assert errors["octav"] < 0.8 * errors["minmax"]


def test_three_deviations_are_the_range() -> None:
    method = METHODS.part("mean_std")
    found = method.quantize_weights(NORMAL + 1, method_spec(method, parse_spec("w4c-a32")).weights)
    assert float(found.params.scale[0]) == pytest.approx((NORMAL.mean() + 1 + 3 * NORMAL.std()) / 7, rel=1e-3)
    observer = ActivationObserver()
    observer.update(np.maximum(NORMAL, 0))
    stats = observer.finish()
    params = method.activation_params(stats, method_spec(method, parse_spec("w8c-a8t")).activations)
    assert int(params.zero_point) == 0
    assert float(params.scale) * 255 == pytest.approx(stats.mean + 3 * stats.std, rel=1e-6)


def test_the_zero_point_of_hqq_leaves_less_than_that_of_the_range() -> None:
    rows = np.random.default_rng(1).standard_t(5, (16, 64)).astype(np.float32)
    method = METHODS.part("hqq")
    found = method.quantize_weights(rows, method_spec(method, parse_spec("w3g64-a32")).weights)
    low, step = rows.min(axis=1, keepdims=True), found.params.scale
    plain = np.clip(np.rint((rows - low) / step), 0, 7) * step + low
    losses = [(np.abs((made - rows) / step) ** POWER).sum(axis=1) for made in (found.dequantize(), plain)]
    assert (losses[0] <= losses[1] * 1.001).all()
    assert losses[0].sum() < 0.97 * losses[1].sum()
