"""A site of runs: what it shows, where its links lead, what is said of a run, and which run is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qbench.errors import ResultsError
from qbench.registry import Registry
from qbench.report.plots import PLOTS
from qbench.report.site.shown import gather
from qbench.report.site.write import DOWNLOADS, write_site
from qbench.report.words import TIMES
from tests.report.test_page import Checker

Make = Callable[..., Path]


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change what `run.json` of a run says."""
    file = folder / "run.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    change(facts)
    file.write_text(json.dumps(facts), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def runs(make_run: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one suite on one machine, as `results/` holds them, and one that was tampered with."""
    root = tmp_path_factory.mktemp("results")
    for day, shift in ((1, 0.0), (2, 0.05)):
        folder = make_run(root / "suite" / f"run-{day}", images=200, methods=("mse",), bits=(8, 4), shift=shift)
        changed(folder, lambda facts, day=day: facts.update(created_utc=f"2026-01-0{day}T00:00:00Z"))  # type: ignore[misc]
    changed(root / "suite" / "run-1", lambda facts: facts["model"].update(sha256="9" * 64))
    bad = make_run(root / "suite" / "bad", images=200, methods=("mse",), bits=(8,))
    rows = (bad / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(rows[1])
    row["metrics"]["top1_percent"]["value"] = 99.75
    (bad / "trials.jsonl").write_text("\n".join([rows[0], json.dumps(row), *rows[2:]]) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def site(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path, tuple[str, ...]]:
    """The first page's text, the site's folder, and who was refused; pages hold the cheapest plot only."""
    monkeypatch.setattr("qbench.report.networks.PLOTS", Registry("qbench.no_plots", {"layers": PLOTS["layers"]}))
    found = write_site([runs], tmp_path)
    assert found.shown == 2
    return found.page.read_text(encoding="utf-8"), tmp_path, found.refused


def test_a_site_shows_runs_beside_each_other_and_refuses_one_that_contradicts_itself(
    site: tuple[str, Path, tuple[str, ...]],
) -> None:
    text, folder, refused = site
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    files = [target for target in checker.targets if not target.startswith(("#", "data:"))]
    assert {f"runs/run-2/{name}" for name in ("report.html", *DOWNLOADS)} <= set(files)
    assert all((folder / target).is_file() for target in files)
    assert all(target[1:] in checker.ids for target in checker.targets if target.startswith("#"))

    matrix = text[text.index('<section id="matrix"') : text.index('<section id="trends"')]
    assert ">resnet20</a>" in matrix
    assert "target unsure" in matrix
    assert f"{TIMES} onnxruntime-int8" in matrix
    trend = re.search(r'<figure id="plot-trend-[^"]*">(.*?)</figure>', text, re.DOTALL)
    assert trend is not None
    assert "figures of 2 runs" in trend[1]
    assert "speed/resnet20/all/w8c-a8t/mse/s0" in trend[1]

    assert "Other network under the name resnet20 than in run-2 (99999999, there 11111111)" in text
    assert "Missing: number of cores, memory, system, version of numba, version of onnxruntime." in text
    (line,) = refused
    assert line.endswith(" %, but its own answers give " + line.rsplit(" give ", 1)[1])
    assert "bad/trials.jsonl:2: top1_percent says 99.75 %" in line
    assert "Refused: " in text
    assert not (folder / "runs" / "bad").exists()


def test_paths_are_runs_or_folders_of_them_and_others_are_one_line(runs: Path, tmp_path: Path) -> None:
    found = gather([runs / "suite" / "run-1", runs])
    assert [one.name_here for one in found.runs] == ["run-2", "run-1"]
    for path, reason in (
        (tmp_path / "none", "found nothing there"),
        (tmp_path, "found no run in it"),
        (runs / "suite" / "bad", "top1_percent says"),
    ):
        with pytest.raises(ResultsError, match=reason) as caught:
            gather([path])
        assert "\n" not in str(caught.value)


def test_runs_of_one_name_get_folders_of_their_own(make_run: Make, tmp_path: Path) -> None:
    for place in ("a", "b"):
        make_run(tmp_path / place / "latest-run", images=100, methods=("mse",), bits=(8,))
    names = [one.name_here for one in gather([tmp_path]).runs]
    assert names == ["fabricated-latest-run", "fabricated-latest-run-2"]
