import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from qbench.errors import ResultsError
from qbench.registry import Registry
from qbench.report import write_report
from qbench.report.page import banners
from qbench.report.plots import PLOTS
from qbench.report.tables.table import trials
from qbench.report.view import load
from tests.report.conftest import waiting

VOID = {"meta", "link", "br", "input", "img", "hr"}


class Checker(HTMLParser):
    """Follows the tags; remembers ids, links and what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("id"):
            self.ids.append(str(named["id"]))
        for name in ("href", "xlink:href", "src"):
            if named.get(name):
                self.targets.append(str(named[name]))
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def read(page: Path) -> tuple[str, Checker]:
    text = page.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    return text, checker


def test_the_page_is_whole_and_needs_no_network(page: Path) -> None:
    text, checker = read(page)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert all(target.startswith(("#", "data:")) for target in checker.targets)
    assert all(target[1:] in checker.ids for target in checker.targets if target.startswith("#"))
    assert set(re.findall(r"https?://[^\s\"')<]+", text)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }
    assert "url(http" not in text
    assert "@import" not in text


def test_a_peer_that_was_left_out_is_said_once_above_everything(run_folder: Path) -> None:
    view, note = load(run_folder), "not timed: openvino-int8: logits are 4 dB from fp32's"
    rows = tuple(replace(row, notes=(note,)) for row in view.run.results)
    said = banners(replace(view, run=replace(view.run, results=rows)))
    count = sum(row.status == "ok" for row in rows)
    assert said.count(("warn", f"N{note[1:]} ({count} rows).")) == 1
    shown = replace(view.rows[0], result=replace(view.rows[0].result, notes=(note, "another")))
    assert trials(replace(view, rows=(shown,))).lines[0].cells[-1].detail == "another"


def test_the_page_answers_first_and_warns_of_what_is_wrong(page: Path, run_folder: Path) -> None:
    text, _ = read(page)
    headline = re.search(r"<h1>(.*?)</h1>", text)
    assert headline is not None
    assert "keeps 99\N{NO-BREAK SPACE}% of fp32" in headline[1]
    assert "was not steady while it was timed (the time of a fixed loop moved by 8 %)" in text
    assert "Fabricated CPU &lt;8-core&gt;" in text
    assert "6.02 dB" in text


def test_every_trial_is_a_row_and_every_reason_is_told(page: Path, run_folder: Path) -> None:
    text, checker = read(page)
    view = load(run_folder)
    assert checker.rows >= len(view.rows)
    assert text.count("<tr data-status=") + len(waiting(text)) == len(view.rows)
    for row in view.absent:
        assert row.result.reason in text
        assert row.result.trial.key in text


def test_plots_are_written_as_files_too(page: Path) -> None:
    names = {path.name for path in (page.parent / "plots").iterdir()}
    assert {"accuracy_against_size.svg", "accuracy_against_size.png", "throughput.svg", "sensitivity.png"} <= names
    assert all(path.stat().st_size > 2000 for path in (page.parent / "plots").iterdir())


def test_inline_plots_take_their_colours_from_the_theme(page: Path) -> None:
    text, _ = read(page)
    svgs = re.findall(r'<svg class="(?:wide|narrow)".*?</svg>', text, flags=re.DOTALL)
    assert len(svgs) == 2 * len(PLOTS)
    for svg in svgs:
        assert "var(--ink)" in svg
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#000000"}


@pytest.fixture
def one_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the cheapest plot only, where a test is not about the plots."""
    monkeypatch.setattr("qbench.report.networks.PLOTS", Registry("qbench.no_plots", {"layers": PLOTS["layers"]}))


@pytest.mark.usefixtures("one_plot")
def test_the_same_run_gives_the_same_page(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", images=200, methods=("mse",), bits=(8, 4))
    first, again = (write_report([run], tmp_path / name).read_bytes() for name in ("first", "again"))
    assert first == again


@pytest.mark.usefixtures("one_plot")
def test_two_runs_stand_side_by_side(make_run: Callable[..., Path], run_folder: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other-run", images=400, methods=("mse",), bits=(8, 4), shift=0.05)
    text, checker = read(write_report([run_folder, other], tmp_path / "out"))
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert "2 runs side by side" in text
    assert "other-run" in text
    assert (tmp_path / "out" / "plots" / "other-run-layers.svg").is_file()


def test_a_run_with_nothing_but_its_baseline_still_makes_a_page(
    make_run: Callable[..., Path], tmp_path: Path, run_folder: Path
) -> None:
    lines = (run_folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "run.json").write_bytes((run_folder / "run.json").read_bytes())
    (bare / "trials.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    text, checker = read(write_report([bare], bare))
    assert checker.open == []
    assert "No quantized row of this run is shown to keep" in text


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot write") as caught:
        write_report([run_folder], tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_no_run_is_refused() -> None:
    with pytest.raises(ResultsError, match="at least one run"):
        write_report([], Path())
