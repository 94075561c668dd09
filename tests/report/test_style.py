import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.report import style
from qbench.report.labels import spread
from qbench.report.plots import sensitivity
from qbench.report.style import method_style

SHEET = (Path(style.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
LINES_ONLY = {"paper", "sheet", "faint", "grid", "rule"}

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


def themes() -> list[dict[str, str]]:
    """Return the colours of the light and of the dark page, by name."""
    blocks = re.findall(r":root[^{]*{([^}]*)}", SHEET)
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it, 1 to 21."""
    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", themes())
def test_every_colour_of_a_text_can_be_read_on_its_ground(theme: dict[str, str]) -> None:
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)
    texts = {name for name in theme if name not in LINES_ONLY and not name.endswith("-ground")}
    pairs = [(name, ground) for name in texts for ground in ("paper", "sheet")]
    pairs += [(name, f"{name}-ground") for name in ("good", "bad", "warn")]
    poor = {pair: found for pair in pairs if (found := contrast(*(theme[name] for name in pair))) < 4.5}
    assert poor == {}


def test_page_and_files_have_the_same_colours_by_day_and_no_text_in_those_of_lines(page: Path) -> None:
    light = themes()[0]
    assert {name: light[name.lower()] for name in style.COLOURS} == {
        name: getattr(style, name) for name in style.COLOURS
    }
    texts = re.findall(r"<text[^>]*>", page.read_text(encoding="utf-8"))
    inks = {ink for text in texts for ink in re.findall(r"fill: ([^;\"]+)", text)}
    assert "var(--muted)" in inks
    assert inks <= {f"var(--{name})" for name in light if name not in LINES_ONLY}


@pytest.mark.parametrize("theme", themes())
def test_numbers_of_the_heat_map_can_be_read_on_its_deepest_colours(theme: dict[str, str]) -> None:
    for ground in ("orange", "blue"):
        mixed = [
            round(sensitivity._STRONGEST * int(theme[ground][at : at + 2], 16)
                  + (1 - sensitivity._STRONGEST) * int(theme["paper"][at : at + 2], 16))
            for at in (1, 3, 5)
        ]  # fmt: skip
        assert contrast(theme["ink"], "#" + "".join(f"{part:02x}" for part in mixed)) >= 4.5
