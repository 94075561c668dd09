"""Strict reading: every mistake is one line that says where, what was expected and what came."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qbench.errors import SuiteError
from qbench.suite import load_suite

GOOD = """\
name: mini
model: resnet20
data: cifar10-shard
sweeps:
  - name: bits
    scope: full
    bits: [8, 4]
    method: mse
"""


def write(folder: Path, text: str, name: str = "mini.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(SuiteError) as caught:
        load_suite(path, overrides=overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_suite_is_read_with_its_defaults(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    assert suite.sweeps[0].bits == (8, 4)
    assert suite.sweeps[0].method == ("mse",)
    assert suite.calibration.samples == 512
    assert suite.timing.batch_sizes == (1, 256)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "data: cifar10-shard",
            "data: cifar10-shard\nthread: 2",
            r":4: unknown key 'thread'; did you mean 'threads'\?",
        ),
        ("    method: mse", "    metod: mse", r":8: unknown key 'sweeps\.0\.metod'; did you mean 'method'\?"),
        ("    bits: [8, 4]", "    bits: [8, four]", r":7: 'sweeps\.0\.bits\.1': expected a whole number, got \"four\""),
        ("    bits: [8, 4]", "    bits: [8, true]", r":7: 'sweeps\.0\.bits\.1': expected a whole number, got true"),
        ("    bits: [8, 4]", "    bits: [8, 9]", r":7: 'sweeps\.0\.bits\.1': .*less than or equal to 8, got 9"),
        ("    bits: [8, 4]", "    bits: []", r":7: 'sweeps\.0\.bits': .*at least 1 item"),
        (
            "    method: mse",
            "    method: mze",
            r":8: 'sweeps\.0\.method\.0': unknown method 'mze'; did you mean 'mse'\?",
        ),
        ("    scope: full", "    scope: ful", r":6: 'sweeps\.0\.scope\.0': .*'full', got \"ful\""),
        ("    scope: full", "    granularity: group7", r":6: 'sweeps\.0\.granularity\.0': .*multiple of 16"),
        ("    scope: full", "    spec: [w8c-a8t]", r"'sweeps\.0': 'spec' already says what 'bits' would"),
        ("    bits: [8, 4]\n", "", r"'sweeps\.0': expected the key 'bits' or 'spec'"),
        ("    method: mse", "", r"'sweeps\.0': expected the key 'recipe' or 'method'"),
        ("name: mini\n", "", r": key 'name' is missing"),
        ("name: mini", "name: Mini Me", r":1: 'name': .*pattern"),
        ("name: bits", "name: baseline", r"'baseline' is taken"),
        ("name: mini", "name: mini\nname: maxi", r":2: key 'name' is written twice; first at .*mini\.yaml:1"),
        ("model: resnet20", "model: resnet20\nfilter: bits <", r":3: 'filter': .*cannot be read"),
        (
            "model: resnet20",
            "model: resnet20\ntiming: {references: onnxruntime}",
            r":3: 'timing.references': expected a l",
        ),
        ("model: resnet20", "model: resnet20\ntiming: {references: [onx]}", r"unknown peer 'onx'"),
        ("model: resnet20", "model: resnet20\ncalibration: 512", r":3: 'calibration': expected a mapping.*, got 512"),
        ("model: resnet20", "model: [resnet20", r":3: not valid YAML"),
        ("model: resnet20", "<<: {model: resnet20}", r":2: merge keys are not read"),
        ("model: resnet20", "model: 20", r":2: 'model': expected text, got 20"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    message = refusal(write(tmp_path, GOOD.replace(old, new)))
    assert message.startswith(str(tmp_path / "mini.yaml"))
    assert re.search(expected, message), message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "none.yaml: cannot read the suite: No such file" in refusal(tmp_path / "none.yaml")


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    assert "Is a directory" in refusal(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mini.yaml"
    path.write_bytes(b"name: \xff\xfe")
    assert "expected UTF-8 text, got byte 0xff" in refusal(path)


@pytest.mark.parametrize(("text", "got"), [("", "an empty file"), ("- a\n", "a list"), ("mse\n", "'mse'")])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str, got: str) -> None:
    assert f"expected a mapping of keys such as 'name: ...', got {got}" in refusal(write(tmp_path, text))


def test_a_suite_that_contains_itself_is_refused(tmp_path: Path) -> None:
    assert "contains itself" in refusal(write(tmp_path, GOOD + "title: &loop [*loop]\n"))


def test_the_number_of_further_mistakes_is_told(tmp_path: Path) -> None:
    assert "(and 1 more)" in refusal(write(tmp_path, GOOD + "one: 1\ntwo: 2\n"))


def test_a_base_suite_is_changed_key_by_key(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "timing: {precision: 0.01, seconds_a_cell: 3}\n", "base.yaml")
    suite = load_suite(write(tmp_path, "base: base.yaml\nname: other\ntiming: {precision: 0.05}\n"))
    assert (suite.name, suite.timing.precision, suite.timing.seconds_a_cell) == ("other", 0.05, 3.0)
    assert suite.sweeps[0].name == "bits"


def test_a_mistake_in_a_base_suite_names_the_base(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "thread: 3\n", "base.yaml")
    assert "base.yaml:9: unknown key 'thread'" in refusal(write(tmp_path, "base: base.yaml\nname: other\n"))


def test_a_list_of_the_base_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "base.yaml")
    text = "base: base.yaml\nsweeps:\n  - {name: own, spec: w8c-a8t, method: kl}\n"
    assert [sweep.name for sweep in load_suite(write(tmp_path, text)).sweeps] == ["own"]
    wrong = refusal(write(tmp_path, text.replace("kl", "klx")))
    assert "mini.yaml:3: 'sweeps.0.method.0': unknown method 'klx'" in wrong


def test_a_base_that_is_missing_or_circular_is_refused(tmp_path: Path) -> None:
    assert "mini.yaml:1: 'base' names" in refusal(write(tmp_path, "base: none.yaml\n"))
    write(tmp_path, "base: mini.yaml\n", "other.yaml")
    assert "leads back to" in refusal(write(tmp_path, "base: other.yaml\n"))
    assert "expected the path of a suite, got 3" in refusal(write(tmp_path, "base: 3\n"))


def test_values_of_the_command_line_win(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    suite = load_suite(path, overrides=("timing.precision=0.1", "sweeps.0.bits=[3]", "sweeps.bits.method=[kl, mse]"))
    assert suite.timing.precision == 0.1
    assert suite.sweeps[0].bits == (3,)
    assert suite.sweeps[0].method == ("kl", "mse")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("timing.batches=1", "--set timing.batches=1: unknown key 'timing.batches'; did you mean 'batch_sizes'?"),
        ("timing", "--set timing: expected key=value"),
        ("threads=two", "--set threads=two: 'threads': expected a whole number, got \"two\""),
        ("sweeps.7.bits=8", "--set sweeps.7.bits=8: no item '7' in a list of 1; known: bits"),
        ("sweeps.bitz.bits=8", "no item 'bitz' in a list of 1; did you mean 'bits'?"),
        ("name.first=x", "'first' lies inside 'mini', which holds no keys"),
        ("threads=[1", "--set threads=[1:1: not valid YAML"),
    ],
)
def test_a_wrong_value_of_the_command_line_names_itself(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in refusal(write(tmp_path, GOOD), override)


def test_the_hash_depends_on_meaning_alone(tmp_path: Path) -> None:
    plain = load_suite(write(tmp_path, GOOD))
    same = load_suite(write(tmp_path, "# a remark\n" + GOOD.replace("method: mse", "method: [mse]") + "threads: 2\n"))
    other = load_suite(write(tmp_path, GOOD), overrides=("threads=1",))
    assert plain.sha256 == same.sha256 != other.sha256


def test_the_resolved_text_is_the_same_suite_again(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD), overrides=("filter=bits <= 4",))
    again = load_suite(write(tmp_path, suite.text, "again.yaml"))
    assert again.sha256 == suite.sha256


def test_files_are_looked_for_beside_the_suite(tmp_path: Path) -> None:
    text = GOOD.replace("resnet20", "nets/own.onnx").replace("cifar10-shard", "images.npz")
    suite = load_suite(write(tmp_path, text))
    assert suite.model_source() == str(tmp_path / "nets/own.onnx")
    assert suite.data_source() == str(tmp_path / "images.npz")
    assert load_suite(write(tmp_path, GOOD)).model_source() == "resnet20"


NETWORKS = """
name: several
title: Two networks
networks:
  - {model: resnet20, data: cifar10-shard}
  - {model: mine.onnx, data: mine.npz}
