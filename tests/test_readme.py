"""The figures of README and of docs/results.md come from the published runs."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console

from qbench.cli import root
from qbench.cli.terminal.summary import show_summary
from qbench.results import frame, read_run
from qbench.results.kernels.index import kernel_frame

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
COLUMNS = ("top1_percent", "images_per_s_b256", "speedup_onnxruntime-fp32_b256", "speedup_onnxruntime-int8_b256")


def _section(heading: str) -> str:
    """Return one part of docs/results.md, from its heading to the next."""
    start = RESULTS.index(f"## {heading}\n")
    end = RESULTS.find("\n## ", start)
    return RESULTS[start : end if end > 0 else None]


def _rows(text: str, first: str) -> dict[str, list[str]]:
    """Return the lines of tables whose first cell matches `first`, their cells by that one."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row for row in cells if re.fullmatch(first, row[0])}


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


@pytest.mark.parametrize("text", [README, RESULTS], ids=["README", "results"])
def test_the_table_of_specs_is_that_of_the_published_run(text: str) -> None:
    table = frame(read_run(PUBLISHED / "resnet"))
    published = table[table["sweep"].isin(["baseline", "speed"])].set_index("spec")
    rows = _rows(_section("ResNet-20 from 8 bits to 1") if text is RESULTS else text, r"w\S+-a\S+")
    assert set(rows) == set(published.index) if text is RESULTS else {"w32-a32", "w8c-a8t"} < set(rows)
    for spec, row in rows.items():
        for value, column in zip((float(row[i]) for i in (1, 4, 5, 6)), COLUMNS, strict=True):
            assert value == pytest.approx(published.loc[spec, column], rel=0.005, abs=0.01), (spec, column)
        drop = published.loc[spec, ["top1_drop_points", "top1_drop_points_low", "top1_drop_points_high"]]
        assert _numbers(row[2]) == pytest.approx(list(drop), abs=0.0051), spec
        assert float(row[3]) == pytest.approx(published.loc[spec, "packed_bytes"] / 1000, abs=0.51), spec
        assert row[7] == published.loc[spec, "execution"]


def test_the_output_in_the_readme_is_what_the_command_prints() -> None:
    console = Console(file=io.StringIO(), width=120)
    show_summary(console, read_run(PUBLISHED / "resnet"))
    assert isinstance(console.file, io.StringIO)
    printed = [line.split() for line in console.file.getvalue().splitlines()]
    shown = README[README.index("```\nw6c-a8t mse keeps") + 4 : README.index("...\n")].splitlines()
    start = printed.index(shown[0].split())
    found = [line for line in printed[start:] if line and set(line[0]) != {"─"}]
    assert [line.split() for line in shown] == found[: len(shown)]
    assert ["201", "ok"] in printed


def test_what_corrections_give_back_and_the_whole_test_set_are_of_published_runs() -> None:
    table = frame(read_run(PUBLISHED / "resnet"))
    mended = table[(table["spec"] == "w3c-a8t") & (table["correction"] == "both")]["top1_percent"].item()
    plain = table[(table["spec"] == "w3c-a8t") & (table["sweep"] == "speed")]["top1_percent"].item()
    for text in (README, RESULTS):
        found = re.search(r"from ([\d.]+) % to ([\d.]+) %", " ".join(text.split()))
        assert found
        assert [float(value) for value in found.groups()] == pytest.approx([plain, mended], abs=0.0051)
    whole = frame(read_run(PUBLISHED / "resnet_full"))
    chosen = (("w32-a32", "none"), ("w8c-a8t", "mse"))
    fp32, int8 = (whole[(whole["spec"] == spec) & (whole["method"] == name)].iloc[0] for spec, name in chosen)
    shown = re.search(r"resnet_full\)\): ([\d.]+) % against ([\d.]+) % in fp32, drop ([^.]+\.\d+) points", RESULTS)
    assert shown
    expected = [int8["top1_percent"], fp32["top1_percent"], int8["top1_drop_points"]]
    assert [float(value) for value in shown.groups()] == pytest.approx(expected, abs=0.0051)


