"""What looks wrong is said: constant output, saturation, a lost sign, a lost zero."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.formats import Ternary
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams
from qbench.methods.activation_stats import ActivationObserver, ActivationStats
from qbench.runner.networks.alarms import output_alarms, outside_share, range_alarms

NORMAL = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)


def stats_of(values: Floats) -> ActivationStats:
    observer = ActivationObserver()
    observer.update(values)
    return observer.finish()


def params(low: float, high: float) -> QParams:
    scale = np.float32((high - low) / 255)
    spec = QuantSpec(activation_uniform(8), PerTensor())
    return QParams(spec, np.asarray(scale), np.asarray(np.float32(round(-low / float(scale)))))


def test_logits_that_differ_are_no_alarm() -> None:
    assert output_alarms(np.eye(3, dtype=np.float32)) == []


def test_a_constant_output_is_an_alarm() -> None:
    assert output_alarms(np.tile(np.float32([0, 2, 1]), (5, 1))) == ["constant output: every image is class 1"]


def test_an_infinite_output_is_an_alarm() -> None:
    assert output_alarms(np.full((2, 3), np.inf, np.float32)) == ["logits are not finite"]


@pytest.mark.parametrize(("limit", "share"), [(1.0, 0.3173), (2.0, 0.0455), (9.0, 0.0)])
def test_the_share_outside_a_range_is_that_of_the_numbers_seen(limit: float, share: float) -> None:
    assert outside_share(stats_of(NORMAL), -limit, limit) == pytest.approx(share, abs=0.005)


def test_saturation_above_ten_percent_is_an_alarm() -> None:
    stats = {"x": stats_of(NORMAL)}
    assert range_alarms({"x": params(-2, 2)}, stats) == []
    assert range_alarms({"x": params(-1, 1)}, stats) == ["x: 31 % of the activations saturate"]


def test_a_range_that_lost_its_sign_is_an_alarm() -> None:
    found = range_alarms({"x": params(0, 4)}, {"x": stats_of(NORMAL)})
    assert any("lost its sign" in line for line in found)
    assert range_alarms({"x": params(0, 4)}, {"x": stats_of(np.abs(NORMAL))}) == []


def test_a_range_that_lost_its_zero_is_an_alarm() -> None:
    found = range_alarms({"x": params(1, 4)}, {"x": stats_of(np.abs(NORMAL) + 1)})
    assert found == ["x: the range 1 .. 4 lost its zero"]


def test_ternary_codes_have_no_range_to_saturate() -> None:
    spec = QuantSpec(Ternary(), PerTensor())
    ternary = QParams(spec, np.asarray(np.float32(0.1)), np.asarray(np.float32(0)))
    assert range_alarms({"x": ternary}, {"x": stats_of(NORMAL)}) == []
