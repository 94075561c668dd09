"""One network from inside, from made-up numbers: culprits, graph, histograms, and what rows alone can say."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from qbench.report import page
from qbench.report.inside.graph import graph_svg
from qbench.report.inside.histogram import histogram_svg, spread_words
from qbench.report.inside.layers import inside_of
from qbench.report.inside.part import inside_part
from qbench.report.view import RunView, load
from qbench.results.kept.analysis import BINS, Analysis, LayerInside, Node, Spread, error_shares
from qbench.results.kept.quantized import Product, StepTime, write_product
from tests.report.conftest import LAYERS
from tests.report.test_rendered import complaints, needs_browser, rendered

WEIGHTS = Spread(-1.0, 2.0, tuple(range(BINS)), -0.9, 1.5, 0.125, 21.5)


def analysis() -> Analysis:
    """A chain of the fabricated network's layers, every third one skipped by an addition; the ninth is the worst."""
    layers = tuple(
        LayerInside(name, WEIGHTS, replace(WEIGHTS, saturated=None), 30.0, 10.0 if place == 8 else 40.0)
        for place, name in enumerate(LAYERS)
    )
    nodes = [Node(name, "Conv", (LAYERS[place - 1],) if place else ("input",)) for place, name in enumerate(LAYERS)]
    nodes.append(Node("add", "Add", (LAYERS[-1], LAYERS[3])))
    return Analysis(32, 16, 9.5, layers, tuple(nodes))


@pytest.fixture(scope="module")
def kept(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """The fabricated run as if one of its rows had been kept by `qbench quantize`."""
    folder = tmp_path_factory.mktemp("kept")
    for name in ("run.json", "trials.jsonl"):
        (folder / name).write_bytes((run_folder / name).read_bytes())
    key = next(row.trial.key for row in load(run_folder).run.results if row.trial.spec == "w4c-a8t")
    steps = tuple(StepTime(name, "conv_u8_s4_u8/x", "product", True, 10, 2, 0.002, 5) for name in LAYERS)
    write_product(Product(key, 1, steps, 0.1, {"stem": "a rule"}, "x", "x", analysis()), folder)
    return load(folder)


def test_shares_of_the_error_add_up_and_the_worst_comes_first() -> None:
    shares = error_shares({"good": 40.0, "bad": 20.0, "exact": None})
    assert list(shares) == ["bad", "good"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["bad"] == pytest.approx(100 * shares["good"])


def test_the_worst_layer_is_named_first_and_every_layer_has_its_histograms(kept: RunView) -> None:
    part = inside_part(kept, 1)
    assert part is not None
    assert part.title.startswith(f"{LAYERS[8]} makes 98")
    assert part.first[0].name == LAYERS[8]
    assert {card.name for card in (*part.first, *part.others)} == set(LAYERS)
    assert "12\N{NO-BREAK SPACE}% beyond" in part.first[0].pictures[0].said
    assert part.first[0].pictures[0].svg.count("<rect") == 1
    assert part.drawn
    text = page.render([page.section(kept, [])])
    ids = set(re.findall(r' id="([^"]+)"', text))
    assert all(link in ids for link in re.findall(r'<a href="#(layer-[^"]+)"', text))


@needs_browser
def test_the_inside_can_be_read_at_every_width(kept: RunView, tmp_path: Path) -> None:
    (tmp_path / "made.html").write_text(page.render([page.section(kept, [])]), encoding="utf-8")
    found = rendered(tmp_path / "made.html", tmp_path)
    assert all(one["texts"] > 60 for one in found.values())
    assert complaints(found) == ""


def test_the_graph_has_every_node_its_edges_and_a_colour_for_each_question(kept: RunView) -> None:
    inside = inside_of(kept)
    assert inside is not None
    svg = graph_svg(inside, {})
    assert svg.count("<circle") == len(LAYERS) + 1
    assert svg.count("<path") == len(LAYERS) - 1 + 2  # the chain, and the addition's two; an input has no node
    assert svg.count("--error:") == svg.count("--bits:") == svg.count("--float:") == len(LAYERS)
    assert svg.count("var(--rose)") == 1
    heights = [int(y) for y in re.findall(r'<circle cx="\d+" cy="(\d+)"', svg)]
    assert all(lower - upper == 20 for upper, lower in pairwise(heights))


def test_a_histogram_holds_extremes_and_codes() -> None:
    svg = histogram_svg(WEIGHTS, "weights of <x>")
    assert svg.count("M") == BINS - 1  # an empty bin has no bar
    assert "weights of &lt;x&gt;" in svg
    assert "-1.00" in svg.replace("\N{MINUS SIGN}", "-")
    assert "SQNR 21.5 dB" in spread_words(WEIGHTS)
    flat = histogram_svg(Spread(0.0, 0.0, (7,)), "zeros")
    assert "NaN" not in flat
    assert "nan" not in flat


def test_rows_of_single_layers_show_a_network_from_inside_without_its_graph(run_folder: Path) -> None:
    part = inside_part(load(run_folder), 1)
    assert part is not None
    assert not part.drawn
    assert not part.first
    assert len(part.table.lines) == len(LAYERS)
    assert "alone" in part.about
    assert part.title.endswith("%")
    assert "of the error of layers alone as w" in part.title  # not of the row whose bits and times are shown


def test_a_file_of_before_is_told_and_still_shown(kept: RunView) -> None:
    path = kept.run.folder / "quantized.json"
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(re.sub(r'"inside": \{.*\n \},\n "schema', '"schema', text, flags=re.DOTALL), encoding="utf-8")
        part = inside_part(kept, 1)
        assert part is not None
        assert "before its inside was looked at" in part.about
        path.write_text("{", encoding="utf-8")
        assert inside_part(kept, 1) is not None
    finally:
        path.write_text(text, encoding="utf-8")