def test_the_table_of_recipes_holds_the_best_of_each_spec_in_the_published_run() -> None:
    table = frame(read_run(PUBLISHED / "methods"))
    part = _section("Recipes")
    for spec, (_, *cells) in _rows(part, r"w\S+-a\S+").items():
        rows = table[(table["spec"] == spec) & (table["sweep"] != "winners")]
        best = rows.loc[rows["top1_percent"].idxmax()]
        for row, (score, drop) in ((rows[rows["recipe"] == "mse"].iloc[0], cells[:2]), (best, cells[3:])):
            names = ("top1_percent", "top1_drop_points", "top1_drop_points_low", "top1_drop_points_high")
            assert _numbers(f"{score} {drop}") == pytest.approx([row[name] for name in names], abs=0.0051), spec
        assert cells[2] == f"`{best['recipe']}`"
    planted = frame(read_run(PUBLISHED / "outliers"))
    for recipe, (_, *cells) in _rows(part, "`.*`").items():
        rows = planted[(planted["sweep"] == "repaired") & (planted["recipe"] == recipe.strip("`"))].set_index("spec")
        found = [rows.loc[spec, "top1_percent"] for spec in ("w8c-a8t", "w4g32-a8t", "w4c-a8t")]
        assert _numbers(" ".join(cells)) == pytest.approx(found, abs=0.0051), recipe


def test_the_table_of_other_tools_is_that_of_the_published_run() -> None:
    table = frame(read_run(PUBLISHED / "tools"))
    shown = _rows(_section("Quantizers of other tools"), "`.*`")
    assert {recipe.strip("`") for recipe in shown} == set(table.loc[table["recipe"] != "none", "recipe"])
    for recipe, (_, *cells) in shown.items():
        for spec, cell in zip(("w8c-a8t", "w4c-a8t", "w3c-a8t"), cells, strict=True):
            rows = table[(table["recipe"] == recipe.strip("`")) & (table["spec"] == spec)]
            assert (cell == "") == rows.empty, (recipe, spec)
            names = ("top1_percent", "top1_drop_points", "top1_drop_points_low", "top1_drop_points_high")
            assert rows.empty or _numbers(cell) == pytest.approx(list(rows.iloc[0][[*names]]), abs=0.0051), recipe


INT8 = {
    "onnxruntime": ("onnxruntime-int8",), "LiteRT": ("litert-int8",),
    "OpenVINO": ("openvino-int8", "openvino-int8-2streams"), "PyTorch": ("torch-int8",),
}  # fmt: skip
"""Library -> its parties; the faster one counts."""
RATIOS = re.compile(
    r"^\| [^|]+ \| ([^|]+) \| ([^|]+) \| \[`\w[^`]*`\]\(\.\./(results/published/\S+_(?:avx2|zen4))\) \|$", re.M
)


def test_the_ratios_of_networks_are_those_of_their_published_runs() -> None:
    rows = RATIOS.findall(RESULTS)
    assert len(rows) == len(re.findall(r"\| \[`\S+`\]\(\S+\) \|\n", RESULTS)) == 18
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


OPERATIONS = {
    "gemm": "int8 products", "conv": "fused convolutions", "depthwise": "depthwise layers",
    "w4-group": "4-bit weights in groups of 32", "conv-3x3": "3 x 3 layers as networks run them",
}  # fmt: skip
"""Sweep -> the words of its row."""


@pytest.mark.parametrize(("machine", "heading"), [("zen4", "On Zen 4"), ("avx2", "Without AVX-512")])
def test_the_ratios_of_kernels_are_those_of_their_published_runs(machine: str, heading: str) -> None:
    table = kernel_frame(read_run(PUBLISHED / f"kernels_{machine}"))
    best = table[table["best_peer"].eq(True)]
    for sweep, words in OPERATIONS.items():
        rows = best[best["sweep"] == sweep]
        shown = _rows(_section(heading), rf"{words}\b.*")
        if (machine, sweep) == ("avx2", "conv-3x3"):  # the published run is older than this sweep
            assert rows.empty
            assert not shown
            continue
        (cells,) = shown.values()
        _assert_means(cells[1:], rows)


