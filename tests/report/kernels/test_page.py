"""The page of a run of kernels says what the rows show, and draws them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.core.cells.result import KernelResult, KernelTrial, PartyRow
from qbench.core.trial import Measurement
from qbench.errors import ResultsError
from qbench.report import write_report
from qbench.report.kernels.plots import kernel_plots
from qbench.report.kernels.view import KernelView, family
from qbench.report.words import TIMES
from qbench.results import MachineFacts, RunHeader, RunState, RunWriter, SuiteFacts, read_run
from qbench.results.header import KernelBar
from tests.report.test_rendered import FRAMES, complaints, needs_browser, rendered

CONV = ConvProblem(1, 8, 8, 16, 16, (3, 3), (1, 1), (1, 1, 1, 1))
CEILINGS = {"int8_gops_1": 1000.0, "int8_gops_all": 1900.0, "popcount_gops_1": 5000.0, "read_gb_s_1": 20.0}


def row(spec: str, threads: int, times_s: dict[str, float], *, reason: str = "") -> KernelResult:
    problem = CONV if spec == "w8c-a8t" else GemmProblem(4, 64, 64)
    cell = KernelCell(problem, spec, "s32", threads)
    peers = (*(name for name in times_s if name != "qbench"), "liar")
    trial = KernelTrial("one", ("resnet20",), 1, cell, peers=peers)
    timed = tuple(
        Measurement(trial.key, name, tuple(time_s * (1 + 0.01 * (index % 3)) for index in range(9)), 1, 1, 10_000)
        for name, time_s in times_s.items()
    )
    parties = tuple(PartyRow(name, kernel=f"{name}-kernel", packed="once", isa="avx") for name in times_s)
    liar = PartyRow("liar", "liar: wrong: 3 of 9 numbers differ")
    return KernelResult(
        trial, "h", "skipped" if reason else "ok", reason, operations=10_000, moved_bytes=500, bound="int8_gops_1",
        bound_s=1e-8, parties=(*parties, liar), measurements=timed,
    )  # fmt: skip


ROWS = (
    row("w8c-a8t", 1, {"qbench": 2e-8, "litert": 3e-8, "openvino": 5e-8}),
    row("w8c-a8t", 2, {"qbench": 1e-8, "litert": 1.2e-8}),
    row("wb-ab", 1, {"qbench": 0.5e-8}),
    row("wt-at", 1, {"litert": 4e-8}, reason="no kernel"),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    bars = (
        KernelBar(name="fast <enough>", against="peers", mean=1.08, least=0.93, threads=1, keys=(ROWS[0].trial.key,)),
        KernelBar(name="too much", against="ceiling", mean=0.9, threads=1, keys=(ROWS[0].trial.key,)),
    )
    header = RunHeader(
        kind="kernels", qbench_version="0.1.0", created_utc="2026-01-02T03:04:05Z", state=RunState(finished=True),
        suite=SuiteFacts(
            name="mini", title="Some kernels", text="name: m\n", sha256="0" * 64, bars=bars, threads=2
        ),
        machines={"one": MachineFacts(environment={"cpu_model": "one"}, ceilings=CEILINGS)},
    )  # fmt: skip
    with RunWriter.create(tmp_path / "run", header) as writer:
        for one in ROWS:
            writer.append(one)
    return tmp_path / "run"


class Reader(HTMLParser):
    """Collects the cells of each table, by the label of its region."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._table: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        facts = dict(attributes)
        if tag == "div" and facts.get("role") == "region":
            self._table = self.tables.setdefault(str(facts["aria-label"]), [])
        elif tag == "tr":
            self._table.append([])
        elif tag == "td":
            self._table[-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._table[-1][-1] += data


def tables(page: str) -> dict[str, list[list[str]]]:
    reader = Reader()
    reader.feed(page)
    return {name: [line for line in lines if line] for name, lines in reader.tables.items()}


def test_the_page_is_one_file_that_says_what_the_rows_show(run: Path) -> None:
    path = write_report([run], run)
    page = path.read_text(encoding="utf-8")
    assert (
        f"qbench is 1.34{TIMES} as fast as the best other library of each shape, 1.20{TIMES} at worst, over 2 rows."
        in page
    )
    assert "fast &lt;enough&gt;" in page
    assert "qbench has no kernel for 1 rows: no kernel." in page
    assert 'src="http' not in page
    assert {file.name for file in (run / "plots").iterdir()} == {
        "roofline.svg", "roofline.png", "ratios.svg", "ratios.png"
    }  # fmt: skip


@needs_browser
def test_the_page_can_be_read_at_every_width(run: Path, tmp_path: Path) -> None:
    found = rendered(write_report([run], run), tmp_path)
    assert sorted(found) == sorted(FRAMES)
    assert all(one["texts"] > 20 for one in found.values())
    assert complaints(found) == ""


def test_points_lead_to_rows_and_families_have_means_of_their_own(run: Path) -> None:
    path = write_report([run], run)
    page = path.read_text(encoding="utf-8")
    named = {line for one in re.findall(r'data-trial="([\d ]+)"', page) for line in one.split()}
    assert named == {"1", "2", "3"}
    assert all(f'data-line="{line}"' in page for line in named)
    assert [line[:3] for line in tables(page)["families"]] == [["8 bits", "1", "1"], ["8 bits", "2", "1"]]
    order = [page.index(f'id="{part}"') for part in ("plots", "means", "bars", "cells", "limits", "how")]
    assert order == sorted(order)
    assert "Goals: 1 of 2 met" in page
    assert "selftest-timing" in page
    (run / "selftest.md").write_text("a CPU:\n\n| planted | false |\n|---|---|\n| 5 % | 0 |\n", encoding="utf-8")
    again = tables(write_report([run], run).read_text(encoding="utf-8"))
    assert again["what verdicts are worth"] == [["5 %", "0"]]


def test_families_are_not_averaged_together(run: Path) -> None:
    binary = row("wb-ab", 1, {"qbench": 1e-8, "other": 4e-8})
    view = KernelView(replace(read_run(run), results=(*ROWS, binary)))
    assert view.headline == (
        f"Beside the best other library of each shape, qbench's speed is, on average: 8 bits 1.34{TIMES} (2 rows), "
        f"binary 4.00{TIMES} (1 row)."
    )


def test_the_tables_of_the_page_hold_bars_means_and_cells(run: Path) -> None:
    found = tables(write_report([run], run).read_text(encoding="utf-8"))
    assert [line[1] for line in found["bars"]] == ["yes", "no"]
    assert [line[:3] for line in found["means"]] == [["one", "1", "3"], ["one", "2", "1"]]
    assert found["means"][0][3].startswith("1.50of 1, least 1.50")
    first, second, *_, last = found["cells"]
    assert first[7].startswith("litert")
    assert first[6].startswith(f"1.50{TIMES}")
    assert second[9].startswith(f"2.00{TIMES}")
    assert last[-1] == "skippedno kernel"


def test_a_run_on_a_gpu_shows_its_device_its_networks_and_its_checks(run: Path) -> None:
    with RunWriter.open(run) as writer:
        facts = MachineFacts(
            environment={
                "cuda": {"device": "Some GPU"},
                "cuda_checks": [{"comparisons": 7, "detail": ""}, {"comparisons": 5, "detail": "3 of 9 differ"}],
                "cuda_networks": [
                    {
                        "model": "net", "spec": "w8c-a8t", "batch": 64, "peer": "torch-fp16", "transfer_s": 0.002,
                        "images_per_s": {"qbench": 3000.0, "torch-fp16": 2000.0},
                    },
                    {"model": "lost", "spec": "w8c-a8t", "batch": 8, "reason": "no memory"},
                ],
            }
        )  # fmt: skip
        writer.update_header(machines={"one": facts})
    page = write_report([run], run).read_text(encoding="utf-8")
    first, second = tables(page)["networks"]
    assert first[5:] == ["2\N{NARROW NO-BREAK SPACE}000", "1.50", "2.00"]
    assert second[3].endswith("no memory")
    assert "2 kernels on odd sizes and extreme values, 12 comparisons with the reference, 1 wrong" in page
    assert page.count("Some GPU") > 1
    assert KernelView(read_run(run)).panel(1) == "Some GPU"


def test_who_was_wrong_is_named(run: Path) -> None:
    page = write_report([run], run).read_text(encoding="utf-8")
    assert 'data-tone="bad"><details><summary>liar: wrong: 3 of 9 numbers differ' in page


def test_the_titles_of_the_plots_are_findings(run: Path) -> None:
    roofline, ratios = kernel_plots(KernelView(read_run(run)))
    assert roofline.title == "2 of 3 operations reach 90\N{NO-BREAK SPACE}% of what this machine can do"
    assert ratios.title == "qbench is ahead of every other library on 2 of 2 rows"


def test_every_class_of_numbers_has_a_colour() -> None:
    depthwise = replace(
        ROWS[0],
        trial=replace(ROWS[0].trial, cell=replace(ROWS[0].trial.cell, problem=replace(CONV, groups=16))),
    )
    narrow = replace(ROWS[0], trial=replace(ROWS[0].trial, cell=replace(ROWS[0].trial.cell, spec="w4c-a8t")))
    rows = (*ROWS[::2], ROWS[3], depthwise, narrow)
    assert [family(one) for one in rows] == ["8 bits", "binary", "ternary", "depthwise", "under 8 bits"]


def test_a_run_without_rows_is_refused(tmp_path: Path) -> None:
    header = RunHeader(
        kind="kernels", qbench_version="0", suite=SuiteFacts(name="m"), created_utc=""
    )  # fmt: skip
    RunWriter.create(tmp_path / "empty", header).close()
    with pytest.raises(ResultsError, match="expected a run with at least one row"):
        write_report([tmp_path / "empty"], tmp_path)
