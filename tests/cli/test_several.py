"""A suite of several networks runs each that it can, and ends in one table of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qbench.cli.commands import root
from qbench.errors import DataError, NotInstalledError

SUITE = """
name: some
networks:
  - {model: resnet20, data: cifar10-shard}
  - {model: mlp-torchscript}
sweeps: [{name: speed, spec: w8c-a8t, method: mse}]
"""


@pytest.mark.parametrize(("error", "code"), [(NotInstalledError, 0), (DataError, 2), (ValueError, 1)])
def test_a_network_that_cannot_be_run_is_left_out_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], code: int
) -> None:
    asked: list[tuple[str, str]] = []

    def refuse(suite: Any, out: Path, **_: Any) -> None:
        asked.append((suite.name, suite.data))
        raise error(f"{suite.model}: pip install it")

    monkeypatch.setattr("qbench.cli.run.run_one", refuse)
    (tmp_path / "some.yaml").write_text(SUITE)
    words = ["run", str(tmp_path / "some.yaml"), "-o", str(tmp_path / "out")]
    found = CliRunner().invoke(root, words, standalone_mode=False)
    assert found.return_value == code
    assert asked == [("some-resnet20", "cifar10-shard"), ("some-mlp-torchscript", "seeded:features=20:normal")]
    table = (tmp_path / "out" / "some" / "networks.md").read_text()
    status = "skipped" if code == 0 else "failed"
    bug = "ValueError: " if code == 1 else ""
    assert f"| mlp-torchscript | {status} | {bug}mlp-torchscript: pip install it |" in table
