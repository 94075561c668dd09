"""Which trials the marks of a plot stand for: the name of an SVG group, which becomes an attribute of each mark.

A trial is named by its line of `trials.jsonl`. The page's script reads the attributes; files carry none of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from matplotlib.artist import Artist

_NAME = re.compile(r' id="(trial|beside):([\d.+]+)"')
_NAMED = re.compile(r'<g id="(trial|beside):([\d.+]+)">')
_DEFINED = re.compile(r"<defs>.*?</defs>", re.DOTALL)


def name_marks(artist: Artist, lines: Sequence[Sequence[int]]) -> None:
    """Say which trials each mark of an artist shows, in the order of its marks: one, or several where it is a mean."""
    artist.set_gid(f"trial:{_words(lines)}")


def name_strokes(artist: Artist, lines: Sequence[Sequence[int]]) -> None:
    """Say which trials the strokes of an artist belong to: they fade with them, but are no marks to point at."""
    artist.set_gid(f"beside:{_words(lines)}")


def without_trials(svg: str) -> str:
    """Return an SVG with the names of trials taken out."""
    return _NAME.sub("", svg)


def with_trials(svg: str) -> str:
    """Return an SVG whose marks say `data-trial="12 15"`, and their companions `data-beside`."""
    parts, at = [], 0
    while (found := _NAMED.search(svg, at)) is not None:
        end = _end_of_group(svg, found.end())
        body = _spread(svg[found.end() : end], f"data-{found[1]}", found[2].split("."))
        parts += [svg[at : found.start()], "<g>", body]
        at = end
    return "".join([*parts, svg[at:]])


def _words(lines: Sequence[Sequence[int]]) -> str:
    return ".".join("+".join(map(str, one)) for one in lines)


def _end_of_group(svg: str, start: int) -> int:
    depth = 1
    for found in re.finditer(r"<g[ >]|</g>", svg[start:]):
        depth += -1 if found[0] == "</g>" else 1
        if depth == 0:
            return start + found.start()
    raise AssertionError("an SVG group has no end")


def _spread(body: str, attribute: str, lines: Sequence[str]) -> str:
    """Give the marks of a group their trials: its copies of a symbol where it has one, else its paths."""
    symbols = _DEFINED.findall(body)
    bare = _DEFINED.sub("\0", body)
    tag = "<use" if "<use" in bare else "<path"
    pieces = bare.split(tag)
    assert len(pieces) == len(lines) + 1, f"{len(lines)} marks, but {len(pieces) - 1} of {tag}"
    named = (
        f'{tag} {attribute}="{one.replace("+", " ")}"{piece}' for one, piece in zip(lines, pieces[1:], strict=True)
    )
    text = pieces[0] + "".join(named)
    for symbol in symbols:
        text = text.replace("\0", symbol, 1)
    return text
