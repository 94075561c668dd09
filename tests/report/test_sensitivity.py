"""The heat map of single layers: colours and bold only where a test says so, and how large each layer is."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from qbench.report.plots import sensitivity
from qbench.report.style import BLUE, GREY, NARROW, ORANGE, WIDE, Layout
from qbench.report.view import RunView, load


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def drawn(view: RunView, layout: Layout = WIDE) -> Figure:
    plot = sensitivity.plot(view)
    assert plot is not None
    return plot.draw(layout)


def grounds(figure: Figure) -> list[str]:
    """Return the colour of each cell: bars are thinner than cells."""
    rgb = {tuple(round(int(c[i : i + 2], 16) / 255, 3) for i in (1, 3, 5)): c for c in (BLUE, GREY, ORANGE)}
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle) and patch.get_height() > 0.8]
    return [rgb[tuple(round(float(part), 3) for part in box.get_facecolor()[:3])] for box in boxes]


def planted(view: RunView, *, lost: float, p: float) -> RunView:
    """Return a view whose single layers all lose so much, with that p."""
    names = {"top1_drop_points": lost, "top1_drop_points_low": lost - 1, "top1_drop_points_high": lost + 1}
    record = names | {"mcnemar_p": p}
    rows = [row if row.whole_network else replace(row, record={**row.record, **record}) for row in view.rows]
    return RunView(view.run, tuple(rows))


@pytest.mark.parametrize(
    ("lost", "p", "colour"),
    [(-0.8, 0.04, GREY), (-0.8, 1e-6, BLUE), (2.0, 0.04, GREY), (2.0, 1e-6, ORANGE)],
)
def test_what_no_test_tells_from_nothing_is_grey_and_thin(view: RunView, lost: float, p: float, colour: str) -> None:
    figure = drawn(planted(view, lost=lost, p=p))
    found = grounds(figure)
    assert len(found) == len(view.single_layers)
    assert set(found) == {colour}
    bold = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert len(bold) == (0 if colour == GREY else len(found))


def test_the_title_names_no_layer_that_only_noise_names(view: RunView) -> None:
    noise, loss = (sensitivity.plot(planted(view, lost=2.0, p=p)) for p in (0.04, 1e-6))
    assert noise is not None
    assert loss is not None
    assert noise.title.startswith("No single layer costs accuracy")
    assert loss.title.startswith("The most sensitive layer is")


def test_shares_of_weights_and_work_stand_beside_the_cells_where_rows_know_them(view: RunView) -> None:
    row = view.single_layers[0]
    facts = [{"name": "a", "channels": 2, "depth": 9, "operations": 60}, {"name": "b", "channels": 1, "depth": 2}]
    known = replace(row, result=replace(row.result, layer_rows=tuple(facts)))
    assert sensitivity._shares(["a", "b"], known) == {"weights": {"a": 0.9, "b": 0.1}}
    assert sensitivity._shares(["a", "c"], known) == {}
    operations = sensitivity._shares(view.header.model.layers, row)["multiply-adds"]
    assert sum(operations.values()) == pytest.approx(1.0)


def test_the_map_takes_the_width_it_has(view: RunView) -> None:
    for layout in (WIDE, NARROW):
        figure = drawn(view, layout)
        box = figure.axes[0].get_position()
        assert box.x1 == pytest.approx(1.0 - 0.25 / layout.width_in)
        ends = [patch.get_x() + patch.get_width() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
        assert max(ends) > 0.8 * figure.axes[0].get_xlim()[1]
