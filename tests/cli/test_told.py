"""Every command, walked: what it tells as JSON, and that 80 columns break no word and have the answer at the top."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from qbench import __version__
from qbench.cli.commands import COMMANDS, root
from qbench.kernels.check import VerifyRow
from qbench.kernels.tiles.listing import TileRow
from qbench.registry import Registry
from qbench.report.plots import PLOTS
from qbench.results import SuiteFacts
from qbench.results.header import Expected
from qbench.runner.own.joint import JointPlan
from tests.cli.conftest import Call, MakeRun, Outcome
from tests.golden.facts import SMALL

SUITES = Path(__file__).parents[2] / "suites"
TILE = TileRow("u8_s8", "u8 per channel with a sum and relu", "14x2", "vpdpbusd", 112, 30, 0)


@dataclass(frozen=True)
class Case:
    """A command on a tiny run: its arguments, words of its answer, and a name that its JSON must have."""

    arguments: tuple[str, ...]
    answer: str
    name: str


CASES = {
    "explore": Case(("explore", "resnet20", "-o", "{out}"), "w8c-a8t mse keeps", "runs"),
    "init": Case(("init", "resnet20", "--force", "-o", "{out}/mine.yaml"), "wrote", "suite"),
    "run": Case(("run", "{suites}/tiny.yaml", "-o", "{out}"), "w8c-a8t mse keeps", "runs"),
    "plan": Case(
        ("plan", "{suites}/tiny.yaml", "--filter", "bits == 4", "-o", "{out}"), "3 trials: 3 to run", "suites"
    ),
    "quantize": Case(
        ("quantize", "{small}", "--data", "{data}", "--calibration", "16", "--no-times", "--threads", "1", "-v", "-o",
         "{out}/q"), "top-1 %", "scores",
    ),
    "list": Case(("list", "methods"), "linear_floor", "methods"),
    "verify": Case(("verify", "pack"), "2 checks, 1 wrong", "checks"),
    "ceiling": Case(("ceiling",), "int8_gops_1", "ceilings"),
    "assembly": Case(("assembly", "x86_vnni"), "product", "tiles"),
    "report": Case(("report", "{a}", "-o", "{out}"), "report.html", "page"),
    "publish": Case(("publish", "{a}", "{b}", "-o", "{out}/site"), "index.html", "runs"),
    "table": Case(("table", "{a}", "--format", "csv"), "network,bits,row", "rows"),
    "plot": Case(("plot", "throughput", "{a}", "--no-title", "-o", "{out}/t.svg"), "wrote", "title"),
    "compare": Case(("compare", "{a}", "{b}"), "b against a", "rows"),
    "history": Case(("history", "{a}", "{b}"), "figures of 2 runs", "series"),
    "baseline": Case(("baseline", "save", "{a}", "--dir", "{out}"), "wrote", "folder"),
    "check": Case(("check", "{a}"), "1 hold, 0 do not", "shown"),
    "asv": Case(("asv", "init", "{suites}/tiny.yaml", "--force", "-o", "{out}"), "asv.conf.json", "files"),
    "overrides": Case(("overrides", "{a}"), "scored together", "rules"),
    "system": Case(("system",), "-", "variants"),
}  # fmt: skip
ELSEWHERE = {"ab": "tests/cli/test_ab.py", "selftest-timing": "tests/runner/sides"}
"""Commands that time something, and who tries them."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, make_run: MakeRun) -> None:
    """What takes long is made up: runs, compiled kernels, plots."""
    keys = ("speed/resnet20/all/w8c-a8t/mse/s0",)
    suite = SuiteFacts(
        name="mini", text="name: mini\n", sha256="0" * 64,
        expect=(Expected(column="packed_bytes", most=1000, keys=keys, text="packed_bytes at most 1000"),),
    )  # fmt: skip
    before = make_run("a", suite=suite)
    make_run("b", suite=suite, median_s=0.0005)
    rows = [VerifyRow("pack", "pack_u8_b1", word, 7, "ok") for word in ("portable",)]
    wrong = VerifyRow("pack", "pack_u8_b1", "x86_avx2", 7, "mismatch", "first at 3: expected a word, got another " * 3)
    monkeypatch.setattr("qbench.runner.run_suite", lambda *_, **__: before)
    monkeypatch.setattr("qbench.kernels.verify", lambda _: iter([*rows, wrong]))
    monkeypatch.setattr("qbench.kernels.tiles.listing.rows", lambda *_, **__: iter([TILE]))
    monkeypatch.setattr("qbench.runner.machine.ceilings.measure", lambda *_, **__: {"int8_gops_1": 1083.7})
    monkeypatch.setattr(
        "qbench.report.networks.PLOTS", Registry("qbench.no_plots", {"throughput": PLOTS["throughput"]})
    )
    monkeypatch.setattr("qbench.report.write_report", lambda _, out: out / "report.html")
    monkeypatch.setattr("qbench.report.site.write.write_report", lambda *_: None)
    monkeypatch.setattr("qbench.report.site.write.trends", lambda _: [])
    monkeypatch.setattr("qbench.runner.own.joint.joint_plan", lambda *_, **__: JointPlan((), (), None, 0.1, -0.2, 0.4))  # type: ignore[arg-type]


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(arguments: tuple[str, ...], *, columns: int) -> Outcome:
        places = {
            "out": tmp_path / "out", "a": tmp_path / "a", "b": tmp_path / "b", "suites": SUITES, "small": SMALL,
            "data": SMALL.with_suffix(".npz"),
        }  # fmt: skip
        (tmp_path / "out").mkdir(exist_ok=True)
        monkeypatch.setenv("COLUMNS", str(columns))
        words = [word.format(**places) for word in arguments]
        code = root.main(words, prog_name="qbench", standalone_mode=False)
        return Outcome(code or 0, *capsys.readouterr())

    return run


