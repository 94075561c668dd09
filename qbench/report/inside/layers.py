"""What is known of every layer of one network: what a kept network's analysis says, or what rows of a run say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.errors import ResultsError
from qbench.report import words
from qbench.report.answer import find
from qbench.report.rows import Row
from qbench.report.view import RunView
from qbench.results.kept.analysis import Analysis, LayerInside, Node, error_shares
from qbench.results.kept.quantized import FILE_NAME, QuantizedResult, read_quantized


@dataclass(frozen=True, slots=True)
class LayerView:
    """A layer as the page shows it.

    Args:
        name: of the layer.
        weights: what its weights became, e.g. `w4c`, `w32`.
        input: what enters it, e.g. `a8t`.
        error: its share of the error, 0 to 1, None where it was not tried alone.
        said: that as text: dB, and of rows points lost.
        time: its share of the time of all steps, 0 to 1, None where nothing was timed.
        why_float: why it does not run in integers, "" where it does.
        sqnr_db: of its weights.
        numbers: its ranges and histograms, None where they were not looked at.
    """

    name: str
    weights: str
    input: str
    error: float | None
    said: str
    time: float | None
    why_float: str
    sqnr_db: float | None
    numbers: LayerInside | None

    @property
    def bits(self) -> int:
        """Bits of its weights."""
        digits = self.weights[1:].partition("-")[0]
        return {"t": 2, "b": 1}.get(digits[:1]) or int("".join(c for c in digits[:2] if c.isdigit()) or 32)


@dataclass(frozen=True, slots=True)
class Inside:
    """One network from inside.

    Args:
        row: whose network it is.
        layers: in the order of the network.
        nodes: its graph; where that is not known, the layers one after the other.
        drawn: whether `nodes` are the graph.
        times: step -> its share of the time, of nodes that are no layers too.
        about: on what it was found, a sentence.
        error: what layers have shares of, in words.
    """

    row: Row
    layers: tuple[LayerView, ...]
    nodes: tuple[Node, ...]
    drawn: bool
    times: Mapping[str, float]
    about: str
    error: str

    @property
    def culprits(self) -> tuple[LayerView, ...]:
        """The layers that were tried alone, the largest share of the error first."""
        tried = [layer for layer in self.layers if layer.error is not None]
        return tuple(sorted(tried, key=lambda layer: -(layer.error or 0.0)))


def inside_of(view: RunView) -> Inside | None:
    """Return the inside of the network that a run is about, None where its rows say nothing of layers."""
    if (view.run.folder / FILE_NAME).is_file():
        try:
            return _of_kept(view, read_quantized(view.run.folder))
        except ResultsError:  # of another version: the rows still say what they can
            return _of_rows(view)
    return _of_rows(view)


def _of_kept(view: RunView, kept: QuantizedResult) -> Inside | None:
    product, found = kept.product, kept.product.inside
    row = view.row_of.get(product.key)
    if row is None:
        return None
    shares = error_shares({one.name: one.alone_db for one in found.layers} if found else {})
    alone = {one.name: one for one in found.layers} if found else {}
    whole = sum(step.image_s for step in product.steps)
    times = {step.name: step.image_s / whole for step in product.steps if whole}
    said = {name: f"{words.number(alone[name].alone_db, 1)} dB alone" for name in shares}
    layers = _layers(row, shares, said, times, product.float_reasons, alone)
    nodes = found.nodes if found else ()
    error = f"the error of {row.label}"
    return Inside(row, layers, nodes or _chain(view), bool(nodes), times, _about(found), error)


def _about(found: Analysis | None) -> str:
    if found is None:
        return "This network was quantized before its inside was looked at: quantize it again for ranges and culprits."
    text = f"Ranges and histograms are of {found.samples} evaluation samples, in float32."
    if found.alone_samples:
        text += (
            f" A layer's share of the error is its noise in the answers where it alone is quantized "
            f"({found.alone_samples} samples), over that of all layers."
        )
    untried = sum(layer.weights.low is not None and layer.alone_db is None for layer in found.layers)
    if untried:
        text += f" {untried} quantized layers have no share: alone they change nothing, or the time was up."
    if found.answer_db is not None:
        text += f" With all layers quantized the answers are {words.number(found.answer_db, 1)} dB from fp32's."
    return text


def _of_rows(view: RunView) -> Inside | None:
    """Return what rows say: of layers alone their noise in the answers, of a timed row what each takes."""
    alone = _alone_rows(view)
    timed = [row for row in view.rows if row.ok and any("median_s" in one for one in row.result.layer_rows)]
    known = [*timed, find(view).headline, *view.network]
    row = next((row for row in known if row is not None and row.result.layer_rows), None)
    if row is None or not (alone or timed):
        return None
    spent = {str(one["name"]): _image_s(one) for one in row.result.layer_rows}
    whole = sum(spent.values())
    times = {name: seconds / whole for name, seconds in spent.items() if whole and seconds}
    shares = error_shares({name: one.value("logit_sqnr_db") for name, one in alone.items()})
    said = {name: _said(view, one) for name, one in alone.items()}
    about, error = f"Bits{' and times' if times else ''} are those of {row.label}.", ""
    if alone:
        error = f"the error of layers alone as {next(iter(alone.values())).result.trial.spec}"
        about += f" A layer's share is of {error}: its noise in the answers over that of all layers."
    layers = _layers(row, shares, said, times, {}, {})
    return Inside(row, layers, _chain(view), False, times, about, error)


def _alone_rows(view: RunView) -> dict[str, Row]:
    """Return the rows of single layers of the spec that most layers have, of such specs the one of fewest bits."""
    by_spec: dict[str, dict[str, Row]] = {}
    for row in view.single_layers:
        by_spec.setdefault(row.result.trial.spec, {})[row.result.trial.layers] = row
    return max(by_spec.values(), key=lambda rows: (len(rows), -_bits(next(iter(rows.values())))), default={})


def _said(view: RunView, row: Row) -> str:
    """Return what a layer does alone: the SQNR of the answers, and what is lost with its interval."""
    lost = view.lost(row)
    points = f", {words.number(lost.value)} [{words.interval(lost)}] {view.task.unit_of_change} lost" if lost else ""
    return f"{words.number(row.value('logit_sqnr_db'), 1)} dB alone{points}"


def _bits(row: Row) -> int:
    return int(row.spec.weights.format.bits)


def _image_s(facts: Mapping[str, str | float | int | None]) -> float:
    return float(facts.get("median_s") or 0.0) / float(facts.get("images") or 1)


def _layers(
    row: Row, shares: Mapping[str, float], said: Mapping[str, str], times: Mapping[str, float],
    reasons: Mapping[str, str], numbers: Mapping[str, LayerInside],
) -> tuple[LayerView, ...]:  # fmt: skip
    found = []
    for facts in row.result.layer_rows:
        name, sqnr_db = str(facts["name"]), facts.get("sqnr_db")
        kernel, weights, entering = (str(facts.get(one) or "") for one in ("kernel", "spec", "activations"))
        why = reasons.get(name, "") or ("its kernel is one of float32" if "_f32_f32" in kernel else "")
        found.append(
            LayerView(
                name, f"w{weights}", f"a{entering}", shares.get(name), said.get(name, ""),
                times.get(name), why, None if sqnr_db is None else float(sqnr_db), numbers.get(name),
            )
        )  # fmt: skip
    return tuple(found)


def _chain(view: RunView) -> tuple[Node, ...]:
    names = view.header.model.layers
    return tuple(Node(name, "layer", names[place - 1 : place] if place else ()) for place, name in enumerate(names))
