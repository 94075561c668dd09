"""README's figures come from the published run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
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


INT8 = {
    "onnxruntime": ("onnxruntime-int8",), "LiteRT": ("litert-int8",),
    "OpenVINO": ("openvino-int8", "openvino-int8-2streams"), "PyTorch": ("torch-int8",),
}  # fmt: skip
"""Library -> its parties; the faster one counts."""
RATIOS = re.compile(
    r"^\| [^|]+ \| ([^|]+) \| ([^|]+) \| \[`\w[^`]*`\]\((results/published/\S+_(?:avx2|zen4))\) \|$", re.M
)


def test_the_ratios_of_networks_are_those_of_their_published_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = RATIOS.findall(text)
    assert {folder.rpartition("_")[2] for *_, folder in rows} == {"avx2", "zen4"}
    for *cells, folder in rows:
        table = frame(read_run(ROOT / folder))
        row = table[(table["sweep"] == "speed") & (table["spec"] == "w8c-a8t")].iloc[0]
        batches = [found[1] for name in table.columns if (found := re.fullmatch(r"images_per_s_b(\d+)", name))]
        for batch, cell in zip(batches, cells, strict=True):
            found = {
                name: [row[f"speedup_{party}_b{batch}"] for party in parties if _has(row, party, batch)]
                for name, parties in INT8.items()
            }
            others = {name: min(ratios) for name, ratios in found.items() if ratios}
            for ratio, name in re.findall(r"([\d.]+) x (\w+)", cell):
                assert float(ratio) == pytest.approx(others[name], abs=0.0051), (folder, batch, name)
            assert re.findall(r"\w+$", cell.split(",")[0]) == [min(others, key=lambda name: others[name])]


@pytest.mark.parametrize(
    ("machine", "heading", "following"),
    [("zen4", "## On Zen 4", "## Without AVX-512"), ("avx2", "## Without AVX-512", "## On a GPU")],
)
def test_the_ratios_of_kernels_are_those_of_their_published_runs(machine: str, heading: str, following: str) -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    part = text[text.index(heading) : text.index(following)]
    table = pd.read_csv(ROOT / "results" / "published" / f"kernels_{machine}" / "table.csv")
    best = table[table["best_peer"].eq(True)]
    shown = {
        "gemm": "int8 products", "conv": "fused convolutions", "depthwise": "depthwise",
        "w4-group": "4-bit weights in groups of 32", "conv-3x3": "layers as networks run them",
    }  # fmt: skip
    for sweep, words in shown.items():
        rows = best[best["sweep"] == sweep]
        if (machine, sweep) == ("avx2", "conv-3x3"):  # the published run is older than this sweep
            assert rows.empty
            continue
        found = re.search(rf"{words}[a-z ]* ([\d.]+) x / ([\d.]+) x", part)
        assert found, words
        for threads, ratio in zip((1, 2), found.groups(), strict=True):
            times = rows[rows["threads"] == threads]["qbench_times_faster"]
            assert float(ratio) == pytest.approx(np.exp(np.log(times).mean()), abs=0.0051), (sweep, threads)


GPU_ROWS = {
    "int8 product": ("cublaslt", [("int8-largest", 16384), ("int8-square", 8192), ("int8-square", 4096)]),
    "4-bit weights": ("torch-fp16", [("decode-w4a8", 1)]),
    "the same": ("torch-fp16", [("decode-w4a8", 16), ("decode-w4a8", 64)]),
    "binary product": ("qbench w8c-a8t", [("low-bits", 8192)]),
}


@pytest.mark.parametrize(
    ("column", "run", "of_networks"), [(0, "cuda", "cuda"), (1, "cuda_h100", "cuda_h100_networks")]
)
def test_the_ratios_on_a_gpu_are_those_of_the_published_run(column: int, run: str, of_networks: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(
        r"^\| ([^|]+) \| (?:PyTorch fp16|cuBLASLt int8|fp16|own int8) \| ([^|]+) \| ([^|]+) \|$", text, re.M
    )
    shown = {line[0]: [float(ratio) for ratio in re.findall(r"\d\.\d\d", line[1 + column])] for line in lines}
    published = ROOT / "results" / "published"
    header = json.loads((published / of_networks / "run.json").read_text(encoding="utf-8"))
    for row in header["environment"]["cuda_networks"]:
        name = {"resnet50-seeded": "ResNet-50", "resnet20": "ResNet-20"}[row["model"]]
        (found,) = shown.pop(f"{name} in int8, {row['batch']} images")
        assert found == pytest.approx(row["images_per_s"]["qbench"] / row["images_per_s"]["torch-fp16"], abs=0.0051)
    assert len(shown) == len(GPU_ROWS)
    table = pd.read_csv(published / run / "table.csv")
    for what, ratios in shown.items():
        party, places = next(wanted for name, wanted in GPU_ROWS.items() if what.startswith(name))
        for (sweep, rows), ratio in zip(places, ratios, strict=True):
            mine = table[(table["sweep"] == sweep) & table["problem"].str.startswith(f"gemm {rows}x")]
            if what.startswith("binary"):
                mine = mine[mine["spec"] == "wbc-abt"]
            (value,) = mine[mine["party"] == party]["qbench_times_faster"]
            assert ratio == pytest.approx(value, abs=0.0051), what


def _has(row: pd.Series, party: str, batch: str) -> bool:
    return bool(pd.notna(row.get(f"speedup_{party}_b{batch}")))


def test_every_picture_and_link_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
