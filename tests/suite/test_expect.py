"""The key `expect` of suites: what it may say, one clear line where it says more, and the rows it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from qbench.errors import SuiteError
from qbench.runner.networks.expected import expected
from qbench.suite import Suite, expand, load_suite

LAYERS = ["stem", "classifier"]


def written(folder: Path, *expect: dict[str, Any]) -> Suite:
    sweep = {"name": "bits", "spec": ["w4c-a8t", "w2c-a8t"], "recipe": ["minmax", "mse", "mse/bias"]}
    facts = {"name": "mine", "model": "resnet20", "data": "cifar10-shard", "sweeps": [sweep], "expect": list(expect)}
    (folder / "mine.yaml").write_text(yaml.safe_dump(facts))
    found = load_suite(folder / "mine.yaml")
    assert isinstance(found, Suite)
    return found


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({}, "expected one of 'least' or 'most', 'keep', 'order', got none"),
        ({"least": 1}, "expected the key 'column'"),
        ({"column": "top1_percnt", "least": 1}, "no column 'top1_percnt' of numbers; did you mean 'top1_percent'?"),
        ({"column": "packed_bytes", "least": 2, "most": 1}, "'least' is 2 and 'most' 1: no number is both"),
        ({"keep": 0.9, "order": "mse < kl"}, "got 'keep' and 'order'"),
        ({"keep": 0.9, "column": "packed_bytes"}, "'keep' is about the task's score"),
        ({"order": "mse"}, "'order' expected values with ' < ' or ' <= ' between them, got 'mse'"),
        ({"order": "mze < kl"}, "recipe 'mze': expected one method, got none; did you mean 'mse'?"),
        ({"order": "a < b", "by": "recip"}, "'by' names no field of a row: 'recip'; did you mean 'recipe'?"),
        ({"keep": 0.9, "where": "bitz == 4"}, "no field in 'bitz == 4'; did you mean 'bits'?"),
        ({"keep": 0.9, "wher": "bits == 4"}, "unknown key 'expect.0.wher'; did you mean 'where'?"),
    ],
)
def test_what_expect_cannot_mean_is_one_line_with_the_place(tmp_path: Path, expect: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError) as error:
        written(tmp_path, expect)
    assert said in str(error.value)
    assert "mine.yaml:" in str(error.value)


def test_expectations_find_their_rows_before_anything_runs(tmp_path: Path) -> None:
    suite = written(
        tmp_path,
        {"where": "bits == 4", "column": "speedup_onnxruntime-fp32_b256", "least": 1},
        {"keep": 0.9},
        {"order": "minmax <= mse < mse/bias"},
        {"order": "w2c-a8t < w4c-a8t", "by": "spec", "where": "recipe == mse"},
        {"order": "2 < 4", "by": "bits", "column": "packed_bytes"},
        {"keep": 0.9, "where": "bits == 7"},
    )
    found = expected(suite, [item.trial for item in expand(suite, LAYERS)])
    assert [len(one.keys) for one in found] == [3, 6, 0, 0, 0, 0]
    assert [len(one.pairs) for one in found] == [0, 0, 4, 1, 3, 0]

    assert [pair.strictly for pair in found[2].pairs] == [False, True, False, True]
    assert found[2].pairs[1].better == "bits/resnet20/all/w4c-a8t/mse/bias/s0"
    assert found[3].pairs[0].worse == "bits/resnet20/all/w2c-a8t/mse/s0"
    assert found[4].text == "packed_bytes 2 < 4 by bits"


def test_expectations_change_no_row(tmp_path: Path) -> None:
    assert written(tmp_path).sha256 == written(tmp_path, {"keep": 0.9}).sha256