sweeps: [{name: bits, bits: 8, method: mse}]
"""


def test_a_suite_of_several_networks_is_one_suite_for_each(tmp_path: Path) -> None:
    (tmp_path / "several.yaml").write_text(NETWORKS)
    first, second = load_suite(tmp_path / "several.yaml").each()
    assert (first.name, first.model_source(), first.data_source()) == ("several-resnet20", "resnet20", "cifar10-shard")
    assert (second.name, second.title) == ("several-mine", "Two networks: mine.onnx")
    assert second.model_source() == str(tmp_path / "mine.onnx")
    assert first.sweeps == second.sweeps
    assert first.sha256 != second.sha256
    assert first.each() == (first,)


@pytest.mark.parametrize("more", ["model: resnet20\ndata: cifar10-shard\n", "data: cifar10-shard\n"])
def test_one_network_and_several_are_not_both_said(tmp_path: Path, more: str) -> None:
    (tmp_path / "both.yaml").write_text(NETWORKS + more)
    with pytest.raises(SuiteError, match="expected the keys 'model' and 'data', or only 'networks'"):
        load_suite(tmp_path / "both.yaml")


def test_a_suite_without_a_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("name: none\nmodel: resnet20\nsweeps: [{name: bits, bits: 8, method: mse}]\n")
    with pytest.raises(SuiteError, match="or only 'networks'; see 'data'"):
        load_suite(tmp_path / "none.yaml")


def test_a_suite_that_grows_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "grows.yaml"
    laughs = "".join(
        f"{name}: &{name} [{', '.join(8 * [f'*{before}'])}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    deep = "".join(f"{name}: &{name} {20 * '['}*{before}{20 * ']'}\n" for before, name in (("a", "b"), ("b", "c")))
    for text, line, message in (
        ("name: x\nsweeps: " + 3000 * "[" + 3000 * "]", 2, "expected at most 40 lists and mappings within each other"),
        ("name: x\nsweeps: " + 3000 * "{a: ", 2, "expected at most 40 lists and mappings within each other"),
        ("name: x\nsweeps:\n" + "".join(f"{i * ' '}- \n" for i in range(1, 500)), 42, "expected at most 40"),
        (f"a: &a [1, 2]\n{laughs}", 1, "expected at most 100,000 values"),
        (f"a: &a [1, 2]\n{deep}", 1, "expected at most 40 lists within each other"),
    ):
        path.write_text(text)
        with pytest.raises(SuiteError) as refusal:
            load_suite(path)
        assert message in str(refusal.value)
        assert f"grows.yaml:{line}" in str(refusal.value)
    with pytest.raises(SuiteError, match=r"--set sweeps=.*expected at most 40"):
        load_suite(Path("tiny"), overrides=("sweeps=" + 100 * "[",))