def numbers(value: Any) -> Iterator[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from numbers(part)
    if not isinstance(value, dict | list):
        yield value


def plain_words(text: str) -> Iterator[str]:
    """Yield what stands between spaces, without the rules of tables and the stops of sentences."""
    yield from (word.strip(",:") for word in text.split() if set(word) != {"\N{BOX DRAWINGS LIGHT HORIZONTAL}"})


def test_every_command_is_walked_and_has_json() -> None:
    assert set(CASES) | set(ELSEWHERE) >= set(COMMANDS)
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        assert any("--json" in parameter.opts for parameter in command.params), name


@pytest.mark.parametrize("name", CASES)
def test_json_is_one_object_of_the_same_shape(walk: Call, name: str) -> None:
    case = CASES[name]
    done = walk((*case.arguments, "--json"), columns=80)
    found = json.loads(done.out)
    assert (found["command"], found["qbench"], found["exit_code"]) == (name, __version__, done.code)
    assert case.name in found
    tables = [rows for rows in found.values() if isinstance(rows, list)]
    for rows in tables:
        assert len({type(row) for row in rows}) <= 1, "a table holds objects, an answer sentences"
    assert all(value is None or isinstance(value, str | bool | int | float) for value in numbers(found))


@pytest.mark.parametrize("name", CASES)
def test_at_80_columns_no_word_is_broken_and_the_answer_is_at_the_top(walk: Call, name: str) -> None:
    case = CASES[name]
    narrow, wide = (walk(case.arguments, columns=columns).out for columns in (80, 400))
    assert case.answer in "\n".join(narrow.splitlines()[:8])
    known = set(plain_words(f"{wide} left out for want of width (--wide shows it):"))
    assert set(plain_words(narrow)) <= known
    for line in narrow.splitlines():
        assert len(line) <= 80 or max(map(len, line.split())) > 50, line


def test_wide_leaves_nothing_out(walk: Call) -> None:
    plan = ("plan", f"{SMALL}", "--threads", "1")
    assert "left out for want of width (--wide shows it): " in walk(plan, columns=80).out
    found = walk((*plan, "--wide"), columns=80).out
    assert "left out" not in found
    assert "output, bytes" in found
    assert max(map(len, found.splitlines())) > 80
