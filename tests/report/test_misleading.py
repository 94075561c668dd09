"""Cases that would mislead, planted: a gap in the widths, one method, drifting references, a tie, a faster rival.

Titles, lines and cards say what is true. A rival that is faster is in `test_rivals.py`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from qbench.core.trial import TrialResult
from qbench.metrics import pack_bits, unpack_bits
from qbench.report import answer, cards
from qbench.report.plots import PLOTS, accuracy, pareto
from qbench.report.plots.plot import Plot
from qbench.report.style import WIDE
from qbench.report.view import RunView, load, view_of


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def drawn(name: str, view: RunView) -> Plot:
    plot: Plot | None = PLOTS.load(name)(view)
    assert plot is not None
    return plot


def slowed(view: RunView, spec: str, factor: float) -> RunView:
    """The run on a host that was so many times slower while the rows of one spec were timed."""

    def later(row: TrialResult) -> TrialResult:
        if row.trial.spec != spec:
            return row
        slow = tuple(replace(m, samples_s=tuple(factor * s for s in m.samples_s)) for m in row.measurements)
        return replace(row, measurements=slow)

    return view_of(replace(view.run, results=tuple(map(later, view.run.results))))


def test_a_host_that_drifts_moves_no_ratio_and_crowns_no_other_row(view: RunView) -> None:
    found = answer.find(view).fastest
    assert found is not None
    drifted = slowed(view, found.result.trial.spec, 3.0)
    again = answer.find(drifted).fastest
    assert again is not None
    assert again.label == found.label
    ratios = [row.speedup(256, "onnxruntime-fp32") for row in (found, again)]
    assert ratios[0] == ratios[1]
    assert drawn("throughput", drifted).title.split(" runs ")[0] == drawn("throughput", view).title.split(" runs ")[0]
    dots = []
    for one in (view, drifted):
        marks = drawn("throughput", one).draw(WIDE).axes[-1].collections
        assert any(mark.get_sizes().tolist() == [34] for mark in marks if isinstance(mark, PathCollection))
        found_marks = [mark for mark in marks if isinstance(mark, PathCollection) and mark.get_sizes()[0] != 26]
        dots.append(np.concatenate([np.asarray(mark.get_offsets()) for mark in found_marks]))
    assert np.allclose(dots[0], dots[1])  # all but the triangles: a ceiling was measured once, at the start


def test_methods_that_tie_within_noise_are_not_ranked(view: RunView) -> None:
    """Every method's rows become right on the same images, one of them on two images more."""
    right = {row.trial.spec: row for row in view.run.results if row.trial.method == "mse" and row.correct}

    def tied(row: TrialResult) -> TrialResult:
        twin = right.get(row.trial.spec)
        if twin is None or row.trial.method == "none":
            return row
        bits = unpack_bits(twin.correct, view.header.data.images)
        if row.trial.method == "minmax":
            bits = bits.copy()
            bits[np.flatnonzero(~bits)[:2]] = True
        score = replace(twin.metrics["top1_percent"], value=100.0 * float(bits.mean()))
        return replace(row, correct=pack_bits(bits), metrics={**row.metrics, "top1_percent": score})

    both = [row for row in view.run.results if row.trial.method in ("none", "mse", "minmax")]
    tie = view_of(replace(view.run, results=tuple(tied(row) for row in both)))
    plot = accuracy.by_method(tie)
    assert plot is not None
    assert plot.title == "No method stands out: this many images cannot distinguish them"
    best = pareto.told_apart(tie, pareto.front(tie, tie.network))
    assert len({row.result.trial.spec for row in best}) == len(best)


def test_widths_that_were_not_tried_are_not_joined_and_not_named(view: RunView) -> None:
    rows = tuple(row for row in view.run.results if row.trial.method != "minmax" or "4" not in row.trial.spec[:3])
    gap = view_of(replace(view.run, results=rows))
    plot = accuracy.by_method(gap)
    assert plot is not None
    assert "minmax" not in plot.title or "4 bits" not in plot.title
    assert "only neighbours that were both tried are joined" in plot.subtitle


def test_a_tie_in_speed_is_no_win(view: RunView) -> None:
    row = next(row for row in view.timed if row.label == "w8c-a8t mse")
    own = next(m for m in row.result.measurements if (m.group, m.cell) == ("network/batch256", "qbench"))
    twin = replace(own, cell="openvino-int8", samples_s=own.samples_s[::-1])
    tied = replace(row, result=replace(row.result, measurements=(*row.result.measurements, twin)))
    one = view_of(replace(view.run, results=(tied.result,)))
    (rival,) = (rival for rival in cards.best_rivals(one.rows[0], one) if rival.name == "openvino-int8")
    assert rival.verdict == "as fast"
