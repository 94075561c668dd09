"""NormalFloat of 4 bits: its levels are the published ones, and each slice is scaled by its largest magnitude."""

import numpy as np
import pytest

from qbench.core.formats import Codebook
from qbench.core.spec import parse_spec
from qbench.methods import METHODS, method_spec
from qbench.methods.law import dequantize
from qbench.methods.nf4 import NF4, byte_levels, normal_levels

PUBLISHED = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Dettmers et al. 2023, appendix E."""


def test_the_levels_are_the_published_ones() -> None:
    levels = normal_levels()
    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, PUBLISHED, atol=2e-7)
    np.testing.assert_allclose(byte_levels() / 127, PUBLISHED, atol=0.5 / 127)


@pytest.mark.parametrize("token", ["w4nf4g64-a8t", "w4nf4c-a8t", "w4nf4t-a32"])
def test_a_slice_keeps_its_zeros_and_its_largest_number(token: str) -> None:
    spec = parse_spec(token).weights
    weights = np.random.default_rng(1).normal(size=(6, 128)).astype(np.float32)
    weights[:, ::7] = 0.0
    codes = NF4.quantize_weights(weights, spec)
    restored = dequantize(codes.codes, codes.params)
    assert np.all(restored[:, ::7] == 0.0)
    slices = {"w4nf4g64-a8t": (12, 64), "w4nf4c-a8t": (6, 128), "w4nf4t-a32": (1, 768)}[token]
    rows, found = weights.reshape(slices), restored.reshape(slices)
    largest = np.argmax(rows, axis=1)
    np.testing.assert_allclose(codes.params.scale.ravel() * 127, np.abs(rows).max(axis=1))
    positive = rows[np.arange(len(rows)), largest] == np.abs(rows).max(axis=1)
    np.testing.assert_allclose(found.max(axis=1)[positive], rows.max(axis=1)[positive], rtol=1e-6)


def test_normal_weights_lose_less_than_by_even_steps() -> None:
    weights = np.random.default_rng(2).normal(size=(8, 4096)).astype(np.float32)
    errors = {}
    for name, token in (("nf4", "w4nf4g64-a32"), ("absmax", "w4g64-a32")):
        codes = METHODS.part(name).quantize_weights(weights, parse_spec(token).weights)
        errors[name] = float(np.mean((dequantize(codes.codes, codes.params) - weights) ** 2))
    assert errors["nf4"] < 0.9 * errors["absmax"]


def test_the_width_means_nf4_to_the_method_and_only_4_bits_are_made() -> None:
    spec = method_spec(NF4, parse_spec("w4g64-a8t"))
    assert spec.weights.format == Codebook(4, "nf4")
    assert NF4.supports(spec) is None
    reason = NF4.supports(method_spec(NF4, parse_spec("w3c-a8t")))
    assert reason == "nf4: has 16 levels of 4 bits, not of 3"
    assert "kind nf4" in (NF4.supports(parse_spec("w4kmc-a8t")) or "")
