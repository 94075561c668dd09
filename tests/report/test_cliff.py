"""A scale per tensor against one per channel by bits, beside what others published."""

from dataclasses import replace
from pathlib import Path

import pytest

from qbench.report.plots import cliff
from qbench.report.published import PLAIN, WITH_GPTQ
from qbench.report.rows import Row
from qbench.report.style import NARROW, WIDE
from qbench.report.view import RunView, load

LOST = {"w8t": 0.1, "w6t": 0.5, "w4t": 6.0, "w8c": 0.0, "w6c": 0.2, "w4c": 2.0}


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def swept(view: RunView, *, images: int = 1000, rounding: str = "", notes: tuple[str, ...] = ()) -> RunView:
    """Return a view of both granularities at three widths."""
    row = view.network[0]
    rows = []
    for place, (weights, lost) in enumerate(LOST.items(), start=1):
        trial = replace(
            row.result.trial, spec=f"{weights}-a8t", method="mse", rounding=rounding, sweep="cliff", edges=""
        )
        record = {**row.record, "top1_drop_points": lost, "logit_sqnr_db": 40 - 5 * lost}
        rows.append(Row(replace(row.result, trial=trial, notes=notes), record, place))
    header = view.header.model_copy(update={"data": view.header.data.model_copy(update={"images": images})})
    return RunView(replace(view.run, header=header), tuple(rows))


def test_points_are_compared_where_there_are_samples_enough(view: RunView) -> None:
    plot = cliff.plot(swept(view))
    assert plot is not None
    assert plot.title == "A scale for each channel is worth 4.0 points at 4 bits, 0.1 at 8"
    assert "without GPTQ" in plot.subtitle
    figure = plot.draw(WIDE)
    own, resnet, mobilenet = figure.axes
    tensor, channel = (line.get_ydata() for line in own.lines if len(line.get_ydata()) > 2)
    assert (list(tensor), list(channel)) == ([0.1, 0.5, 6.0], [0.0, 0.2, 2.0])
    assert own.get_ylim()[0] > own.get_ylim()[1], "what is lost points down"
    assert "not depthwise" in resnet.get_title(loc="left")
    assert mobilenet.get_title(loc="left") == "Brevitas: MobileNetV2, depthwise"
    assert plot.draw(NARROW).get_size_inches()[0] < 4


def test_few_samples_or_drawn_weights_are_shown_by_decibels_and_the_plot_says_why(view: RunView) -> None:
    few, drawn = (
        cliff.plot(swept(view, images=20)),
        cliff.plot(swept(view, images=20, notes=("weights are seeded: x",))),
    )
    assert few is not None
    assert drawn is not None
    assert few.title.startswith("A scale for each channel is worth 20.0 dB at 4 bits")
    assert "20 samples are too few for a share right" in few.subtitle
    assert "were drawn" in drawn.subtitle


def test_the_published_sweep_is_that_of_the_recipe(view: RunView) -> None:
    plot = cliff.plot(swept(view, rounding="gptq"))
    assert plot is not None
    assert "mse+gptq" in plot.subtitle
    assert "bias-corrected with GPTQ" in plot.subtitle


def test_a_run_without_such_rows_has_no_such_plot(view: RunView) -> None:
    rows = tuple(row for row in view.rows if row.granularity != "per tensor")
    assert cliff.plot(RunView(view.run, rows)) is None


def test_published_figures_fall_with_the_bits() -> None:
    for one in (*PLAIN, *WITH_GPTQ):
        for scores in (one.tensor, one.channel):
            assert list(scores) == [8, 6, 4]
            assert one.fp32 > scores[8] > scores[6] > scores[4]
