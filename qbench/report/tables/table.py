"""The table of all trials: columns, and one line of cells per trial. The numbers are the frame's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from qbench.core.trial import ON_INTEGERS, Metric, Trial
from qbench.metrics import METRICS, kind
from qbench.report import words
from qbench.report.best import best_first
from qbench.report.rows import FP32, INT8, Row
from qbench.report.view import RunView
from qbench.results.left_out import NOT_TIMED


@dataclass(frozen=True, slots=True)
class Column:
    """A heading.

    Args:
        heading: as it reads.
        group: the switch that shows and hides it.
        hint: what it means.
        number: whether its cells are numbers.
        tip: whether a plot's point tells it.
        axis: what the plot of chosen axes knows of it: `axis` x or y, `key`, and where they are so `reverse` (less is
            better), `loss` (with its interval) and `time` (items per second: a time is its inverse).
    """

    heading: str
    group: str = ""
    hint: str = ""
    number: bool = True
    tip: bool = False
    axis: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, what it sorts by, a second line in small type, a colour's name, and where the text leads."""

    text: str
    sort: float | str | None = None
    detail: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, and the facts that filters look at."""

    cells: tuple[Cell, ...]
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and lines of equal length."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    def values(self, fact: str) -> list[str]:
        """Return the distinct values of a fact, in the order of their first line."""
        return list(dict.fromkeys(line.facts[fact] for line in self.lines if line.facts.get(fact)))

    def rest(self, few: int) -> str:
        """Return the lines after the first few as JSON that may stand in HTML, a cell as the shortest that says it."""
        names = list(self.lines[0].facts) if self.lines else []
        rows = [[[line.facts[name] for name in names], [_packed(c) for c in line.cells]] for line in self.lines[few:]]
        text = json.dumps({"facts": names, "rows": rows}, ensure_ascii=False, separators=(",", ":"))
        return text.replace("<", "\\u003c")


def _packed(cell: Cell) -> str | list[str | None]:
    """Return [text, what it sorts by, detail, tone] without what is missing at its end; a text alone is a string."""
    sort = None if cell.sort is None or cell.sort == cell.text else cell.sort
    parts = [cell.text, sort if sort is None or isinstance(sort, str) else f"{sort:.8g}", cell.detail, cell.tone]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts if len(parts) > 1 else cell.text


_SCORES = (
    ("right_to_wrong_samples", "right to wrong", 0),
    ("wrong_to_right_samples", "wrong to right", 0),
    ("agreement_percent", "agreement", 2),
    ("worst_class_percent", "worst class", 2),
    ("logit_sqnr_db", "logit SQNR, dB", 1),
    ("logit_kl_nats", "logit KL, nats", 4),
    ("weight_sqnr_db", "weight SQNR, dB", 1),
)
_SIZES = (("theoretical_bytes", "in theory"), ("resident_bytes", "resident"))
_TARGET_TONE = {"kept": "good", "lost": "bad", "unsure": "dim"}


def trials(view: RunView) -> Table:
    """Return one line per trial, the best of each width first."""
    columns = [
        Column(
            "spec",
            hint="w: weights, a: activations; bits or t, b; c per channel, t per tensor, gN per group",
            number=False,
        ),
        Column("method", number=False),
        *_accuracy_columns(view),
        Column("packed", "size", kind("packed_bytes").doc, tip=True, axis={"axis": "x", "key": "packed"}),
    ]
    for batch in view.batches:
        columns += [
            Column(
                f"images/s, batch {batch}",
                "speed",
                kind("images_per_s").doc,
                tip=True,
                axis={"axis": "x", "key": f"rate{batch}", "time": f"time per image, ms, batch {batch}"},
            ),
            Column(
                f"{words.TIMES} fp32",
                "speed",
                f"paired speedup over {FP32}, batch {batch}",
                tip=True,
                axis={"axis": "x", "key": f"fp32-{batch}", "name": f"times as fast as {FP32}, batch {batch}"},
            ),
            Column(f"{words.TIMES} int8", "speed", f"paired speedup over {INT8}, batch {batch}"),
            Column("% of ceiling", "speed", kind("ceiling_share").doc),
        ]
    columns += [Column(title, "more", kind(name).doc) for name, title in _SIZES]
    columns += [
        Column("bits per weight", "more", kind("bits_per_weight").doc, axis={"axis": "x", "key": "bits", "plain": "1"})
    ]
    columns += [Column("scope", "more", "what is quantized", number=False)]
    columns += [Column(title, "more", kind(name).doc) for name, title, _ in (*_SCORES, *_added(view))]
    columns += [
        Column("execution", "machine", "the arithmetic that was scored, and timed", number=False),
        Column("in integers", "machine", kind("integer_share").doc),
        Column("kernels", "machine", number=False),
        Column("line", "machine", "of trials.jsonl, where every figure of this row comes from"),
        Column("status", "remarks", number=False),
        Column("reason, alarms, notes", "remarks", number=False),
    ]
    return Table(tuple(columns), tuple(_trial(row, view) for row in best_first(view)))


def _accuracy_columns(view: RunView) -> list[Column]:
    task = view.task
    turned = {} if task.higher else {"reverse": "1"}
    axis = {"axis": "y", "key": "score", **turned}
    columns = [Column(f"{task.title}, {task.primary.unit}", "accuracy", task.primary.doc, tip=True, axis=axis)]
    if task.loss is not None:
        keeps = Column(
            f"keeps {view.keep_text}", "accuracy", "non-inferiority, paired, one-sided 5 %", number=False, tip=True
        )
        columns += [
            Column(
                f"{task.loss_word}, {task.loss.unit}",
                "accuracy",
                task.loss.doc,
                tip=True,
                axis={"axis": "y", "key": "lost", "loss": "1", "reverse": "1"},
            ),
            Column("p", "accuracy", kind(task.p_name).doc),
            keeps,
        ]
    return columns


def _accuracy(row: Row, view: RunView) -> list[Cell]:
    task, target = view.task, row.target
    cells = [score(row.metric(task.primary.name), 2, interval=False)]
    if task.loss is not None:
        p = row.value(task.p_name)
        cells += [score(view.lost(row), 2), Cell(words.p_value(p), p)]
        cells += [Cell(target, target, tone=_TARGET_TONE.get(target, ""))]
    return cells


def _added(view: RunView) -> tuple[tuple[str, str, int], ...]:
    """Return the scores that other packages add to rows of this run, as `_SCORES` has qbench's own."""
    made = {name for row in view.rows for name in row.result.metrics}
    others = (METRICS[name].partition(".")[0] != "qbench" for name in METRICS)
    return tuple((name, name, 2) for name, other in zip(METRICS, others, strict=True) if other and name in made)


