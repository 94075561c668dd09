"""What each method chooses, on numbers whose answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.formats import Binary, Codebook, Logarithmic, PowerOfTwo, Ternary, Uniform
from qbench.core.granularity import Granularity, PerChannel, PerGroup, PerTensor
from qbench.core.spec import QuantSpec, activation_uniform, parse_spec, weight_uniform
from qbench.core.tensor import Floats, QTensor
from qbench.errors import QBenchError
from qbench.methods import METHODS, ActivationObserver, ActivationStats, fake_quantize, method_spec
from qbench.methods.fitting.sorted_points import SortedPoints
from qbench.methods.kl import entropy_limit
from qbench.methods.percentile import Percentile
from qbench.methods.pot import nearest_power, power_levels

RELU = np.maximum(np.random.default_rng(0).normal(size=200_000), 0).astype(np.float32)
SIGNED = np.random.default_rng(1).normal(0.5, 1, 200_000).astype(np.float32)


def stats_of(values: Floats) -> ActivationStats:
    observer = ActivationObserver()
    observer.update(values)
    return observer.finish()


def weights_of(method: str, weights: Floats, spec: QuantSpec) -> QTensor:
    quantized: QTensor = METHODS.load(method).quantize_weights(weights, spec)
    return quantized


def activation_error(method: str, values: Floats, spec: QuantSpec) -> float:
    params = METHODS.load(method).activation_params(stats_of(values), spec)
    return float(np.mean((fake_quantize(values, params).astype(np.float64) - values) ** 2))


def test_minmax_uses_the_spare_negative_code_and_absmax_leaves_it() -> None:
    weights = np.array([[-8.0, 3.0]], dtype=np.float32)
    spec = QuantSpec(weight_uniform(4), PerTensor())
    assert float(weights_of("minmax", weights, spec).params.scale) == 1.0
    assert float(weights_of("absmax", weights, spec).params.scale) == pytest.approx(8 / 7)


def test_one_bit_weights_have_two_levels_around_zero() -> None:
    weights = np.array([[-1.0, -0.5, 0.5, 2.0]], dtype=np.float32)
    for method in ("minmax", "absmax", "mse"):
        part = METHODS.load(method)
        quantized = part.quantize_weights(weights, QuantSpec(part.weight_format(1), PerTensor()))
        assert quantized.codes.tolist() == [[0, 0, 1, 1]]
        assert float(quantized.params.zero_point) == 0.5
        assert np.unique(quantized.dequantize()) == pytest.approx([-1, 1] if method == "mse" else [-2, 2])


def test_scales_follow_the_granularity() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)
    weights[2] *= 10
    number_format = weight_uniform(8)
    shapes: dict[Granularity, tuple[int, ...]] = {
        PerTensor(): (),
        PerChannel(): (4,),
        PerGroup(16): (4, 3),
        PerGroup(64): (4, 1),
    }
    errors = {}
    for granularity, shape in shapes.items():
        quantized = weights_of("minmax", weights, QuantSpec(number_format, granularity))
        assert quantized.params.scale.shape == shape
        errors[granularity] = float(np.mean((quantized.dequantize() - weights)[0] ** 2))
    assert errors[PerGroup(16)] < errors[PerChannel()] < errors[PerTensor()]


def test_the_percentile_is_a_parameter_and_is_checked() -> None:
    weights = np.linspace(-1, 1, 2001, dtype=np.float32)[None]
    scale = Percentile(90.0).quantize_weights(weights, QuantSpec(weight_uniform(8), PerTensor())).params.scale
    assert float(scale) == pytest.approx(0.9 / 127, rel=1e-3)
    with pytest.raises(QBenchError, match="percentile must be above 50"):
        Percentile(20.0)


def test_percentile_activations_are_cut_at_both_ends() -> None:
    spec = QuantSpec(activation_uniform(8), PerTensor())
    params = Percentile(99.0).activation_params(stats_of(SIGNED), spec)
    low = -float(params.scale * params.zero_point)
    high = float(params.scale) * (255 - float(params.zero_point))
    assert low == pytest.approx(np.percentile(SIGNED, 1), abs=float(params.scale))
    assert high == pytest.approx(np.percentile(SIGNED, 99), abs=float(params.scale))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("values", [RELU, SIGNED], ids=["relu", "signed"])
def test_mse_activations_err_least_of_all_uniform_ones(values: Floats, bits: int) -> None:
    spec = QuantSpec(activation_uniform(bits), PerTensor())
    best = activation_error("mse", values, spec)
    for method in ("minmax", "absmax", "percentile", "percentile_99_9", "kl"):
        assert best <= activation_error(method, values, spec) * 1.001


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("values", [RELU, SIGNED], ids=["relu", "signed"])
def test_kmeans_activations_err_less_than_uniform_ones(values: Floats, bits: int) -> None:
    uniform = activation_error("mse", values, QuantSpec(activation_uniform(bits), PerTensor()))
    assert activation_error("kmeans", values, QuantSpec(Codebook(bits), PerTensor())) < uniform


def test_absmax_activations_have_equal_codes_a_side() -> None:
    params = METHODS.load("absmax").activation_params(stats_of(SIGNED), QuantSpec(activation_uniform(8), PerTensor()))
    assert float(params.zero_point) == 128
    assert float(params.scale) == pytest.approx(np.abs(SIGNED).max() / 127)


def test_entropy_calibration_ignores_the_pile_of_zeros_and_clips_a_far_outlier() -> None:
    values = np.concatenate((RELU, np.zeros(1_000_000, np.float32), np.full(3, 40.0, np.float32)))
    for method in ("kl", "mse"):
        params = METHODS.load(method).activation_params(stats_of(values), QuantSpec(activation_uniform(4), PerTensor()))
        assert 1.5 < float(params.scale) * 15 < 6


def test_entropy_limit_keeps_a_histogram_that_has_no_more_bins_than_levels() -> None:
    assert entropy_limit(np.ones(10), 16) == 10
    assert entropy_limit(np.ones(64), 16) == 64


def test_kl_weights_are_those_of_absmax() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)
    spec = QuantSpec(weight_uniform(4), PerChannel())
    assert np.array_equal(weights_of("kl", weights, spec).codes, weights_of("absmax", weights, spec).codes)


def test_linear_floor_activations_hold_zero_and_round_down() -> None:
    spec = QuantSpec(activation_uniform(4), PerTensor())
    params = METHODS.load("linear_floor").activation_params(stats_of(SIGNED), spec)
    assert params.rounding == "floor"
    assert float(params.zero_point) == round(float(params.zero_point))
    assert fake_quantize(np.zeros(1), params)[0] == 0
    assert float(np.mean(fake_quantize(SIGNED, params) - SIGNED)) == pytest.approx(-0.5 * float(params.scale), rel=0.1)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_powers_of_two_up_to_four_bits_are_whole_and_fit_a_signed_byte(bits: int) -> None:
    levels = power_levels(bits)
    assert levels.shape == (2**bits,)
    assert np.array_equal(levels, np.rint(levels))
    assert np.abs(levels).max() <= 64
    assert np.all(np.diff(levels) >= 0)
    assert levels[0] == levels[1] == -levels[-1]
    assert levels[2 ** (bits - 1)] == 0


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_power_of_two_is_a_level_and_none_but_the_lowest_repeats(bits: int) -> None:
    levels = power_levels(bits)
    assert np.unique(levels).size == 2**bits - 1
    mantissas, _ = np.frexp(levels[levels > 0])
    assert np.all(mantissas == 0.5)
    assert np.all(levels[levels > 0][1:] == 2 * levels[levels > 0][:-1])


def test_the_fast_nearest_power_is_the_nearest() -> None:
    levels = power_levels(4)
    unit = np.abs(np.random.default_rng(0).normal(0, 0.5, 10_000)).astype(np.float32)
    tables = levels[levels >= 0] / 64
    best = tables[np.argmin(np.abs(unit[:, None] - tables), axis=1)]
    assert np.abs(unit - nearest_power(unit, levels)) == pytest.approx(np.abs(unit - best), abs=1e-7)


def test_code_zero_of_signed_tables_is_never_produced() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    for method in ("pot", "log", "log_floor_signed"):
        part = METHODS.load(method)
        assert weights_of(method, weights, QuantSpec(part.weight_format(4), PerChannel())).codes.min() >= 1


def test_log_spends_the_signs_codes_where_nothing_is_negative() -> None:
    params = METHODS.load("log").activation_params(stats_of(RELU), QuantSpec(Logarithmic(4), PerTensor()))
    assert params.levels is not None
    assert params.levels[0] == 0
    assert np.unique(params.levels).size == 16
    signed = METHODS.load("log").activation_params(stats_of(SIGNED), QuantSpec(Logarithmic(4), PerTensor()))
    assert signed.levels is not None
    assert np.array_equal(np.unique(signed.levels), -np.unique(signed.levels)[::-1])


def test_choosing_the_logarithms_range_beats_the_smallest_magnitude() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 144)).astype(np.float32)
    spec = QuantSpec(Logarithmic(4), PerChannel())
    chosen, widest = (weights_of(method, weights, spec).dequantize() for method in ("log", "log_floor_signed"))
    assert np.mean((chosen - weights) ** 2) < 0.1 * np.mean((widest - weights) ** 2)


def test_log_floor_signed_never_grows_a_magnitude_and_keeps_zero() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 144)).astype(np.float32)
    weights[:, ::7] = 0
    reals = weights_of("log_floor_signed", weights, QuantSpec(Logarithmic(6), PerTensor())).dequantize()
    assert np.all(np.abs(reals) <= np.abs(weights))
    assert np.array_equal(np.sign(reals), np.sign(weights))
    assert np.abs(reals).max() == np.abs(weights).max()


def test_kmeans_finds_the_levels_that_are_there() -> None:
    table = np.array([-3.0, -1.0, 0.0, 2.0], dtype=np.float32)
    weights = np.random.default_rng(0).choice(table, (6, 50))
    assert weights_of("kmeans", weights, QuantSpec(Codebook(2), PerTensor())).dequantize() == pytest.approx(weights)


def test_kmeans_leaves_an_outlier_one_level() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    weights[0, 0] = 1000
    error = weights_of("kmeans", weights, QuantSpec(Codebook(4), PerTensor())).dequantize() - weights
    assert np.mean(error**2) < 0.012
    assert abs(error[0, 0]) < 1


def test_ternary_weights_follow_the_rule_a_slice() -> None:
    weights = np.array([[0.1, -0.1, 1.0, -2.0], [10.0, 10.0, -10.0, 0.0]], dtype=np.float32)
    quantized = weights_of("ternary", weights, QuantSpec(Ternary(), PerChannel()))
    assert quantized.codes.tolist() == [[0, 0, 1, -1], [1, 1, -1, 0]]
    assert quantized.params.scale == pytest.approx([1.5, 10])


def test_binary_weights_are_signs_by_the_mean_magnitude() -> None:
    weights = np.array([[0.5, -1.5], [0.0, 4.0]], dtype=np.float32)
    quantized = weights_of("binary", weights, QuantSpec(Binary(), PerChannel()))
    assert quantized.codes.tolist() == [[1, -1], [1, 1]]
    assert quantized.params.scale == pytest.approx([1, 2])


@pytest.mark.parametrize("method", ["mse", "ternary", "binary", "pot", "log", "kmeans"])
def test_ternary_and_binary_activations_that_are_never_negative_have_the_zero_point_minus_one(method: str) -> None:
    for number_format in (Ternary(), Binary()):
        spec = QuantSpec(number_format, PerTensor())
        relu = METHODS.load(method).activation_params(stats_of(RELU), spec)
        assert float(relu.zero_point) == -1
        assert fake_quantize(np.zeros(1), relu)[0] == 0
        assert fake_quantize(RELU, relu).min() == 0
        assert float(METHODS.load(method).activation_params(stats_of(SIGNED), spec).zero_point) == 0


def test_binary_activations_are_the_mean_magnitude() -> None:
    params = METHODS.load("binary").activation_params(stats_of(SIGNED), QuantSpec(Binary(), PerTensor()))
    assert float(params.scale) == pytest.approx(np.abs(SIGNED).mean(), rel=5e-3)


def test_methods_of_other_grids_lend_uniform_activations_from_mse() -> None:
    spec = QuantSpec(activation_uniform(8), PerTensor())
    expected = METHODS.load("mse").activation_params(stats_of(SIGNED), spec)
    for method in ("ternary", "binary", "pot", "log", "kmeans", "log_floor", "log_floor_signed"):
        lent = METHODS.load(method).activation_params(stats_of(SIGNED), spec)
        assert float(lent.scale) == float(expected.scale)
        assert float(lent.zero_point) == float(expected.zero_point)


@pytest.mark.parametrize(
    ("method", "token", "weights", "activations"),
    [
        ("minmax", "w4c-a8t", weight_uniform(4), activation_uniform(8)),
        ("mse", "w1c-a8t", Uniform(1, signed=False, symmetric=False), activation_uniform(8)),
        ("linear_floor", "w4c-a8t", activation_uniform(4), activation_uniform(8)),
        ("log", "w4c-a3t", Logarithmic(4), Logarithmic(3)),
        ("pot", "w4potc-a8t", PowerOfTwo(4), activation_uniform(8)),
        ("mse", "wtc-abt", Ternary(), Binary()),
        ("ternary", "w2c-a8t", Ternary(), activation_uniform(8)),
        ("binary", "w1c-a1t", Binary(), Binary()),
    ],
)
def test_a_token_says_the_width_and_the_method_what_it_means(
    method: str, token: str, weights: object, activations: object
) -> None:
    spec = method_spec(METHODS.load(method), parse_spec(token))
    assert (spec.weights.format, spec.activations.format) == (weights, activations)
    assert METHODS.load(method).supports(spec) is None


@pytest.mark.parametrize(
    ("method", "bits"),
    [("pot", 1), ("log", 1), ("log_floor", 1), ("log_floor_signed", 2), ("ternary", 4), ("binary", 2)],
)
def test_a_width_that_a_method_lacks_is_refused_in_one_line(method: str, bits: int) -> None:
    with pytest.raises(QBenchError) as caught:
        METHODS.load(method).weight_format(bits)
    assert "\n" not in str(caught.value)
    assert str(bits) in str(caught.value)


def test_sorted_points_score_a_table_as_brute_force_does() -> None:
    rng = np.random.default_rng(0)
    values, mass, levels = rng.normal(size=500), rng.random(500), np.sort(rng.normal(size=9))
    points = SortedPoints(values, mass)
    gaps = np.abs(values[:, None] - levels)
    assert points.error(levels) == pytest.approx(float(np.sum(mass * gaps.min(axis=1) ** 2)))
    nearest = gaps.argmin(axis=1)
    for index, mean in enumerate(points.means(levels)):
        chosen = nearest == index
        expected = np.average(values[chosen], weights=mass[chosen]) if chosen.any() else levels[index]
        assert mean == pytest.approx(expected)
