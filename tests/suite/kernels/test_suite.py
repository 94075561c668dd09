"""Kernel suites: strict reading, shapes, expansion, filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from qbench.core.cells.memory import MemoryCell, MemoryProblem
from qbench.core.cells.product import ConvProblem, GemmProblem
from qbench.errors import QBenchError, SuiteError
from qbench.suite import expand_kernels, load_suite
from qbench.suite.kernels.filter import parse_kernel_filter
from qbench.suite.kernels.shapes import TABLES, parse_shape

HEAD = "kind: kernels\nname: some\n"
SWEEP = "sweeps:\n  - name: one\n    shapes: gemm 8x16x24\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_which_kind_of_suite_it_is(tmp_path: Path) -> None:
    network = "name: some\nmodel: resnet20\ndata: cifar10-shard\nsweeps: [{name: a, spec: w8c-a8t, method: mse}]\n"
    assert load_suite(written(tmp_path, HEAD + SWEEP)).kind == "kernels"
    assert load_suite(written(tmp_path, network)).kind == "network"
    assert (
        load_suite(written(tmp_path, "kind: network\n" + network)).sha256
        == load_suite(written(tmp_path, network)).sha256
    )
    with pytest.raises(SuiteError, match=r"some.yaml:1: kind: expected network or kernels, got 'kernel'; did you"):
        load_suite(written(tmp_path, "kind: kernel\n"))


def test_a_suite_of_the_former_kind_is_told_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"some.yaml:1: kind: 'cuda' is a device now: write 'device: cuda' in [^\n]*$"):
        load_suite(written(tmp_path, "kind: cuda\nname: some\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("peers: [litert]\n", "peer 'litert' does not run on the device 'cuda'; expected torch-int-mm"),
        ("threads: 2\n", "'threads' goes with the device 'cpu', got it with 'cuda'"),
    ],
)
def test_what_a_device_has_not_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        load_suite(written(tmp_path, HEAD + "device: cuda\n" + text + SWEEP))


def test_on_a_device_there_is_one_thread_and_no_memory_operation(tmp_path: Path) -> None:
    on_device = HEAD + "device: cuda\n" + SWEEP
    trials = expand_kernels(load_suite(written(tmp_path, on_device)))
    assert {trial.cell.threads for trial in trials} == {1}
    with pytest.raises(SuiteError, match="'verify' goes with 'device: cuda'"):
        load_suite(written(tmp_path, HEAD + "verify: true\n" + SWEEP))
    with pytest.raises(SuiteError, match="moves memory, which is timed on the CPU only"):
        expand_kernels(load_suite(written(tmp_path, on_device.replace("gemm 8x16x24", "add 1x2x3x4"))))


def test_a_shape_reads_as_it_is_labelled() -> None:
    conv = parse_shape("conv 56x28x64 to 128 k3 s2", batch=4)
    assert conv == ConvProblem(4, 56, 28, 64, 128, (3, 3), (2, 2), (1, 1, 1, 1))
    assert conv.label == "conv 4x56x28x64 to 128 k3 s2"
    grouped = parse_shape("conv 9x9x32 to 32 k5 s1 p4 d2 g32", batch=1)
    assert grouped == ConvProblem(1, 9, 9, 32, 32, (5, 5), (1, 1), (4, 4, 4, 4), (2, 2), 32)
    assert parse_shape("gemm 1x4096x4096", batch=16) == GemmProblem(16, 4096, 4096)


def test_problems_that_differ_in_padding_alone_have_labels_of_their_own() -> None:
    labels = {parse_shape(f"conv 9x9x16 to 16 k3 s1{pad}", batch=1).label for pad in ("", " p0", " p2")}
    assert len(labels) == 3


@pytest.mark.parametrize("text", ["gemm 1x2", "conv 8x8x3 to 4", "conv 8x8x3 to 4 k3 x2", "gemv 1x2x3", "add 4x4x4"])
def test_a_shape_that_cannot_be_read_says_what_is_expected(text: str) -> None:
    with pytest.raises(SuiteError, match=r"expected 'gemm 512x768x3072', 'conv 56x56x64 to 128 k3 s2' or 'add 64x"):
        parse_shape(text, batch=1)


def test_a_kernel_larger_than_the_padded_image_is_refused() -> None:
    with pytest.raises(QBenchError, match="does not fit"):
        parse_shape("conv 4x4x8 to 8 k7 p0", batch=1)


def test_the_layers_of_resnet50_are_its_operations() -> None:
    # 4.09 10^9 multiply-adds in all; each distinct layer once is what is swept
    distinct = [parse_shape(text, batch=1) for text in TABLES["resnet50"]]
    assert len(distinct) == len(set(distinct)) == 23
    repeats = {"56x56x64 to 256 k1": 4, "56x56x64 to 64 k3": 3, "56x56x256 to 64 k1": 2, "28x28x128 to 512 k1": 4,
               "28x28x128 to 128 k3": 3, "28x28x512 to 128 k1": 3, "14x14x256 to 1024 k1": 6,
               "14x14x256 to 256 k3": 5, "14x14x1024 to 256 k1": 5, "7x7x512 to 2048 k1": 3, "7x7x512 to 512 k3": 2,
               "7x7x2048 to 512 k1": 2}  # fmt: skip
    products = sum(
        parse_shape(text, batch=1).operations * repeats.get(text.removeprefix("conv "), 1) // 2
        for text in TABLES["resnet50"]
    )
    assert products + 2048 * 1000 == pytest.approx(4.089e9, rel=1e-3)


def test_a_suite_is_the_product_of_its_axes(tmp_path: Path) -> None:
    text = (
        HEAD + "threads: [1, 2]\nsweeps:\n  - name: one\n    shapes: [gemm 8x16x24, decoder4096]\n    batch: [1, 4]\n"
    )
    trials = expand_kernels(load_suite(written(tmp_path, text + "    out: [s32, u8]\n")))
    assert len(trials) == len({trial.key for trial in trials}) == 2 * 2 * 2 * 2
    assert {trial.networks for trial in trials} == {(), ("decoder4096",)}


def test_a_shape_of_two_networks_is_one_row_that_names_both(tmp_path: Path) -> None:
    text = HEAD + "threads: 1\nsweeps:\n  - name: one\n    shapes: [resnet50, resnet18]\n"
    trials = expand_kernels(load_suite(written(tmp_path, text)))
    shared = [trial for trial in trials if trial.networks == ("resnet50", "resnet18")]
    assert {trial.cell.problem.label for trial in shared} >= {"conv 1x56x56x64 to 64 k3 s1"}
    assert len(trials) == len({trial.cell.problem for trial in trials})


def test_a_filter_keeps_rows_and_one_that_keeps_none_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "sweeps:\n  - name: one\n    shapes: [resnet20, mobilenetv2-depthwise]\n")
    kept = expand_kernels(load_suite(path, overrides=("filter=kind == depthwise and threads == 1",)))
    assert len(kept) == 10
    assert {trial.kind for trial in kept} == {"depthwise"}
    with pytest.raises(SuiteError, match="no row is left by the filter"):
        expand_kernels(load_suite(path, overrides=("filter=threads == 7",)))


def test_networks_of_a_row_are_found_by_in(tmp_path: Path) -> None:
    trials = expand_kernels(load_suite(written(tmp_path, HEAD + SWEEP.replace("gemm 8x16x24", "resnet18"))))
    assert all(map(parse_kernel_filter("'resnet18' in networks"), trials))
    assert not any(map(parse_kernel_filter("'resnet50' in networks"), trials))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "sweeps:\n  - name: one\n    shapes: resnet5\n", r":5: .*unknown shapes 'resnet5'; did you mean"),
        (HEAD + "peers: [liteRT]\n" + SWEEP, r":3: .*unknown peer 'liteRT'; did you mean 'litert'"),
        (HEAD + "thread: 1\n" + SWEEP, r":3: unknown key 'thread'; did you mean 'threads'"),
        (HEAD + SWEEP + "    spec: w4q\n", r":6: .*expected w\.\.\.-a"),
        (HEAD + SWEEP + "    out: f16\n", r":6: "),
        (
            HEAD + SWEEP + "    own: [w8c-a8t+diret]\n",
            r":6: .*expected auto, direct, winograd after the '\+', got 'diret'",
        ),
        (HEAD + SWEEP + "    variant: auto+fft\n", r":6: .*expected auto, direct, winograd after the '\+', got 'fft'"),
        (HEAD + SWEEP + "    batch: 0\n", r":6: "),
        (HEAD + SWEEP + SWEEP.removeprefix("sweeps:\n"), r"two sweeps are named 'one'"),
        (
            HEAD + SWEEP + "bars: [{name: b, where: sweeps == one, mean: 1.0}]\n",
            r"no field in 'sweeps == one'; did you",
        ),
        (
            HEAD + SWEEP + "bars: [{name: b, where: m > 1, against: ceilling, mean: 1.0}]\n",
            r":6: 'bars\.0\.against': expected peers, .* or a spec, got 'ceilling'; did you mean 'ceiling'",
        ),
        (HEAD, r"key 'sweeps' is missing"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message) as caught:
        load_suite(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_memory_operations_have_numbers_of_their_own(tmp_path: Path) -> None:
    text = (
        HEAD
        + "peers: [litert]\nthreads: 1\nsweeps:\n  - name: one\n    shapes: [quantize 2x3x4x64, pack-b1 1x8x8x64]\n"
    )
    first, second = expand_kernels(load_suite(written(tmp_path, text + "    batch: 3\n")))
    assert first.cell == MemoryCell(MemoryProblem("quantize", 6, 3, 4, 64), 1)
    assert (first.kind, first.peers, first.cell.spec, second.cell.spec) == ("memory", (), "w32-a8t", "w32-ab")
    assert first.key == "one/quantize 6x3x4x64/u8/t1"
    with pytest.raises(
        SuiteError, match="sweep 'one': 'out' does not apply to 'quantize 2x3x4x64', which only moves memory"
    ):
        expand_kernels(load_suite(written(tmp_path, text + "    out: u8\n")))


def test_weights_in_groups_have_float_outputs_only(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + SWEEP + "    spec: w4g32-a8t\n    out: s32\n")
    with pytest.raises(SuiteError, match=r"sweep 'one': .*scales in groups need out f32"):
        expand_kernels(load_suite(path))


def test_what_bars_ask_changes_no_row(tmp_path: Path) -> None:
    plain = load_suite(written(tmp_path, HEAD + SWEEP))
    asking = load_suite(written(tmp_path, HEAD + SWEEP + "bars: [{name: b, where: m > 1, mean: 2.0}]\n"))
    assert plain.sha256 == asking.sha256
    assert plain.sha256 != load_suite(written(tmp_path, HEAD + "threads: 1\n" + SWEEP)).sha256


def test_a_suite_of_networks_does_not_take_a_suite_of_kernels(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"some\.yaml"):
        load_suite(written(tmp_path, HEAD.replace("kind: kernels", "kind: network") + SWEEP))
