"""The graph as SVG: nodes from top to bottom, edges that skip some bowed at the left, a colour for each question.

Every node carries its colour for each question as a variable; the page's script only says which one is asked.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from qbench.report import words
from qbench.report.inside.layers import Inside, LayerView
from qbench.results.kept.analysis import Node

QUESTIONS = {
    "error": "share of the error",
    "bits": "bits of the weights",
    "time": "share of the time",
    "float": "float32 or integers",
}
"""Question -> what its colours say."""
_INKS = {"error": "orange", "bits": "purple", "time": "blue"}
_WIDE, _ROW, _LANE, _MOST_LANES, _LETTERS = 400, 20, 7, 8, 27


def graph_svg(inside: Inside, anchors: Mapping[str, str]) -> str:
    """Return the graph; nodes that are layers lead to their anchor.

    Args:
        inside: the network.
        anchors: layer -> id of what tells more of it.
    """
    nodes = inside.nodes
    place = {node.name: index for index, node in enumerate(nodes)}
    bows = _lanes([(place[name], index) for index, node in enumerate(nodes) for name in node.reads if name in place])
    left = 14 + _LANE * min(max(bows.values(), default=0), _MOST_LANES)
    layers = {layer.name: layer for layer in inside.layers}
    most_error = max((layer.error or 0.0 for layer in inside.layers), default=0.0) or 1.0
    most_time = max(inside.times.values(), default=0.0) or 1.0
    parts = [_edge(edge, lane, left) for edge, lane in bows.items()]
    for index, node in enumerate(nodes):
        layer = layers.get(node.name)
        time = inside.times.get(node.name)
        shades = {
            "error": None if layer is None or layer.error is None else layer.error / most_error,
            "bits": None if layer is None else max(0.0, 1.0 - layer.bits / 9),
            "time": None if time is None else time / most_time,
        }
        told = _texts(layer, time)
        parts.append(_node(node, (left, _y(index)), _style(shades, layer), told, anchors.get(node.name, "")))
    high = _ROW * len(nodes) + 8
    return (
        f'<svg viewBox="0 0 {_WIDE} {high}" class="graph" data-by="error" role="img" '
        f'aria-label="the graph of {html.escape(inside.row.label)}">{"".join(parts)}</svg>'
    )


def _y(index: int) -> int:
    return 14 + _ROW * index


def _lanes(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return each edge's lane: 0 for neighbours, else the first one that is free all the way; short edges first."""
    taken: list[list[tuple[int, int]]] = []
    found = {}
    for first, last in sorted(set(edges), key=lambda edge: (edge[1] - edge[0], edge)):
        if last - first == 1:
            found[first, last] = 0
            continue
        free = (n for n, lane in enumerate(taken) if all(last <= a or first >= b for a, b in lane))
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((first, last))
        found[first, last] = lane + 1
    return found


def _edge(edge: tuple[int, int], lane: int, left: int) -> str:
    start, end = _y(edge[0]), _y(edge[1])
    if not lane:
        path = f"M{left} {start}V{end}"
    else:
        x = left - _LANE * min(lane, _MOST_LANES) - 3
        path = f"M{left} {start}Q{x} {start + 4} {x} {start + 14}V{end - 14}Q{x} {end - 4} {left} {end}"
    return f'<path d="{path}" style="fill:none;stroke:var(--faint)"/>'


def _style(shades: Mapping[str, float | None], layer: LayerView | None) -> str:
    found = [f"--{name}:{_shade(_INKS[name], share)}" for name, share in shades.items() if share is not None]
    if layer is not None:
        found.append(f"--float:var(--{'rose' if layer.why_float else 'green'})")
    return ";".join(found)


def _shade(ink: str, share: float) -> str:
    return f"color-mix(in srgb,var(--{ink}) {round(100 * min(1.0, max(0.0, share)))}%,var(--paper))"


def _texts(layer: LayerView | None, time: float | None) -> Iterator[tuple[str, str]]:
    """Yield what is said of a node for each question."""
    if layer is not None:
        if layer.error is not None:
            yield "error", _percent(layer.error)
        yield "bits", f"{layer.weights} {layer.input}"
        yield "float", "float32" if layer.why_float else "integers"
    if time is not None:
        yield "time", _percent(time)


def _percent(share: float) -> str:
    return f"{words.number(100 * share, 1)}\N{NO-BREAK SPACE}%"


def _node(node: Node, at: tuple[int, int], style: str, told: Iterator[tuple[str, str]], anchor: str) -> str:
    x, y = at
    name = node.name if len(node.name) <= _LETTERS else f"\N{HORIZONTAL ELLIPSIS}{node.name[1 - _LETTERS :]}"
    kind = "" if node.kind == "layer" or len(name) + len(node.kind) > _LETTERS + 6 else f" {node.kind}"
    texts = "".join(
        f'<text class="told {name}" x="{_WIDE - 4}" y="{y + 4}" text-anchor="end">{html.escape(text)}</text>'
        for name, text in told
    )
    body = (
        f'<title>{html.escape(f"{node.name} ({node.kind})")}</title><circle cx="{x}" cy="{y}" r="6" style="{style}"/>'
        f'<text x="{x + 13}" y="{y + 4}">{html.escape(name)}<tspan>{html.escape(kind)}</tspan></text>{texts}'
    )
    return f'<a href="#{anchor}">{body}</a>' if anchor else f"<g>{body}</g>"
