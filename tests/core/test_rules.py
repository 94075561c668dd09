"""Rules for single layers: what each pattern matches, which of two holds, and a line for every rule that is wrong."""

from __future__ import annotations

import json

import pytest

from qbench.core.rules import Kind, Rule, assign, name_rule, parse_rules, rules_text
from qbench.errors import QBenchError

KINDS: dict[str, Kind] = {
    "stem": "conv",
    "blocks.0.conv1": "conv",
    "blocks.0.depth": "depthwise",
    "blocks.1.conv1": "conv",
    "classifier": "linear",
}


def tokens(text: str, kinds: dict[str, Kind] = KINDS) -> list[str]:
    return list(assign(kinds, "w4c-a8t", parse_rules(text)).values())


def test_without_rules_every_layer_has_the_spec() -> None:
    assert tokens("") == ["w4c-a8t"] * 5


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("stem=w8c-a8t", {0}),
        ("first=w8-a8", {0}),
        ("last=w8c-a8t", {4}),
        ("conv=w8c-a8t", {0, 1, 3}),
        ("depthwise=w8c-a8t", {2}),
        ("linear=w8c-a8t", {4}),
        ("blocks.*.conv1=w8c-a8t", {1, 3}),
        ("blocks.[0].*=w8c-a8t", {1, 2}),
        ("*=w8c-a8t", {0, 1, 2, 3, 4}),
    ],
)
def test_a_pattern_is_a_name_a_glob_a_type_or_an_edge(text: str, changed: set[int]) -> None:
    assert tokens(text) == ["w8c-a8t" if place in changed else "w4c-a8t" for place in range(5)]


def test_a_single_layer_beats_a_glob_and_a_glob_beats_a_type_in_any_order() -> None:
    rules = ["conv=w2c-a8t", "blocks.*=w3c-a8t", "blocks.1.conv1=w32-a32"]
    expected = ["w2c-a8t", "w3c-a8t", "w3c-a8t", "w32-a32", "w4c-a8t"]
    assert tokens(",".join(rules)) == tokens(",".join(reversed(rules))) == expected


def test_equal_rules_twice_are_no_contradiction() -> None:
    assert tokens("stem=w8c-a8t, first=w8-a8")[0] == "w8c-a8t"


def test_a_mapping_of_a_suite_can_be_pasted() -> None:
    pasted = """
    overrides:
        classifier: w8c-a8t  # loses 0.2 points alone
        # "stem": w2c-a8t
        "blocks.*.conv1": w4g32-a8t
        name:stem: w8c-a8t
    """
    assert parse_rules(pasted) == (
        Rule("classifier", "w8c-a8t"),
        Rule("blocks.*.conv1", "w4g32-a8t"),
        Rule("name:stem", "w8c-a8t"),
    )


def test_the_canonical_text_does_not_depend_on_order_and_reads_back() -> None:
    rules = parse_rules("last=w8-a8 conv=wt-a8")
    assert rules_text(rules) == rules_text(rules[::-1]) == "conv=wtc-a8t,last=w8c-a8t"
    assert set(parse_rules(rules_text(rules))) == set(rules)


def test_a_prefix_tells_a_layer_from_a_type_of_the_same_name() -> None:
    kinds: dict[str, Kind] = {"conv": "linear", "other": "conv"}
    assert tokens("name:conv=w8c-a8t", kinds) == ["w8c-a8t", "w4c-a8t"]
    assert tokens("type:conv=w8c-a8t", kinds) == ["w4c-a8t", "w8c-a8t"]
    with pytest.raises(QBenchError, match=r"a layer is named 'conv'; write name:conv or type:conv"):
        tokens("conv=w8c-a8t", kinds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stam=w8c-a8t", "layer rule 'stam=w8c-a8t': no layer is named 'stam'; did you mean 'stem'?"),
        ("nothing.*=w8c-a8t", "no layer is named 'nothing.*'"),
        ("stem", "layer rule 'stem': expected pattern=token, as in classifier=w8c-a8t"),
        ("=w8c-a8t", "expected a layer's name, a glob or a type before '='"),
        ("stem=w9c-a8t", "spec 'w9c-a8t': cannot read 'w9c'"),
        ("type:pool=w8c-a8t", "unknown type 'pool'"),
        ("stem=w8c-a8t,first=w2c-a8t", "layer 'stem': rules 'stem=w8c-a8t' and 'first=w2c-a8t' contradict each other"),
        ("b*=w8c-a8t,*1=w2c-a8t", "layer 'blocks.0.conv1': rules 'b*=w8c-a8t' and '*1=w2c-a8t' contradict"),
    ],
)
def test_a_wrong_rule_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(QBenchError) as refusal:
        tokens(text)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_type_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(QBenchError, match=r"no layer is of the type 'depthwise'; types here: conv"):
        tokens("depthwise=w8c-a8t", {"only": "conv"})


ODD = [
    "linear",
    "first",
    "name:x",
    "type:conv",
    "a b",
    "a,b",
    "blocks[stem]conv",
    'say "it"',
    "it's",
    "a#b",
    "a = b",
    "x=w8c-a8t",
    "back\\slash",
    "größe",
    "a: b",
    "[a-d]*",
]


def test_a_rule_of_one_layer_is_read_back_whatever_its_name_is() -> None:
    kinds: dict[str, Kind] = dict.fromkeys([*ODD, "a", "b", "linear2"], "linear")
    rules = [name_rule(name, "w2c-a8t") for name in ODD]
    assert sorted(parse_rules(rules_text(rules)), key=str) == sorted(rules, key=str)
    pasted = "overrides:\n" + "\n".join(f'  {json.dumps(rule.pattern)}: {rule.spec}  # it\'s "0.1"' for rule in rules)
    assert list(parse_rules(pasted)) == rules
    found = assign(kinds, "w4c-a8t", parse_rules(pasted))
    assert {name for name, token in found.items() if token == "w2c-a8t"} == set(ODD)
