"""Direct labels beside the ends of lines, spread so that none overlaps another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes


def label_ends(
    axes: Axes, ends: Sequence[tuple[float, float, str, str]], *, size: float = 8.0, gap: float = 10.0,
    unled: float | None = None,
) -> None:  # fmt: skip
    """Write each (x, y, text, colour) right of the axes, spread so that none overlap, with a leader to its point.

    Points up to `unled` have no leader: where many lines end at chance, leaders from one point would be a fan.
    """
    to_points = 72.0 / axes.figure.dpi
    pixels = [axes.transData.transform((x, y)) * to_points for x, y, _, _ in ends]
    box = axes.get_window_extent()
    low, high = box.y0 * to_points, box.y1 * to_points
    places = spread([p[1] for p in pixels], gap=gap, low=low + 2, high=high - 2)
    right = box.x1 * to_points
    for (x, y, text, colour), place, point in zip(ends, places, pixels, strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(right - point[0] + 13, place - point[1]),
            textcoords="offset points",
            fontsize=size,
            color=colour,
            va="center",
            annotation_clip=False,
            arrowprops=None if unled is not None and y <= unled else _leader(colour),
        )


def _leader(colour: str) -> dict[str, object]:
    return {"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.55, "shrinkA": 1, "shrinkB": 4}


def spread(heights: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return places near `heights`, in the same order, at least `gap` apart and within low..high where they fit."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    if len(order) > 1:
        gap = min(gap, (high - low) / (len(order) - 1))
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        blocks.append((heights[index], [index]))
        while len(blocks) > 1 and _top(blocks[-2], gap) + gap > _bottom(blocks[-1], gap):
            (_, first), (_, second) = blocks[-2:]
            members = first + second
            blocks[-2:] = [(sum(heights[i] for i in members) / len(members), members)]
    placed: dict[int, float] = {}
    floor = low
    for centre, members in blocks:
        start = max(centre - gap * (len(members) - 1) / 2, floor)
        for step, index in enumerate(members):
            placed[index] = start + gap * step
        floor = start + gap * len(members)
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return [placed[index] for index in range(len(heights))]


def _top(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] + gap * (len(block[1]) - 1) / 2


def _bottom(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] - gap * (len(block[1]) - 1) / 2
