from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qbench.report.labels import spread
from qbench.report.style import method_style

heights = st.lists(st.floats(0, 200), min_size=1, max_size=14)


@given(heights)
def test_spread_labels_keep_their_order_and_their_distance_and_stay_inside(wanted: list[float]) -> None:
    places = spread(wanted, gap=10.0, low=0.0, high=200.0)
    ranked = sorted(zip(wanted, places, strict=True))
    gaps = [b[1] - a[1] for a, b in pairwise(ranked)]
    assert all(gap >= 10.0 - 1e-6 for gap in gaps)
    assert all(-1e-6 <= place <= 200.0 + 1e-6 for place in places)


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread([20.0, 60.0, 100.0], gap=10.0, low=0.0, high=200.0) == [20.0, 60.0, 100.0]


def test_too_many_labels_share_the_room() -> None:
    places = spread([5.0] * 5, gap=10.0, low=0.0, high=20.0)
    assert sorted(places) == [0.0, 5.0, 10.0, 15.0, 20.0]


def test_a_method_of_another_package_gets_a_style_of_its_own() -> None:
    known = ["mse", "mine", "yours"]
    assert len({method_style(name, known) for name in known}) == 3
