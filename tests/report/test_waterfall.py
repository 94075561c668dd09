"""From float32's time to the fastest row's: steps in turns where a row has them, layers alone where it has not."""

from dataclasses import replace
from pathlib import Path

import pytest

from qbench.report.plots import waterfall
from qbench.report.view import RunView, load, view_of


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def test_layers_alone_count_as_often_as_the_network_has_them(view: RunView) -> None:
    fall = waterfall.of_layers(view)
    assert fall is not None
    whole = {time.layer: time for row in view.rows for time in row.layer_times}
    assert fall.ends_s[1] == pytest.approx(sum(time.own.median_s / 256 for time in whole.values()))
    assert all(part.change_s < 0 for part in fall.parts)
    few = [time.layer for time in whole.values() if not time.layer.startswith("blocks.") or time.layer < "blocks.2"]
    row = next(row for row in view.rows if row.layer_times)
    counts = waterfall._like(row.result, few)
    assert sum(counts.values()) == len(whole)
    blocks = [count for name, count in counts.items() if name.startswith("blocks.")]
    assert max(blocks) - min(blocks) <= 1


def test_the_fastest_row_is_chosen_by_its_rounds_and_the_title_names_the_largest_change(view: RunView) -> None:
    """The second row takes fewer seconds, but so did float32 while it was timed: the first one gains more."""
    split = {
        "w8c-a8t": {"Conv": (2e-3, 9e-3), "Add": (1e-3, 0.5e-3), "conversions": (0.1e-3, 0.0)},
        "w4c-a8t": {"Conv": (1e-3, 2e-3), "Add": (0.1e-3, 0.1e-3)},
    }
    rows = tuple(replace(row, split_s=split.get(row.trial.spec, {})) for row in view.run.results)
    fall = waterfall.of_steps(view_of(replace(view.run, results=rows)))
    assert fall is not None
    assert fall.row.result.trial.spec == "w8c-a8t"
    assert [part.name for part in fall.parts] == ["convolutions", "additions", "conversions"]
    plot = waterfall.plot(view_of(replace(view.run, results=rows)))
    assert plot is not None
    assert "\N{MINUS SIGN}7.00" in plot.title
    assert plot.title.endswith("for convolutions")