def _trial(row: Row, view: RunView) -> Line:
    trial, result = row.result.trial, row.result
    own = "" if row.is_own else f" on {trial.backend}"
    how = _drawn(trial) if row.ok else result.status
    tone = {"ok": "", "failed": "bad"}.get(result.status, "dim")
    cells = [
        Cell(trial.spec, trial.spec, _which(row)),
        Cell(f"{trial.method}{own}", trial.method, how, tone),
        *_accuracy(row, view),
        _size(row, "packed_bytes"),
    ]
    cells += _speed(row, view)
    cells += [_size(row, name) for name, _ in _SIZES]
    cells += [Cell(words.number(row.value("bits_per_weight")), row.value("bits_per_weight"))]
    cells += [Cell(row.spec.scope, row.spec.scope)]
    cells += [score(row.metric(name), digits, interval=False) for name, _, digits in (*_SCORES, *_added(view))]
    share, execution = row.value("integer_share"), result.execution if row.ok else ""
    cells += [
        Cell(execution, execution, tone="good" if execution in ON_INTEGERS else ""),
        Cell(words.ABSENT if share is None else f"{words.number(100 * share, 1)} %", share),
        Cell(kernels(row)),
        Cell(str(row.line), row.line),
        Cell(result.status, result.status, tone=tone),
        Cell(
            "; ".join([result.reason, *result.alarms] if result.reason else result.alarms),
            detail="; ".join([note for note in result.notes if not note.startswith(NOT_TIMED)][:2]),
        ),
    ]
    facts = {
        "status": result.status,
        "execution": result.execution if row.ok else "",
        "scope": row.spec.scope,
        "method": trial.method,
        "bits": row.width,
        "sweep": trial.sweep,
        "line": str(row.line),
    }
    return Line(tuple(cells), facts | {"layers": "whole network" if row.whole_network else "single layer"})


def _size(row: Row, name: str) -> Cell:
    return Cell(words.size(row.value(name)), row.value(name))


def _drawn(trial: Trial) -> str:
    """Return which calibration samples a row is of, where the run has others."""
    facts = {"draw": trial.seed, "of": trial.samples, "from": trial.source}
    return " ".join(f"{word} {value}" for word, value in facts.items() if value)


def _speed(row: Row, view: RunView) -> list[Cell]:
    cells = []
    for batch in view.batches:
        share = row.ceiling_share(batch)
        rate = row.images_per_s(batch)
        detail = "" if rate is None or rate.low is None else f"{words.rate(rate.low)} … {words.rate(rate.high)}"
        cells += [Cell(words.rate(rate.value), rate.value, detail) if rate else Cell(words.ABSENT)]
        cells += [score(row.speedup(batch, peer), 2) for peer in (FP32, INT8)]
        cells += [Cell(words.number(share, 1), share)]
    return cells


def _which(row: Row) -> str:
    """Return what of the network a row quantizes, where that is not all of it alike."""
    trial = row.result.trial
    said = [] if row.whole_network else [f"{trial.layers} alone"]
    said += [f"ends {trial.edges}"] if trial.edges else []
    said += [trial.overrides.replace(",", ", ")] if trial.overrides else []
    said += [f"{trial.transform} before"] if trial.transform else []
    said += [f"rounded by {trial.rounding}"] if trial.rounding else []
    said += [f"{trial.correction} corrected"] if trial.correction else []
    return ", ".join(said)


def score(metric: Metric | None, digits: int, *, interval: bool = True) -> Cell:
    """Return a number with its interval below it, or a dash."""
    if metric is None:
        return Cell(words.ABSENT)
    return Cell(words.number(metric.value, digits), metric.value, words.interval(metric, digits) if interval else "")


def kernels(row: Row) -> str:
    """Return the kernels that ran, with the number of layers each, most used first."""
    return ", ".join(
        f"{name} {words.TIMES} {count}" for name, count in Counter(row.result.kernels.values()).most_common()
    )
