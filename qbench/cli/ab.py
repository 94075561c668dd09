"""`qbench ab`: two commits, folders or environments timed in the same rounds, and the commit that made a step."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.changes.gates import threshold_option
from qbench.cli.told import json_option, tell_json, wide_option
from qbench.errors import QBenchError

if TYPE_CHECKING:
    from qbench.results.replicates import Judged
    from qbench.runner.sides.contest import Asked, ContestRow, Outcome

HEADINGS = ("row", "A", "B", "speed of B", "95 %", "p (Holm)", "processes", "verdict")


@click.command(
    epilog="Examples: qbench ab main HEAD kernels_tiny --fail-on slower | "
    "qbench ab v1..HEAD kernels_tiny --row 'gemm/gemm 31x64x48/w8c-a8t/u8/t1'"
)
@click.argument("sides", nargs=-1, required=True, metavar="A B SUITE | A..B SUITE")
@click.option("--processes", default=3, show_default=True, type=click.IntRange(2), help="Fresh processes, at least.")
@click.option(
    "--precision",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Stop timing a row when half its interval is at most this share.",
)
@click.option("--seconds", default=120.0, show_default=True, help="Begin no more processes that would end after this.")
@threshold_option
@click.option("--row", "rows", multiple=True, metavar="KEY", help="Time only this row; repeatable.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one key of the suite; repeatable.")
@click.option("--filter", "filter_text", metavar="EXPR", help="Time only the trials that match EXPR.")
@click.option(
    "--fail-on",
    type=click.Choice(["slower"]),
    help="Exit with 1 where B is slower, or has no such row or cannot time it; with 3 where a row is UNSURE.",
)
@click.option("--soft", is_flag=True, help="With --fail-on: exit with 0 where a row is UNSURE.")
@click.option("--all", "show_all", is_flag=True, help="Also show rows that did not change.")
@json_option
@wide_option
def ab(sides: tuple[str, ...], filter_text: str | None, overrides: tuple[str, ...], **how: Any) -> int:
    """Time two builds of qbench side by side.

    A and B are commits of the repository here, folders with qbench's sources, or Python environments. Each side runs in
    processes of its own, and both time every row of SUITE in the same rounds: rows of networks with `measure: speed`,
    or of kernels. A..B finds the commit between two that made a row, --row KEY, slower or faster.

    Exit codes: 0 nothing found, 1 something that --fail-on objects to, 2 wrong input, 3 UNSURE under --fail-on.
    """
    from qbench.runner.sides.contest import Asked
    from qbench.suite import find_suite

    *words, suite = sides
    filters = () if filter_text is None else (f"filter={json.dumps(filter_text)}",)
    asked = Asked(
        find_suite(Path(suite)),
        (*overrides, *filters),
        how["rows"],
        **{name: how[name] for name in ("processes", "precision", "seconds", "threshold")},
    )
    if len(words) == 2:
        return _compare((words[0], words[1]), asked, how)
    if len(words) == 1 and ".." in words[0]:
        return _bisect(words[0], asked, as_json=how["as_json"])
    raise QBenchError(f"ab: expected A B SUITE, or A..B SUITE, got {' '.join(sides)}")


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _compare(words: tuple[str, str], asked: Asked, how: dict[str, Any]) -> int:
    from qbench.runner.machine import lock
    from qbench.runner.sides.contest import compare_sides
    from qbench.runner.sides.side import open_side

    with ExitStack() as stack:
        before, after = (stack.enter_context(open_side(word)) for word in words)
        stack.enter_context(lock.timing(on_wait=lambda: _tell("waiting for another qbench on this machine")))
        outcome = compare_sides(before, after, asked, _tell)
    objections, unsure = _objections(outcome)
    code = 0 if how["fail_on"] is None else 1 if objections else 3 if unsure and not how["soft"] else 0
    if how["as_json"]:
        names = {"before": before.name, "after": after.name}
        return tell_json("ab", exit_code=code, **names, objections=objections, **asdict(outcome))
    _show(outcome, (before.name, after.name), show_all=how["show_all"])
    if how["fail_on"] is not None:
        for line in objections:
            click.echo(line)
    return code


def _bisect(words: str, asked: Asked, *, as_json: bool) -> int:
    """Find the commit that made a row slower or faster, and print it."""
    from qbench.runner.machine import lock
    from qbench.runner.sides.bisect import find_commit
    from qbench.runner.sides.side import subject_of

    if len(asked.only) != 1:
        raise QBenchError(f"ab {words}: expected one --row KEY, got {len(asked.only)}")
    good, _, bad = words.partition("..")
    with lock.timing(on_wait=lambda: _tell("waiting for another qbench on this machine")):
        whole, found = find_commit(good, bad or "HEAD", asked, _tell)
    subjects = [subject_of(commit) for commit in found.commits]
    if as_json:
        return tell_json("ab", row=asked.only[0], judged=whole, commits=found.commits)
    word = "the commit is" if len(subjects) == 1 else f"one of {len(subjects)} commits, those between cannot be told:"
    click.echo(f"{whole.verdict} {_ratio_text(whole)} x: {word}")
    for subject in subjects:
        click.echo(subject)
    return 0


def _objections(outcome: Outcome) -> tuple[list[str], list[str]]:
    """Return what a gate objects to, a line each, and the rows that it cannot judge."""
    found = [
        f"slower: {row.key}: {_ratio_text(row.judged)} x" for row in outcome.rows if row.judged.verdict == "SLOWER"
    ]
    found += [f"missing: {key}: B has no such row" for key in outcome.only_before]
    found += [f"failed: {key}: {reason}" for key, reason in outcome.failed.items()]
    return found, [row.key for row in outcome.rows if row.judged.verdict == "UNSURE"]


def _show(outcome: Outcome, names: tuple[str, str], *, show_all: bool) -> None:
    """Print the counts, then the rows that changed, then what a reader must know beside them."""
    from qbench.cli.terminal.style import duration, make_console, print_fitting, say

    console = make_console()
    verdicts = [row.judged.verdict for row in outcome.rows]
    counted = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(sorted(verdicts)))
    say(console, f"{counted or 'no row was timed'}: {names[1]} (B) against {names[0]} (A)")
    rows = [_texts(row) for row in outcome.rows if show_all or row.judged.verdict != "SAME"]
    if rows:
        print_fitting(console, rows, headings=HEADINGS, drop=("processes", "p (Holm)", "A", "B"))
    other = [row.key for row in outcome.rows if not row.same_answer]
    for what, keys in (
        ("B answers otherwise", other),
        ("only A has", outcome.only_before),
        ("only B has", outcome.only_after),
    ):
        if keys:
            say(console, f"{what}: {len(keys)} rows, e.g. {keys[0]}")
    for key, reason in outcome.failed.items():
        say(console, f"not timed: {key}: {reason}")
    say(console, f"{duration(outcome.seconds)}", style="dim")


def _ratio_text(judged: Judged) -> str:
    ratio = judged.ratio
    return f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _texts(row: ContestRow) -> tuple[str, ...]:
    from qbench.results.tables import number_text

    ratio, judged = row.judged.ratio, row.judged
    times = [f"{number_text(1e6 * seconds)} us" for seconds in (row.before_s, row.after_s)]
    interval = f"[{ratio.low:.3f}, {ratio.high:.3f}]"
    return (row.key, *times, f"{ratio.ratio:.3f} x", interval, f"{judged.p:.3f}", str(judged.processes), judged.verdict)
