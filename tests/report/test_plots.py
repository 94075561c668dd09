from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from qbench.metrics.classification import TOP1
from qbench.report.plots import PLOTS, accuracy, pareto, scale
from qbench.report.plots.plot import Plot
from qbench.report.style import FILE, NARROW, WIDE, Layout, Margins, panels
from qbench.report.view import RunView, load, view_of


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that shows, with its place in pixels, a pixel slimmer on each side."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    shown = []
    for artist in figure.findobj(Text):
        if isinstance(artist, Text) and artist.get_visible() and artist.get_text().strip():
            box = Text.get_window_extent(artist) if isinstance(artist, Annotation) else artist.get_window_extent()
            shown.append((artist.get_text(), box.padded(-1.0)))
    return shown


@pytest.mark.parametrize("layout", [FILE, WIDE, NARROW], ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", list(PLOTS))
def test_every_plot_draws_at_every_width_without_overlapping_or_clipped_text(
    view: RunView, name: str, layout: Layout
) -> None:
    plot: Plot | None = PLOTS.load(name)(view)
    assert plot is not None
    figure = plot.draw(layout)
    shown = texts(figure)
    assert shown
    for (first, box), (second, other) in combinations(shown, 2):
        assert not box.overlaps(other), f"'{first}' overlaps '{second}'"
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in shown:
        assert box.x0 >= -2 and box.x1 <= width + 2, f"'{text}' is cut off at a side"  # noqa: PT018
        assert box.y0 >= -2 and box.y1 <= height + 2, f"'{text}' is cut off above or below"  # noqa: PT018


@pytest.mark.parametrize("name", list(PLOTS))
def test_every_plot_states_a_finding_and_its_conditions(view: RunView, name: str) -> None:
    plot: Plot | None = PLOTS.load(name)(view)
    assert plot is not None
    assert plot.name == name
    assert len(plot.title.split()) >= 5
    assert "resnet20" in plot.subtitle


def of_methods(view: RunView, recipes: dict[str, str]) -> RunView:
    """The run with only some methods' rows, each with what is corrected after it."""
    rows = [row for row in view.run.results if row.trial.method in ("none", *recipes)]
    named = [replace(row, trial=replace(row.trial, correction=recipes.get(row.trial.method, ""))) for row in rows]
    return view_of(replace(view.run, results=tuple(named)))


def test_lines_are_recipes_and_the_title_says_so(view: RunView) -> None:
    plot = accuracy.by_method(of_methods(view, {"mse": "both", "linear_floor": ""}))
    assert plot is not None
    assert "the recipe decides" in plot.title
    assert {"mse/both", "linear_floor"} <= {text for text, _ in texts(plot.draw(FILE))}
    plain = accuracy.by_method(of_methods(view, {"mse": "", "linear_floor": ""}))
    assert plain is not None
    assert "the method decides" in plain.title


def test_a_line_by_itself_is_not_compared(view: RunView) -> None:
    plot = accuracy.by_method(of_methods(view, {"mse": ""}))
    assert plot is not None
    assert plot.title == "mse, from 8 bits to 2 bits"


@pytest.mark.parametrize("name", list(PLOTS))
def test_a_run_without_rows_has_no_plots(view: RunView, name: str) -> None:
    assert PLOTS.load(name)(RunView(view.run, ())) is None


def test_the_front_holds_the_rows_that_none_beats(view: RunView) -> None:
    best = pareto.front(view, view.network)
    for row in view.network:
        beaten = any(
            (other.value("packed_bytes") or 0) <= (row.value("packed_bytes") or 0)
            and (other.value("top1_percent") or 0) >= (row.value("top1_percent") or 0)
            for other in best
        )
        assert beaten
    sizes = [row.value("packed_bytes") or 0.0 for row in best]
    assert sizes == sorted(sizes)


def test_names_stand_only_where_a_row_is_told_from_the_smaller_one(view: RunView) -> None:
    best = pareto.front(view, view.network)
    named = pareto.told_apart(view, best)
    assert 1 < len(named) < len(best)
    assert named == [row for row in best if row in named]
    assert all(view.score(row) > 15 for row in named)  # a tenth of the classes is a guess
    doubled = [row for row in best for _ in range(2)]
    assert pareto.told_apart(view, doubled) == named


def test_lines_join_neighbours_only_and_intervals_are_those_of_the_loss(view: RunView) -> None:
    rows = [row for row in view.network if row.width != "4"]
    thinned = RunView(view.run, (*(row for row in view.rows if row.is_baseline), *rows))
    line = accuracy.Series("mse", "k", "o", {"8": 92.0, "2": 40.0, "T": 20.0}, {})
    assert list(line.runs(["8", "4", "2", "T", "B"])) == [["8"], ["2", "T"]]
    row = next(row for row in thinned.network if row.label == "w8c-a8t mse")
    lost, fp32 = view.lost(row), view.fp32_score
    assert lost is not None
    assert fp32 is not None
    assert lost.low is not None
    assert view.span(row) == pytest.approx((fp32 - (lost.high or 0.0), fp32 - lost.low))


@pytest.mark.parametrize("values", [[91.0, 91.5], [10.0, 92.0], [92.0, 92.0], [0.0, 50.0]])
def test_the_stretched_axis_holds_all_values_and_keeps_their_order(values: list[float]) -> None:
    _, (axes,) = panels(WIDE, Margins(height=2.5), count=1, title="", subtitle="")
    scale.stretch(axes, values, task=TOP1, fp32=92.1)
    low, high = axes.get_ylim()
    assert low <= min(values)
    assert high >= 92.1
    heights = [axes.transData.transform((0, value))[1] for value in [*sorted(values), 92.1]]
    assert heights == sorted(heights)
    assert len(axes.get_yticks()) >= 2


def test_layers_show_every_library_that_timed_them_and_say_how_many_kinds_stand_for_how_many(view: RunView) -> None:
    found = next(row for row in view.rows if row.layer_times)
    names = {f"lib{n}-int8": None for n in range(4)}
    first = found.layer_times[0].own
    more = tuple(replace(first, cell=name) for name in names)
    some = tuple(m for m in found.result.measurements if "conv2" not in m.group)
    row = replace(found, result=replace(found.result, measurements=(*some, *more)))
    plot = PLOTS.load("layers")(RunView(view.run, (row,)))
    assert plot is not None
    assert (
        f"The first of each of {len(row.layer_times)} kinds among {len(view.header.model.layers)} layers"
        in plot.subtitle
    )
    for layout in (WIDE, NARROW):
        said = [text.get_text() for text in plot.draw(layout).axes[0].texts]
        assert all(any(name in text for text in said) for name in (*names, "onnxruntime-fp32", "ceiling"))
