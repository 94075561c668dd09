"""What a gate finds for machines: facts for JSON, JUnit's XML, and what GitHub shows of a step."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from qbench.results.compare import Comparison
from qbench.results.gates.expected import Shown
from qbench.results.gates.gate import Objection
from qbench.results.reader import Run

NAME = "qbench"

Compared = tuple[tuple[Run[Any], Run[Any]], Comparison, Sequence[Objection]]


def verdicts_facts(
    runs: tuple[Run[Any], Run[Any]], comparison: Comparison, found: Sequence[Objection]
) -> dict[str, Any]:
    """Return everything that was compared, and what is wrong, as JSON has it."""
    return {
        "before": str(runs[0].folder),
        "after": str(runs[1].folder),
        "objections": [asdict(one) for one in found],
        "differences": comparison.differences,
        "circumstances": comparison.circumstances,
        "unstable": comparison.unstable,
        "unscored": comparison.unscored,
        "rows": [asdict(row) for row in comparison.rows],
    }


def check_markdown(run: Run[Any], found: Sequence[Objection], met: Sequence[Shown]) -> str:
    """Return what is wrong with a run and what holds, as Markdown."""
    lines = [f"# {run.header.suite.name}: what is expected", ""]
    lines += [f"- **{one.word}** `{one.key}`: {one.text}" for one in found]
    return "\n".join([*lines, *(f"- met `{one.key}`: {one.text}" for one in met)]) + "\n"


def verdicts_junit(compared: Sequence[Compared]) -> str:
    """Return a suite for each comparison: a test case for every figure, and one for everything else that is wrong."""
    return _junit(
        (runs[1].header.suite.name, [*_figures(comparison, found), *_others(found, comparison)])
        for runs, comparison, found in compared
    )


def check_junit(run: Run[Any], found: Sequence[Objection], met: Sequence[Shown]) -> str:
    """Return a test case for everything that holds and one for everything that does not."""
    cases = [ET.Element("testcase", classname="expect", name=_plain(f"{one.key} {one.asked}")) for one in met]
    return _junit([(run.header.suite.name, [*cases, *map(_objection, found)])])


def _junit(suites: Iterable[tuple[str, Sequence[ET.Element]]]) -> str:
    root = ET.Element("testsuites", {"name": NAME})
    for name, cases in suites:
        suite = ET.SubElement(root, "testsuite", {"name": name, **_counts(cases)})
        suite.extend(cases)
    for word, count in _counts([*root.iter("testcase")]).items():
        root.set(word, count)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(cases: Sequence[ET.Element]) -> dict[str, str]:
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"tests": str(len(cases)), "failures": str(failures), "skipped": str(skipped), "errors": "0"}


def _figures(comparison: Comparison, found: Sequence[Objection]) -> Iterator[ET.Element]:
    wrong = {(one.key, one.text.split(" ")[0]): one for one in found}
    for row in comparison.rows:
        case = ET.Element("testcase", classname=row.kind, name=_plain(f"{row.key} {row.quantity}"))
        objection = wrong.get((row.key, row.quantity))
        if objection is not None:
            _said(case, "failure", objection.text)
        elif row.verdict == "NOT JUDGED":
            _said(case, "skipped", "not judged")
        yield case


def _others(found: Sequence[Objection], comparison: Comparison) -> Iterator[ET.Element]:
    shown = {(row.key, row.quantity) for row in comparison.rows}
    yield from (_objection(one) for one in found if (one.key, one.text.split(" ")[0]) not in shown)


def _objection(one: Objection) -> ET.Element:
    case = ET.Element("testcase", classname=one.word, name=_plain(one.key))
    _said(case, "skipped" if one.word == "unjudged" else "failure", one.text)
    return case


def _said(case: ET.Element, word: str, text: str) -> None:
    ET.SubElement(case, word, message=_plain(text))


def _plain(text: str) -> str:
    """Return text without characters that XML cannot hold."""
    return "".join(letter if letter >= " " else " " for letter in text)


def github_lines(found: Sequence[Objection]) -> list[str]:
    """Return what GitHub shows beside a step: a line for every objection, a warning for what was not judged."""
    words = {True: "warning", False: "error"}
    return [f"::{words[one.word == 'unjudged']} title=qbench {one.word}::{_escaped(one)}" for one in found]


def _escaped(one: Objection) -> str:
    text = f"{one.key}: {one.text}"
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
