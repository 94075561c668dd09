"""README's figures come from the published run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qbench.results import frame, read_run

ROOT = Path(__file__).parents[1]
COLUMNS = ("top1_percent", "images_per_s_b256", "speedup_onnxruntime-fp32_b256", "speedup_onnxruntime-int8_b256")


def _readme_rows() -> dict[str, list[str]]:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| w\S+-a\S+ \|", line)
    ]
    return {row[0]: row for row in cells}


def test_the_table_of_the_readme_is_that_of_the_published_run() -> None:
    table = frame(read_run(ROOT / "results" / "published" / "resnet"))
    published = table[table["sweep"].isin(["baseline", "speed"])].set_index("spec")
    rows = _readme_rows()
    assert set(rows) == set(published.index)
    for spec, row in rows.items():
        shown = [float(row[i]) for i in (1, 4, 5, 6)]
        for value, column in zip(shown, COLUMNS, strict=True):
            assert value == pytest.approx(published.loc[spec, column], rel=0.005, abs=0.01), (spec, column)


def test_every_picture_and_link_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
