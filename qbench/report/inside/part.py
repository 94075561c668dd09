"""The part of a page that shows one network from inside: what its template is given."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.report import words
from qbench.report.inside.graph import QUESTIONS, graph_svg
from qbench.report.inside.histogram import histogram_svg, spread_words
from qbench.report.inside.layers import Inside, LayerView, inside_of
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.report.view import RunView

_FIRST = 6
"""Layers whose histograms are open; those of the others are folded."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A histogram: what of, its SVG, and what it says in words."""

    what: str
    svg: str
    said: str


@dataclass(frozen=True, slots=True)
class LayerCard:
    """One layer with its histograms; `id` is where the graph leads."""

    id: str
    name: str
    said: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class InsidePart:
    """The inside of one network.

    Args:
        title: what it shows, a sentence.
        about: on what it was found.
        drawn: whether the graph is known, and not just the order of layers.
        graph: SVG.
        questions: name -> what its colours say, those that something is known of.
        first: the worst layers' cards.
        others: the other layers'.
        table: of all layers.
    """

    title: str
    about: str
    drawn: bool
    graph: str
    questions: dict[str, str]
    first: tuple[LayerCard, ...]
    others: tuple[LayerCard, ...]
    table: Table


def inside_part(view: RunView, number: int) -> InsidePart | None:
    """Return the inside of the network that a run is about, None where nothing is known of its layers.

    Args:
        view: the run.
        number: of the run on its page, which its ids carry.
    """
    inside = inside_of(view)
    if inside is None:
        return None
    ranked = [*inside.culprits, *(layer for layer in inside.layers if layer.error is None)]
    cards = tuple(
        _card(layer, f"layer-{number}-{place}") for place, layer in enumerate(ranked) if layer.numbers is not None
    )
    graph = graph_svg(inside, {card.name: card.id for card in cards})
    known = {"error": bool(inside.culprits), "bits": True, "time": bool(inside.times), "float": True}
    return InsidePart(
        _title(inside), inside.about, inside.drawn, graph,
        {name: text for name, text in QUESTIONS.items() if known[name]},
        cards[:_FIRST], cards[_FIRST:], _table(inside),
    )  # fmt: skip


def _title(inside: Inside) -> str:
    worst = inside.culprits
    if not worst or not worst[0].error:
        return f"The layers of {inside.row.label}"
    text = f"{worst[0].name} makes {_percent(worst[0].error)} of {inside.error}"
    three = sum(layer.error or 0.0 for layer in worst[:3])
    return f"{text}, the worst three of {len(worst)} layers {_percent(three)}" if len(worst) > 3 else text


def _card(layer: LayerView, place: str) -> LayerCard:
    assert layer.numbers is not None
    numbers = layer.numbers
    said = [f"{layer.weights} {layer.input}"]
    if layer.error is not None:
        said.append(f"{_percent(layer.error)} of the error ({layer.said})")
    if numbers.entering_db is not None:
        said.append(f"what enters it is {words.number(numbers.entering_db, 1)} dB from fp32's")
    if layer.why_float:
        said.append(f"in float32: {layer.why_float}")
    found = [("weights", numbers.weights), *([("input", numbers.entering)] if numbers.entering else [])]
    pictures = tuple(
        Picture(what, histogram_svg(one, f"{what} of {layer.name}") if one.counts else "", spread_words(one))
        for what, one in found
    )
    return LayerCard(place, layer.name, "; ".join(said), pictures)


def _percent(share: float) -> str:
    return f"{words.number(100 * share, 0 if share >= 0.1 else 1)}\N{NO-BREAK SPACE}%"


def _table(inside: Inside) -> Table:
    columns = (
        Column("layer", number=False),
        Column("weights", number=False, hint="what they became"),
        Column("input", number=False, hint="what enters it"),
        Column("% of the error", hint="its noise alone over that of all layers"),
        Column("alone", number=False, hint="SQNR of the answers, and what was lost, where it alone is quantized"),
        Column("% of the time"),
        Column("weights' SQNR, dB"),
        Column("weights beyond, %", hint="beyond the outermost codes"),
        Column("input's SQNR, dB", hint="of rounding what enters it, by itself"),
        Column("input beyond, %", hint="beyond what its codes hold"),
        Column("input in the network, dB", hint="SQNR of what enters it, rounded, behind all layers before it"),
        Column("in float32 because", number=False),
    )
    return Table(columns, tuple(Line(_cells(layer)) for layer in inside.layers))


def _cells(layer: LayerView) -> tuple[Cell, ...]:
    numbers = layer.numbers
    weights, entering = (numbers.weights, numbers.entering) if numbers else (None, None)
    return (
        Cell(layer.name, layer.name),
        Cell(layer.weights),
        Cell(layer.input),
        _number(None if layer.error is None else 100 * layer.error, 1),
        Cell(layer.said),
        _number(None if layer.time is None else 100 * layer.time, 1),
        _number(layer.sqnr_db, 1),
        _number(None if weights is None or weights.saturated is None else 100 * weights.saturated, 2),
        _number(entering.sqnr_db if entering else None, 1),
        _number(None if entering is None or entering.saturated is None else 100 * entering.saturated, 2),
        _number(numbers.entering_db if numbers else None, 1),
        Cell(layer.why_float),
    )


def _number(value: float | None, digits: int) -> Cell:
    return Cell(words.ABSENT) if value is None else Cell(words.number(value, digits), value)
