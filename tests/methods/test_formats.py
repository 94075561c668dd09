"""Formats of few bits: their levels as their definitions say them, their scales, and the bytes of every level."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.granularity import PerChannel, PerGroup, ScaledGroup
from qbench.core.spec import QuantSpec, parse_spec
from qbench.core.tensor import Floats, QTensor
from qbench.errors import QBenchError
from qbench.methods import METHODS, method_spec
from qbench.methods.apot import additive_levels
from qbench.methods.fitting.minifloats import E2M1, E4M3, E5M2, Minifloat, float_levels, unit_of
from qbench.methods.fitting.scales import settled


def made(name: str, token: str, weights: Floats) -> QTensor:
    method = METHODS.load(name)
    spec = method_spec(method, parse_spec(token))
    assert method.supports(spec) is None
    found: QTensor = method.quantize_weights(weights, spec.weights)
    assert found.spec == spec.weights
    return found


def normal(channels: int, depth: int) -> Floats:
    return np.random.default_rng(channels * depth).normal(size=(channels, depth)).astype(np.float32)


def patterns(kind: Minifloat, exponent_bits: int) -> set[float]:
    """Every finite number that sign, exponent and mantissa can say, read bit by bit."""
    found = set()
    for exponent in range(2**exponent_bits):
        for mantissa in range(2**kind.mantissa):
            fraction = mantissa / 2**kind.mantissa
            size = fraction * 2 ** (1 - kind.bias) if exponent == 0 else (1 + fraction) * 2.0 ** (exponent - kind.bias)
            found |= {size, -size} if size <= kind.largest else set()
    return found


@pytest.mark.parametrize(("kind", "exponent_bits", "count"), [(E2M1, 2, 15), (E4M3, 4, 253), (E5M2, 5, 247)])
def test_levels_are_all_numbers_that_the_bits_can_say(kind: Minifloat, exponent_bits: int, count: int) -> None:
    levels = float_levels(kind) * np.float32(unit_of(kind))
    assert set(levels.tolist()) == patterns(kind, exponent_bits)
    assert len(np.unique(levels)) == count
    assert np.array_equal(kind.rounded(levels), levels)


def test_rounding_to_a_float_is_to_the_nearest_level() -> None:
    values = np.random.default_rng(0).normal(size=2000) * np.exp2(np.random.default_rng(1).integers(-12, 9, 2000))
    for kind in (E2M1, E4M3, E5M2):
        levels = np.unique(float_levels(kind)) * unit_of(kind)
        distance = np.abs(values[:, None] - levels).min(axis=1)
        np.testing.assert_allclose(np.abs(kind.rounded(values) - values), distance, rtol=1e-12)


def test_sums_of_powers_of_two_are_those_of_the_paper() -> None:
    sums = {
        (a + b) for a in (0, 2**0, 2**-2, 2**-4) for b in (0, 2**-1, 2**-3, 2**-5)
    }  # 5 bits: a sign and two terms of 2 bits
    levels = additive_levels(5)
    assert set(np.abs(levels / levels[-1]).tolist()) == {np.float32(one / max(sums)) for one in sums}
    assert sorted(set(np.abs(additive_levels(4)).tolist())) == [0, 1, 2, 3, 4, 6, 8, 10]
    assert sorted(set(np.abs(additive_levels(3)).tolist())) == [0, 1, 2, 4]
    assert [len(np.unique(additive_levels(bits))) for bits in range(2, 9)] == [2**bits - 1 for bits in range(2, 9)]


def test_apot_gains_at_four_bits_what_rigid_powers_do_not() -> None:
    weights = normal(1, 1 << 16)
    errors = {
        name: float(np.mean((made(name, "w4t-a32", weights).dequantize() - weights) ** 2)) for name in ("pot", "apot")
    }
    assert 10 * np.log10(errors["pot"] / errors["apot"]) > 4


@pytest.mark.parametrize(
    ("name", "token", "exponent"), [("mxfp4", "w4g32-a8t", 2), ("mxfp8", "w8g32-a8t", 8), ("mxint8", "w8g32-a8t", 0)]
)
def test_a_block_of_mx_has_the_power_of_two_that_the_specification_says(name: str, token: str, exponent: int) -> None:
    weights = normal(3, 70)
    weights[0, :32] = 0
    found = made(name, token, weights)
    unit = {"mxfp4": 0.5, "mxfp8": 1.0, "mxint8": 2.0**-6}[name]
    for block in range(3):
        largest = np.abs(weights[1, 32 * block : 32 * block + 32]).max()
        assert found.params.scale[1, block] == 2.0 ** (np.floor(np.log2(largest)) - exponent) * unit
    assert not np.any(found.dequantize()[0, :32])
    assert np.array_equal(np.log2(found.params.scale) % 1, np.zeros_like(found.params.scale))


def test_scales_of_nvfp4_are_small_floats_under_one_of_the_tensor() -> None:
    weights = normal(4, 64)
    found = made("nvfp4", "w4g16-a8t", weights)
    top = np.abs(weights).max() / (6 * 448)
    codes = found.params.scale.astype(np.float64) * 2 / top  # levels count halves
    np.testing.assert_allclose(codes, E4M3.rounded(codes), rtol=1e-6)
    assert codes.max() == pytest.approx(448, rel=1e-6)


@pytest.mark.parametrize("token", ["w4g32k-a8t", "w4g32x-a8t", "w4g16v-a8t", "w4kmg32k-a8t"])
def test_scales_of_few_bits_lie_on_their_grid_and_cost_little_accuracy(token: str) -> None:
    weights, name = normal(4, 256), "kmeans" if "km" in token else "mse"
    found, plain = made(name, token, weights), made(name, re_grouped(token), weights)
    scale = found.params.scale.astype(np.float64)
    if "k-" in token:
        steps = scale.max(axis=1, keepdims=True) / 63
        np.testing.assert_allclose(scale / steps, np.rint(scale / steps), atol=1e-4)
    error, before = (np.mean((one.dequantize() - weights) ** 2) for one in (found, plain))
    assert error < (2 if "x" in token else 1.15) * before
    again = settled(weights, found.params)
    np.testing.assert_allclose(again.scale, found.params.scale, rtol=1e-6)


def re_grouped(token: str) -> str:
    return token.replace("k-", "-").replace("x-", "-").replace("v-", "-")


@pytest.mark.parametrize(
    ("name", "token", "expected"),
    [
        ("mse", "w4g32-a8t", 8 * 96 // 2 + 4 * 24),  # a float32 a group
        ("mse", "w4g32k-a8t", 8 * 96 // 2 + 6 * 24 // 8 + 4 * 8),  # 6 bits a group, a float32 a channel
        ("mse", "w4g32x-a8t", 8 * 96 // 2 + 24),  # a byte a group
        ("mxfp4", "w4g32-a8t", 8 * 96 // 2 + 24),
        ("nvfp4", "w4g16-a8t", 8 * 96 // 2 + 48 + 4),  # a byte a group, a float32
        ("fp8_e4m3", "w8c-a8t", 8 * 96 + 4 * 8),
        ("kmeans", "w4c-a8t", 8 * 96 // 2 + 4 * 8 + 4 * 16),  # and its free levels
    ],
)
def test_bytes_count_every_level_of_scales(name: str, token: str, expected: int) -> None:
    assert made(name, token, normal(8, 96)).packed_bytes == expected


def test_a_token_says_scales_of_few_bits_and_methods_without_them_say_so() -> None:
    for token in ("w4g32x-a8t", "w4e2m1g16v-a8t", "w8e4m3c-a8e4m3t", "w4apotc-a8t"):
        assert parse_spec(token).token == token
    assert parse_spec("w4g32k-a8t").weights.granularity == ScaledGroup(32, "u6")
    assert method_spec(METHODS.load("mxfp4"), parse_spec("w4g32-a8t")).token == "w4e2m1g32x-a8t"
    assert "as g32" in METHODS.load("mxfp4").supports(method_spec(METHODS.load("mxfp4"), parse_spec("w4c-a8t")))
    assert "as g16" in METHODS.load("nvfp4").supports(method_spec(METHODS.load("nvfp4"), parse_spec("w4g32-a8t")))
    assert "float32 scale a group" in METHODS.load("linear_floor").supports(
        method_spec(METHODS.load("linear_floor"), parse_spec("w4g32k-a8t"))
    )
    with pytest.raises(QBenchError, match="4 bits, not of 8"):
        method_spec(METHODS.load("fp4_e2m1"), parse_spec("w8c-a8t"))
    with pytest.raises(QBenchError, match="scales must be"):
        ScaledGroup(32, "e3m3")  # type: ignore[arg-type]
    assert QuantSpec(parse_spec("w4c-a8t").weights.format, PerGroup(32)).token == "4g32"
    assert parse_spec("w4c-a8t").weights.granularity == PerChannel()
