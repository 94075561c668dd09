import pytest

from qbench.errors import QBenchError
from qbench.metrics import METRICS, kind


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_has_its_name_a_direction_and_one_line(name: str) -> None:
    found = kind(name)
    assert found.name == name
    assert found.better in ("higher", "lower", "none")
    assert found.doc
    assert "\n" not in found.doc
    assert found.of(1.5, low=1.0).unit == found.unit


def test_an_unknown_metric_is_refused_with_a_suggestion() -> None:
    with pytest.raises(QBenchError, match="did you mean 'top1_percent'"):
        kind("top1_pct")