def test_the_ratios_of_kernels_on_zen_5_are_those_of_their_published_runs() -> None:
    whole, later = (kernel_frame(read_run(PUBLISHED / run)) for run in ("kernels", "kernels_4_bits"))
    part = _section("Single operations on Zen 5")
    rows = [cells[1:] for first, cells in _rows(part, ".* .*").items() if "x" in cells[1] and first != "operations"]
    grouped = later[(later["sweep"] == "w4-group") & later["best_peer"].eq(True)]
    tokens = grouped["problem"].str.extract(r"gemm (\d+)x", expand=False).astype(int)
    peers = whole[whole["best_peer"].eq(True)]
    own = whole[(whole["party"] == "qbench w8c-a8t") & (whole["sweep"] == "binary-gemm")]
    four = later[(later["sweep"] == "w4-channel") & later["best_peer"].eq(True)]
    expected: list[list[pd.DataFrame]] = [
        [peers[peers["sweep"] == "gemm"]], [peers[peers["sweep"] == "conv"]], [peers[peers["sweep"] == "depthwise"]],
        [four], [grouped[tokens == 4], grouped[tokens.between(16, 256)], grouped[tokens == 1]],
        [peers[peers["sweep"] == "binary-conv"]], [own],
    ]  # fmt: skip
    assert len(rows) == len(expected)
    for cells, groups in zip(rows, expected, strict=True):
        for place, group in enumerate(groups):
            _assert_means([cell.split(" / ")[place] for cell in cells], group)


def _assert_means(cells: list[str], rows: pd.DataFrame) -> None:
    """Assert that cells hold the geometric means of rows on one thread and on two."""
    for threads, cell in zip((1, 2), cells, strict=True):
        (digits,) = re.findall(r"^([\d.]+) x$", cell)
        ratios = rows[rows["threads"] == threads]["qbench_times_faster"]
        half = 0.51 * 10.0 ** -len(digits.partition(".")[2])
        assert float(digits) == pytest.approx(np.exp(np.log(ratios).mean()), abs=half), (cell, threads)


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
    lines = re.findall(
        r"^\| ([^|]+) \| (?:PyTorch fp16|cuBLASLt int8|fp16|own int8) \| ([^|]+) \| ([^|]+) \|$", RESULTS, re.M
    )
    shown = {line[0]: [float(ratio) for ratio in re.findall(r"\d\.\d\d", line[1 + column])] for line in lines}
    header = json.loads((PUBLISHED / of_networks / "run.json").read_text(encoding="utf-8"))
    for row in header["environment"]["cuda_networks"]:
        name = {"resnet50-seeded": "ResNet-50", "resnet20": "ResNet-20"}[row["model"]]
        (found,) = shown.pop(f"{name} in int8, {row['batch']} images")
        assert found == pytest.approx(row["images_per_s"]["qbench"] / row["images_per_s"]["torch-fp16"], abs=0.0051)
    assert len(shown) == len(GPU_ROWS)
    table = kernel_frame(read_run(PUBLISHED / run))
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


@pytest.mark.parametrize("run", ["imagenet_nets_1t-resnet18-seeded_zen4", "cuda_h100_networks"])
def test_the_page_of_a_published_run_is_remade_from_its_lines(run: str, tmp_path: Path) -> None:
    copy = tmp_path / run
    copy.mkdir()
    for name in ("run.json", "trials.jsonl"):
        (copy / name).write_bytes((PUBLISHED / run / name).read_bytes())
    done = CliRunner().invoke(root, ["report", str(copy)], standalone_mode=False)
    assert done.exception is None, done.output
    made = {"table.csv", "table.md", "trials.parquet", "plots", "report.html"}
    assert {path.name for path in copy.iterdir()} == {"run.json", "trials.jsonl", *made}


DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "suites/README.md", "results/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_picture_and_link_of_a_document_exists(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("https://", "http://")):
            assert (path.parent / target).exists(), target


def test_every_file_and_folder_that_a_document_names_exists() -> None:
    files = [path.relative_to(ROOT).as_posix() for room in ("qbench", "tests") for path in (ROOT / room).rglob("*.py")]
    missing = []
    for path in DOCUMENTS:
        for name in re.findall(r"`([\w./]+\.py)`", path.read_text(encoding="utf-8")):
            if not any(f"/{file}".endswith(f"/{name}") for file in files):
                missing.append(f"{path.name}: {name}")
        for name in re.findall(r"`((?:qbench|tests|suites|docs)/[\w./]+)`", path.read_text(encoding="utf-8")):
            if not (ROOT / name).exists():
                missing.append(f"{path.name}: {name}")
    assert missing == []


COMMAND = re.compile(r"^(?:- )?\s*qbench .*$", re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_in_a_block_of_a_document_exists(path: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.S):
        for line in COMMAND.findall(block):
            words = shlex.split(line, comments=True)
            context = click.Context(root)
            command = root.get_command(context, words[1])
            assert command is not None, line
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            used = {word.partition("=")[0] for word in words[2:] if word.startswith("-")}
            assert used <= known, f"{line}: {sorted(used - known)}"


def test_the_readme_fits_on_two_screens() -> None:
    assert README.count("\n") < 120
