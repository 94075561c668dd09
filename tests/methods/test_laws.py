"""Laws of rounding that hold for all numbers, tried by hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qbench.core.formats import Binary, Codebook, Logarithmic, NumberFormat, PowerOfTwo, Ternary, Uniform
from qbench.core.granularity import PerChannel, PerGroup, PerTensor
from qbench.core.spec import QuantSpec, activation_uniform, parse_spec, weight_uniform
from qbench.core.tensor import Floats, QParams
from qbench.engine.container import container_of, level_thresholds
from qbench.kernels.quantize.reference import fake_quantize_f32, fake_quantize_levels_f32
from qbench.methods import METHODS, dequantize, fake_quantize, quantize
from qbench.methods.fitting.level_tables import full_table, signed_table
from qbench.methods.fitting.slices import Doubles
from qbench.methods.law import fake_dynamic
from qbench.methods.pot import power_levels

SCALES = st.floats(2.0**-40, 2.0**40, width=32)
BITS = st.integers(1, 8)
REALS = hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**30), 2.0**30, width=32))
UNIFORM = st.builds(weight_uniform, st.integers(2, 8)) | st.builds(activation_uniform, BITS)


def params_of(
    number_format: NumberFormat,
    scale: float,
    zero_point: float = 0.0,
    levels: Floats | None = None,
    rounding: str = "nearest",
) -> QParams:
    spec = QuantSpec(number_format, PerTensor())
    return QParams(spec, np.asarray(scale, np.float32), np.asarray(zero_point, np.float32), levels, rounding)


def in_range(x: Floats, params: QParams) -> Floats:
    number_format = params.spec.format
    assert isinstance(number_format, Uniform)
    ends = dequantize(np.array([number_format.qmin, number_format.qmax], dtype=np.int16), params)
    return np.clip(x, ends[0], ends[1])


@st.composite
def uniform_params(draw: st.DrawFn, rounding: str = "nearest") -> QParams:
    number_format = draw(UNIFORM)
    zero_point = 0 if number_format.symmetric else draw(st.integers(0, number_format.qmax))
    return params_of(number_format, draw(SCALES), zero_point, rounding=rounding)


@given(uniform_params())
def test_every_uniform_code_survives_a_round_trip(params: QParams) -> None:
    number_format = params.spec.format
    assert isinstance(number_format, Uniform)
    codes = np.arange(number_format.qmin, number_format.qmax + 1, dtype=np.int16)
    assert np.array_equal(quantize(dequantize(codes, params), params), codes)


@given(uniform_params("floor"))
def test_floor_keeps_every_code_a_hundredth_of_a_step_above_its_real(params: QParams) -> None:
    number_format = params.spec.format
    assert isinstance(number_format, Uniform)
    codes = np.arange(number_format.qmin, number_format.qmax + 1, dtype=np.int16)
    assert np.array_equal(quantize(dequantize(codes, params) + params.scale / 100, params), codes)


@pytest.mark.parametrize("zero_point", [0, -1])
@pytest.mark.parametrize("number_format", [Ternary(), Binary()])
def test_ternary_and_binary_codes_survive_a_round_trip(number_format: NumberFormat, zero_point: int) -> None:
    params = params_of(number_format, 0.3, zero_point)
    codes = np.array([-1, 1] if isinstance(number_format, Binary) else [-1, 0, 1], dtype=np.int16)
    assert np.array_equal(quantize(dequantize(codes, params), params), codes)


@given(
    levels=hnp.arrays(np.float32, st.integers(1, 16), elements=st.integers(-(2**15), 2**15).map(lambda k: k / 2**10)),
    scale=SCALES,
    rounding=st.sampled_from(["nearest", "floor"]),
)
def test_every_level_has_a_code_that_survives_a_round_trip(levels: Floats, scale: float, rounding: str) -> None:
    table = full_table([0.0, *levels], 5)
    params = params_of(Codebook(5), scale, levels=table, rounding=rounding)
    codes = np.arange(32, dtype=np.int16)
    canonical = np.maximum(codes, np.count_nonzero(table == table[0]) - 1)
    assert np.array_equal(quantize(dequantize(codes, params), params), canonical)


@given(uniform_params(), REALS)
def test_a_number_in_range_errs_by_half_a_step_at_most(params: QParams, x: Floats) -> None:
    x = in_range(x, params)
    assert np.all(np.abs(fake_quantize(x, params).astype(np.float64) - x) <= params.scale * (0.5 + 1e-4))


@given(uniform_params("floor"), REALS)
def test_floor_errs_downwards_by_a_step_at_most(params: QParams, x: Floats) -> None:
    x = in_range(x, params)
    error = (x.astype(np.float64) - fake_quantize(x, params)) / params.scale
    assert np.all((error >= -1e-4) & (error <= 1 + 1e-4))


@given(uniform_params() | uniform_params("floor"), REALS)
def test_order_is_kept(params: QParams, x: Floats) -> None:
    assert np.all(np.diff(quantize(np.sort(x), params)) >= 0)


@given(uniform_params() | uniform_params("floor"))
def test_zero_is_exact_where_the_zero_point_is_whole(params: QParams) -> None:
    assert fake_quantize(np.zeros(1, np.float32), params)[0] == 0


@given(REALS, SCALES, st.sampled_from(["nearest", "floor"]))
def test_levels_keep_order_and_zero_and_never_floor_away_from_zero(x: Floats, scale: float, rounding: str) -> None:
    table = signed_table(0.7 ** np.arange(7), 4)
    params = params_of(Logarithmic(4), scale, levels=table, rounding=rounding)
    x = np.sort(np.append(x, np.float32(0)))
    reals = fake_quantize(x, params)
    assert np.all(np.diff(reals) >= 0)
    assert reals[x == 0].tolist() == [0.0] * int(np.count_nonzero(x == 0))
    if rounding == "floor":
        assert np.all(np.abs(reals) <= np.abs(x))


@given(REALS, SCALES)
def test_the_nearest_level_is_the_nearest(x: Floats, scale: float) -> None:
    table = power_levels(4)
    params = params_of(PowerOfTwo(4), scale, levels=table)
    reals = table.astype(np.float64) * np.float32(scale)
    best: Doubles = np.min(np.abs(x[:, None].astype(np.float64) - reals), axis=1)
    assert np.abs(fake_quantize(x, params) - x.astype(np.float64)) == pytest.approx(best, rel=1e-5, abs=1e-5 * scale)


@st.composite
def activation_params(draw: st.DrawFn) -> QParams:
    bits, rounding = draw(BITS), draw(st.sampled_from(["nearest", "floor"]))
    zero_point = draw(st.integers(0, 2**bits - 1))
    if draw(st.booleans()):
        return params_of(activation_uniform(bits), draw(SCALES), zero_point, rounding=rounding)
    small: NumberFormat = Ternary() if draw(st.booleans()) else Binary()
    return params_of(small, draw(SCALES), draw(st.sampled_from([0, -1])))


HALF_STEPS = st.integers(-600, 600).map(lambda count: count / 2)


@given(activation_params(), hnp.arrays(np.float32, 20, elements=HALF_STEPS | st.floats(-300, 300, width=32)))
def test_rounding_of_activations_is_that_of_the_kernels_bit_by_bit(params: QParams, steps: Floats) -> None:
    x = steps * params.scale  # whole and half steps are what another order of operations would round apart
    box = container_of(params)
    assert box is not None
    numbers = (box.inverse_scale, box.round_offset, box.high, box.zero_point, box.scale)
    assert np.array_equal(fake_quantize(x, params), fake_quantize_f32(x, *numbers, floor=box.floor))


@given(REALS, SCALES, st.sampled_from(["nearest", "floor"]))
def test_rounding_to_levels_is_that_of_the_kernels_bit_by_bit(x: Floats, scale: float, rounding: str) -> None:
    params = params_of(Logarithmic(4), scale, levels=signed_table(0.7 ** np.arange(7), 4), rounding=rounding)
    thresholds, reals = level_thresholds(params)
    assert np.array_equal(fake_quantize(x, params), fake_quantize_levels_f32(x, thresholds, reals))


BLOCKS = ("mxfp4", "mxfp8", "mxint8", "nvfp4")
"""Methods with blocks of their own."""
FIXED_BITS = {"ternary": 2, "binary": 1, "nf4": 4, "fp4_e2m1": 4, "fp8_e4m3": 8, "fp8_e5m2": 8}


@settings(max_examples=25)
@given(
    weights=hnp.arrays(np.float32, (3, 32), elements=st.floats(-4, 4, width=32)),
    method=st.sampled_from(sorted(set(METHODS) - {"log_floor", *BLOCKS})),
    bits=st.integers(3, 8),
)
def test_one_group_of_the_whole_depth_is_a_channel(weights: Floats, method: str, bits: int) -> None:
    part = METHODS.load(method)
    number_format: NumberFormat = part.weight_format(FIXED_BITS.get(method, bits))
    channel = part.quantize_weights(weights, QuantSpec(number_format, PerChannel()))
    group = part.quantize_weights(weights, QuantSpec(number_format, PerGroup(32)))
    assert np.array_equal(channel.codes, group.codes)
    assert np.array_equal(channel.params.scale, group.params.scale[:, 0])
    assert np.array_equal(channel.params.zero_point, group.params.zero_point[:, 0])
    assert np.array_equal(channel.dequantize(), group.dequantize())


def test_binary_zero_is_plus_one() -> None:
    assert quantize(np.array([0.0, -0.0, -1e-3, 1e-3]), params_of(Binary(), 0.5)).tolist() == [1, 1, -1, 1]


def test_scales_a_channel_refuse_arrays_of_another_shape() -> None:
    spec = QuantSpec(weight_uniform(8), PerChannel())
    params = QParams(spec, np.ones(2, np.float32), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="channels, depth"):
        quantize(np.zeros((2, 3, 4), np.float32), params)


@pytest.mark.parametrize("token", ["a8d", "a4r"])
def test_dynamic_scales_are_static_ones_of_each_range(token: str) -> None:
    spec, draw = parse_spec(f"w8c-{token}").activations, np.random.default_rng(0)
    params = QParams(spec, np.ones((), np.float32), np.zeros((), np.float32))
    x = (draw.standard_normal((2, 3, 1, 5)) * np.exp2(draw.integers(-6, 7, (2, 3, 1, 1)))).astype(np.float32)
    x[0, 0] = 0
    found = fake_dynamic(x, params)
    for place in np.ndindex((2, 3, 1) if token == "a4r" else (2,)):
        low, high = x[place].min(initial=0), x[place].max(initial=0)
        scale = (high - low) / np.float32(2**spec.format.bits - 1) or np.float32(1)
        static = params_of(spec.format, float(scale), float(np.rint(-low * (np.float32(1) / scale))))
        np.testing.assert_array_equal(found[place], fake_quantize(x[place], static))
    with pytest.raises(ValueError, match="fake_dynamic"):
        quantize(x, params)
