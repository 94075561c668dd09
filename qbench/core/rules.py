"""Rules that give single layers a spec of their own: by name, by glob, by operator type, or as the first or last layer.

A rule is a pattern and a token, `blocks.*.conv1=w4g32-a8t`. One that means a single layer (a name, `first`, `last`)
beats a glob, and a glob beats an operator type (`conv`, `depthwise`, `linear`, `attention`). Two rules of one rank that
disagree about a layer are refused, and so is a rule that no layer matches: nothing is chosen silently. `name:` or
`type:` before a word says which is meant where a layer has the name of a type. A pattern with spaces, commas or other
signs of the text of rules stands in double quotes, as JSON has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from qbench.core.spec import parse_spec
from qbench.errors import QBenchError, suggest

Kind = Literal["conv", "depthwise", "linear", "attention"]
KINDS: tuple[Kind, ...] = ("conv", "depthwise", "linear", "attention")
"""Operator types. A convolution with as many groups as channels is `depthwise`, any other one is `conv`.

An attention has no weights: of its spec only the activations count, and it is neither first nor last of the layers.
"""

EDGES = ("first", "last")
_TYPE, _GLOB, _ONE = 1, 2, 3
_QUOTED = re.compile(r"""(?<![^\s,])(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*')(?=\s*[:=])""")
"""A pattern in quotes, before what stands between it and its token."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the layers that a pattern matches.

    Args:
        pattern: a layer's name, a glob, an operator type, `first` or `last`; `name:` or `type:` may stand before it.
        spec: canonical token.
    """

    pattern: str
    spec: str

    def __post_init__(self) -> None:
        if not self.pattern.strip():
            raise QBenchError(f"layer rule '={self.spec}': expected a layer's name, a glob or a type before '='")
        object.__setattr__(self, "pattern", self.pattern.strip())
        object.__setattr__(self, "spec", parse_spec(self.spec).token)

    @property
    def text(self) -> str:
        """The rule as it is written on the command line."""
        plain = not re.search(r"[\s,=#\"'\\]", self.pattern)
        return f"{self.pattern if plain else json.dumps(self.pattern, ensure_ascii=False)}={self.spec}"


def name_rule(layer: str, spec: str) -> Rule:
    """Return the rule of one layer, whatever its name is: it may be that of a type, or begin as such a word."""
    said = layer in (*KINDS, *EDGES) or layer.startswith(("name:", "type:"))
    return Rule(f"name:{layer}" if said else layer, spec)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of `pattern=token` words between commas, spaces or line breaks.

    `pattern: token` is read too, with remarks behind `#`, so that a suite's `overrides:` can be pasted whole.

    Raises:
        QBenchError: a word is no rule, or a token cannot be read.
    """
    quoted: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        quoted.append(_unquoted(found[0]))
        return f"\0{len(quoted) - 1}\0"

    marked = _QUOTED.sub(put_aside, text.replace("\0", " "))
    bare = re.sub(r"(?m)(^|\s)#.*$|^\s*overrides:\s*$|[\"']", "", marked)
    joined = re.sub(r"\s*[:=]\s*(?=w[^\s,:=]+-a[^\s,]+)", "=", bare)
    rules = []
    for word in re.split(r"[,\s]+", joined.strip()):
        whole = re.sub(r"\0(\d+)\0", lambda found: quoted[int(found[1])], word)
        if word and "=" not in word:
            raise QBenchError(f"layer rule '{whole}': expected pattern=token, as in classifier=w8c-a8t")
        if word:
            pattern, _, token = whole.rpartition("=")
            rules.append(Rule(pattern, token))
    return tuple(rules)


def _unquoted(text: str) -> str:
    """Return what quotes hold; the whole, without them, where double quotes hold what JSON does not know."""
    if text[0] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text.strip('"')
    return text[1:-1]


def edge_rules(spec: str) -> tuple[Rule, ...]:
    """Return the rules for the first and the last layer, none for the empty token."""
    return tuple(Rule(f"type:{place}", spec) for place in EDGES if spec)


def rules_text(rules: Sequence[Rule]) -> str:
    """Return rules as one canonical text, the same whatever their order; `parse_rules` reads it back."""
    return ",".join(sorted({rule.text for rule in rules}))


def assign(kinds: Mapping[str, Kind], spec: str, rules: Sequence[Rule]) -> dict[str, str]:
    """Return the token of every layer: that of the rule of the highest rank that matches it, else `spec`.

    Args:
        kinds: layer name -> operator type, in the network's order.
        spec: token of the layers that no rule matches.
        rules: in any order.

    Raises:
        QBenchError: a rule matches no layer, or two of one rank disagree about a layer.
    """
    found = dict.fromkeys(kinds, parse_spec(spec).token)
    taken: dict[str, tuple[int, Rule]] = {}
    for rule in rules:
        rank, names = _matches(rule, kinds)
        for name in names:
            old_rank, old = taken.get(name, (0, rule))
            if rank == old_rank and rule.spec != old.spec:
                raise QBenchError(f"layer '{name}': rules '{old.text}' and '{rule.text}' contradict each other")
            if rank >= old_rank:
                taken[name] = (rank, rule)
                found[name] = rule.spec
    return found


def _matches(rule: Rule, kinds: Mapping[str, Kind]) -> tuple[int, list[str]]:
    """Return the rank of a rule and the layers that it matches; raise QBenchError when there is none."""
    asked, _, bare = rule.pattern.partition(":")
    if asked not in ("name", "type") or not bare:
        asked, bare = "", rule.pattern
    names = list(kinds)
    edges = [name for name in names if kinds[name] != "attention"]
    if not asked and bare in kinds and bare in (*KINDS, *EDGES):
        raise QBenchError(f"layer rule '{rule.text}': a layer is named '{bare}'; write name:{bare} or type:{bare}")
    if asked != "type" and bare in kinds:
        return _ONE, [bare]
    if asked != "name" and bare in EDGES and edges:
        return _ONE, [edges[0] if bare == "first" else edges[-1]]
    if asked != "name" and bare in KINDS:
        rank, matched = _TYPE, [name for name in names if kinds[name] == bare]
    elif asked == "type":
        raise QBenchError(f"layer rule '{rule.text}': unknown type '{bare}'{suggest(bare, (*KINDS, *EDGES))}")
    else:
        rank, matched = _GLOB, [name for name in names if fnmatchcase(name, bare)]
    if not matched:
        what = f"is of the type '{bare}'" if rank == _TYPE else f"is named '{bare}'"
        hint = suggest(bare, names) if rank == _GLOB else f"; types here: {', '.join(sorted(set(kinds.values())))}"
        raise QBenchError(f"layer rule '{rule.text}': no layer {what}{hint}")
    return rank, matched
