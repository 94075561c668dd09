"""The page: what the template is given, and the one self-contained HTML file that comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from qbench.metrics import METRICS, MetricKind, kind, load_task
from qbench.report import machine, words
from qbench.report.answer import Answer, find
from qbench.report.banners import Banner, run_banners
from qbench.report.best import Widths, widths_table
from qbench.report.cards import Card, cards, headline
from qbench.report.figures import Drawn
from qbench.report.inside.part import InsidePart, inside_part
from qbench.report.limits import limits, selftest
from qbench.report.rows import Row
from qbench.report.tables import layer_table, recipes, sensitivity, table
from qbench.report.tables.floor import Pair, pairs
from qbench.report.tables.load import loads
from qbench.report.tables.side import side_by_side
from qbench.report.tables.table import Table
from qbench.report.view import RunView
from qbench.results import left_out
from qbench.results.draws import draws
from qbench.results.gates.expected import Shown, shown

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("rows.js", "parquet.js", "files.js", "explore.js", "inside.js", "table.js", "points.js")
"""In this order: the later ones use what the earlier ones name."""


@dataclass(frozen=True, slots=True)
class Section:
    """Everything that the page says about one run."""

    view: RunView
    answer: Answer
    headline: str
    cards: tuple[Card, ...]
    banners: tuple[Banner, ...]
    machine: tuple[tuple[str, str], ...]
    ceilings: tuple[tuple[str, str], ...]
    plots: tuple[Drawn, ...]
    inside: InsidePart | None
    floor: tuple[Pair, ...]
    widths: Widths
    recipes: tuple[Table, Table]
    trials: Table
    loads: tuple[Table, ...]
    layers: tuple[tuple[Row, Table], ...]
    sensitivity: Table
    absent: tuple[tuple[str, str, tuple[str, ...]], ...]
    calibration: str
    draws: tuple[str, ...]
    expected: tuple[Shown, ...]
    stops: str
    limits: tuple[str, ...]
    selftest: tuple[tuple[str, ...], ...]


def section(view: RunView, plots: Sequence[Drawn], *, number: int = 1) -> Section:
    """Return what the page says about a run, the `number`th on it."""
    answer = find(view)
    return Section(
        view,
        answer,
        headline(view, answer),
        tuple(cards(view, answer)),
        tuple(banners(view)),
        tuple(machine.facts(view.header)),
        tuple(machine.ceilings(view.header)),
        tuple(plots),
        inside_part(view, number),
        tuple(pairs(view)),
        widths_table(view),
        (recipes.equal_bits(view), recipes.equal_bytes(view)),
        table.trials(view),
        loads(view),
        tuple(layer_table.layers(view)),
        sensitivity.sensitivity(view),
        tuple(_absent(view)),
        calibration(view),
        tuple(spread.text for spread in draws(view.run)),
        shown(view.run),
        stops(view),
        limits(view),
        selftest(view.run.folder),
    )


def banners(view: RunView) -> list[Banner]:
    """Return (tone, sentence) for everything that a reader should know before believing the numbers."""
    failed = sum(row.result.status == "failed" for row in view.rows)
    told = f"{failed} {'trial' if failed == 1 else 'trials'} failed; the reasons are below the table."
    found = run_banners(view.header, told if failed else "")
    if view.alarmed:
        rows = "1 row raises" if len(view.alarmed) == 1 else f"{len(view.alarmed)} rows raise"
        found.append(("warn", f"{rows} an alarm; see the table's last column."))
    found += [("warn", f"{note[0].upper()}{note[1:]}.") for note in left_out(view.run.results)]
    if view.baseline is None:
        found.append(("bad", "The fp32 row is missing: nothing is compared with it."))
    return found


def calibration(view: RunView) -> str:
    """Return the number of calibration images, or the numbers where trials differ."""
    return ", ".join(str(count) for count in sorted({row.result.trial.calibration for row in view.rows}))


def stops(view: RunView) -> str:
    """Return why sampling stopped and how often, e.g. `precise (81), time cap (6)`; "" when nothing was timed."""
    reasons = Counter(m.stop for row in view.rows for m in row.result.measurements if m.stop)
    return ", ".join(f"{word} ({count})" for word, count in reasons.most_common())


def render(sections: Sequence[Section]) -> str:
    """Return the page's HTML: one run, or several side by side in the order given."""
    names: dict[str, Any] = {
        "sections": sections,
        "side": side_by_side([one.view for one in sections]) if len(sections) > 1 else None,
        "metrics": list(_kinds(sections)),
        "words": words,
        "plot_names": list(dict.fromkeys(plot.name for one in sections for plot in one.plots)),
    }
    return render_template("page.html.j2", names)


def _kinds(sections: Sequence[Section]) -> Iterator[MetricKind]:
    """Yield the scores that the page explains: those of the runs' tasks, then those that any row may have."""
    tasks = dict.fromkeys(section.view.header.suite.task for section in sections)
    yield from (kind for name in tasks for kind in load_task(name).kinds)
    yield from (kind(name) for name in METRICS)


def render_template(template: str, names: Mapping[str, Any]) -> str:
    """Return the HTML of a template, with style and script in it."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fixed = {
        "style": Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "script": Markup("".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)),
        "Markup": Markup,
    }
    return environment.get_template(template).render({**names, **fixed})


def _absent(view: RunView) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (status, reason, keys) of rows that did not run, failed ones first, equal reasons together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in sorted(view.absent, key=lambda row: row.result.status):
        found.setdefault((row.result.status, row.result.reason), []).append(row.result.trial.key)
    return [(status, reason, tuple(keys)) for (status, reason), keys in found.items()]
