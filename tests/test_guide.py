"""The files that docs/guide.md tells people to write are read as it says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qbench.suite import Suite, load_suite
from qbench.zoo.own_file import load_npz

TEXT = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")


def block(kind: str, word: str) -> str:
    """Return the block of a kind that holds a word."""
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```", TEXT, re.S | re.M)
    (one,) = [textwrap.dedent(text) for text in found if word in text]
    return one


def test_the_printed_program_writes_data_that_suites_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        folder = tmp_path / "images" / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (30 * number, 0, 0)).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python", "np.savez"), "guide.md", "exec"), {})
    data = load_npz(tmp_path / "mine.npz")
    assert data.images.shape == (6, 224, 224, 3)
    assert data.calibration.shape == (2, 224, 224, 3)
    assert data.classes == ("cat", "dog")
    assert data.mean == pytest.approx((0.485, 0.456, 0.406))
    red = data.images[:, 0, 0, 0].astype(int) // 30
    assert np.array_equal(data.labels, 1 - red % 2)


def test_the_printed_suite_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(block("yaml", "name: mine"), encoding="utf-8")
    suite = load_suite(path)
    assert isinstance(suite, Suite)
    assert [sweep.name for sweep in suite.sweeps] == ["bits", "sensitivity", "speed"]


def test_the_suite_of_the_comparison_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "compare.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.S | re.M)
    path = tmp_path / "mine.yaml"
    path.write_text(textwrap.dedent(block).replace("p99", "minmax"), encoding="utf-8")  # p99 is the plug-in's
    suite = load_suite(path)
    assert isinstance(suite, Suite)
    assert len(suite.sweeps[0].recipe) == 5
