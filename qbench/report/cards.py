"""The headline and the cards under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from qbench.report import words
from qbench.report.answer import Answer
from qbench.report.rivals import Rival, rivals
from qbench.report.rows import Row
from qbench.report.view import RunView


@dataclass(frozen=True, slots=True)
class Card:
    """A number that matters, what it is, and what stands behind it."""

    title: str
    value: str
    lines: tuple[str, ...]
    tone: str = ""
    row: int = 0
    """The line of `trials.jsonl` that it comes from; 0 where it is of no single row."""


def headline(view: RunView, answer: Answer) -> str:
    """Return the answer to "how low can it go?" in one sentence."""
    row = answer.headline
    if view.baseline is not None and view.fp32_score is None:
        seeded = view.header.model.declared.get("weights") == "seeded"
        why = "The weights of this network are seeded" if seeded else "These images carry no labels"
        return f"{why}: its rows hold speed and agreement with fp32, no accuracy."
    if row is None:
        return f"No quantized row of this run is shown to keep {view.keep_text} of fp32's accuracy."
    parts = [f"{row.label} keeps {view.keep_text} of fp32's accuracy in {words.size(row.value('packed_bytes'))}"]
    ratio = _smaller(row, view)
    if ratio:
        parts.append(f"{ratio} smaller than fp32")
    beside = best_rivals(row, view)
    if beside:
        parts.append(
            "at " + " and ".join(f"{words.times(one.speedup.value)} the speed of {one.name}" for one in beside)
        )
    return ", ".join(parts) + "."


def best_rivals(row: Row, view: RunView) -> tuple[Rival, ...]:
    """Return the fastest library of each class beside a network at the largest batch, whichever sweep timed it."""
    timed = view.timed_twin(row)
    return rivals(timed, view.batches[-1]) if timed and view.batches else ()


def cards(view: RunView, answer: Answer) -> Iterator[Card]:
    """Yield the cards, those that the run has an answer for."""
    if answer.smallest_integer is not None:
        card = _smallest(f"smallest in integers that keeps {view.keep_text}", answer.smallest_integer, view)
        if answer.unsure:
            count, images = len(answer.unsure), words.number(view.header.data.images, 0)
            more = f"{count} smaller {'row is' if count == 1 else 'rows are'} unsure on {images} images"
            card = replace(card, lines=(*card.lines, more))
        yield card
    if answer.smallest is not None and answer.smallest is not answer.smallest_integer:
        yield _smallest(f"smallest in any arithmetic that keeps {view.keep_text}", answer.smallest, view)
    if answer.fastest is not None:
        yield _fastest(answer.fastest, view)
    if view.baseline is not None:
        yield _baseline(view.baseline, view)
    counts = Counter(row.result.status for row in view.rows)
    told = ", ".join(f"{counts[status]} {status}" for status in ("ok", "skipped", "failed") if counts[status])
    lines = (told, words.duration(view.header.state.seconds))
    yield Card("trials", words.number(len(view.rows), 0), lines, "bad" if counts["failed"] else "")


def _smallest(title: str, row: Row, view: RunView) -> Card:
    lines = [row.label, _accuracy(row, view)]
    ratio = _smaller(row, view)
    if ratio:
        bits = words.number(row.value("bits_per_weight"))
        lines.append(f"{ratio} smaller than fp32, {bits} bits per weight")
    beside = best_rivals(row, view)
    batch = f", batch {view.batches[-1]}" if beside else ""
    lines += [f"{one.text} [{words.interval(one.speedup)}]{batch}" for one in beside]
    return Card(title, words.size(row.value("packed_bytes")), tuple(lines), "good", row.line)


def _fastest(row: Row, view: RunView) -> Card:
    batch = view.batches[-1]
    rate = row.images_per_s(batch)
    lines = [row.label, _accuracy(row, view), words.size(row.value("packed_bytes"))]
    lines += [f"{one.text} [{words.interval(one.speedup)}]" for one in rivals(row, batch)]
    value = words.rate(rate.value if rate else None)
    return Card(f"fastest that keeps {view.keep_text}, images/s, batch {batch}", value, tuple(lines), "good", row.line)


def _baseline(row: Row, view: RunView) -> Card:
    score = row.metric(view.task.primary.name) if view.task.loss else None
    lines = [f"95 % interval {words.interval(score)}", words.size(row.value("packed_bytes"))]
    rate = row.images_per_s(view.batches[-1]) if view.batches else None
    if rate is not None:
        lines.append(f"{words.rate(rate.value)} images/s in qbench, batch {view.batches[-1]}")
    if score is None:
        return Card("fp32 baseline, packed", lines[1], tuple(lines[2:]), row=row.line)
    title, value = f"fp32 baseline, {view.task.title}", f"{words.number(score.value)} {score.unit}"
    return Card(title, value, tuple(lines), row=row.line)


def _accuracy(row: Row, view: RunView) -> str:
    task, lost = view.task, view.lost(row)
    interval = f" [{words.interval(lost)}]" if lost else ""
    score = words.number(view.score(row))
    change = words.number(lost.value if lost else None)
    return f"{task.title} {score} {task.primary.unit}, {task.loss_word} {change}{interval}"


def _smaller(row: Row, view: RunView) -> str:
    """Return how many times smaller than fp32, or "" when a size is missing."""
    packed, whole = row.value("packed_bytes"), view.baseline.value("packed_bytes") if view.baseline else None
    return words.times(whole / packed) if packed and whole else ""
