"""Every command: help with an example, one clear line for bad input, the right exit code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from qbench.cli.commands import COMMANDS
from tests.cli.conftest import Call, MakeRun

SUITES = Path(__file__).parents[2] / "suites"


def test_help_lists_every_command(call: Call) -> None:
    done = call("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.out
    assert not any(line.endswith("...") for line in done.out.splitlines()[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(call: Call, name: str) -> None:
    done = call(name, "--help")
    assert done.code == 0
    assert f"qbench {name}" in done.out.split("Example", 1)[1]


def test_a_wrong_command_gets_a_suggestion(call: Call) -> None:
    done = call("verfy")
    assert done.code == 2
    assert "no command 'verfy'; did you mean 'verify'?" in done.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("plan", "none.yaml"), "none.yaml: cannot read the suite: No such file or directory"),
        (("run", "none.yaml"), "none.yaml: cannot read the suite: No such file or directory"),
        (("run", SUITES / "tiny.yaml", "--set", "sweeps.bits.method=mze"), "unknown method 'mze'; did you mean 'mse'?"),
        (("run", SUITES / "tiny.yaml", "--set", "threads"), "--set threads: expected key=value"),
        (("plan", SUITES / "tiny.yaml", "--filter", "bitz < 4"), "no field in 'bitz < 4'; did you mean 'bits'?"),
        (("compare", "none", "none"), "none: expected the folder of a run, found nothing there"),
        (("compare", "none", "none", "--fail-on", "slow"), "--fail-on: unknown word 'slow'; did you mean 'slower'?"),
        (("report", "none"), "none: expected the folder of a run, found nothing there"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(call: Call, arguments: tuple[str | Path, ...], expected: str) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert expected in done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("qbench: ")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("methods", "linear_floor"),
        ("metrics", "top1_drop_points"),
        ("models", "resnet20"),
        ("data", "cifar10-shard"),
        ("peers", "onnxruntime-int8"),
        ("kernels", "gemm"),
    ],
)
def test_list_shows_the_parts_of_a_section(call: Call, section: str, expected: str) -> None:
    done = call("list", section)
    assert done.code == 0
    assert expected in done.out


def test_list_shows_the_packaged_suites_and_those_of_this_folder(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.yaml").write_text((SUITES / "tiny.yaml").read_text(encoding="utf-8"))
    done = call("list", "suites")
    assert "suites/mine.yaml" in done.out
    assert " resnet_full " in done.out
    assert "ResNet-20 on CIFAR-10, from 8 bits to 1" in done.out


def test_verify_checks_one_family(call: Call) -> None:
    done = call("verify", "pack")
    assert done.code == 0
    assert "pack_u8_b1" in done.out
    assert "mismatch" not in done.out


def test_verify_of_a_mismatch_is_exit_code_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    row = SimpleNamespace(family="gemm", operation="op", variant="v", cases=3, status="mismatch", detail="first at 0")
    monkeypatch.setattr("qbench.kernels.verify", lambda family: iter([row]))
    done = call("verify")
    assert done.code == 1
    assert "first at 0" in done.out


def test_verify_of_an_unknown_family_gets_a_suggestion(call: Call) -> None:
    done = call("verify", "gem")
    assert done.code == 2
    assert "did you mean 'gemm'?" in done.err


def test_plan_shows_every_trial_and_where_the_rows_will_go(call: Call, tmp_path: Path) -> None:
    done = call("plan", SUITES / "tiny.yaml", "-o", tmp_path, "--filter", "bits == 4")
    assert done.code == 0
    assert "baseline/resnet20/all/w32-a32/none/s0" in done.out
    assert "bits/resnet20/all/w4c-a4t/mse/s0" in done.out
    assert "3 trials: 3 to run, 0 cached, 0 skipped" in done.out
    assert done.out.splitlines()[1] == "starts a new run"


def test_system_shows_this_machine(call: Call) -> None:
    done = call("system")
    assert done.code == 0
    assert "cpu_model" in done.out
    assert "kernel variant portable" in done.out


def test_list_of_an_unknown_section_is_refused(call: Call) -> None:
    assert call("list", "things").code == 2


def test_compare_shows_changes_and_writes_markdown(call: Call, make_run: MakeRun, tmp_path: Path) -> None:
    before, after = make_run("a"), make_run("b", median_s=0.0005)
    done = call("compare", before, after, "-o", tmp_path / "found.md")
    assert done.code == 0
    assert "FASTER" in done.out
    assert "images_per_s_b8" in done.out
    assert "| FASTER |" in (tmp_path / "found.md").read_text()


def test_compare_fails_on_what_it_was_asked_to(call: Call, make_run: MakeRun) -> None:
    before, slower, worse = make_run("a"), make_run("b", median_s=0.002), make_run("c", wrong=80)
    assert call("compare", before, slower).code == 0
    assert call("compare", before, slower, "--fail-on", "slower").code == 1
    assert call("compare", before, slower, "--fail-on", "accuracy").code == 0
    assert call("compare", before, worse, "--fail-on", "slower,accuracy").code == 1


def test_compare_of_an_unstable_run_says_so(call: Call, make_run: MakeRun) -> None:
    done = call("compare", make_run("a"), make_run("b", median_s=0.002, unstable=True), "--fail-on", "slower")
    assert done.code == 1
    assert "the machine was unstable during" in done.out


def test_compare_refuses_results_of_another_schema_version(call: Call, make_run: MakeRun) -> None:
    done = call("compare", make_run("a"), make_run("b", schema_version=3))
    assert done.code == 2
    assert "expected results of schema version 2, got 3" in done.err


def test_report_writes_tables_and_a_page(call: Call, make_run: MakeRun) -> None:
    folder = make_run("a")
    done = call("report", folder)
    assert done.code == 0
    for name in ("table.csv", "table.md", "trials.parquet", "report.html"):
        assert (folder / name).is_file()
        assert name in done.out


def test_report_of_two_runs_stands_in_its_own_folder(call: Call, make_run: MakeRun, tmp_path: Path) -> None:
    done = call("report", make_run("a"), make_run("b"), "-o", tmp_path / "both")
    assert done.code == 0
    assert (tmp_path / "both" / "report.html").is_file()


def test_an_interrupt_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qbench.suite.load_suite", interrupted)
    done = call("run", SUITES / "tiny.yaml")
    assert done.code == 130
    assert done.err.splitlines()[-1] == "qbench: interrupted; finished trials are kept, the same command continues"


def test_verify_methods_prints_every_figure_and_fails_where_one_is_off(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbench.methods import gates
    from qbench.methods.gates import Gate

    good, off = Gate("a step", 1.0, 1.001, 0.005), Gate("an error", 1.0, 1.1, 0.005)
    for found, code in (([good], 0), ([good, off], 1)):
        monkeypatch.setattr(gates, "gates", lambda found=found: iter(found))
        done = call("verify", "methods")
        assert done.code == code
        assert f"1 of {len(found)} figures hold" in done.out
        assert ("off" in done.out) == bool(code)


def test_list_recipes_says_of_every_stage_what_it_does_and_where_it_is_from(call: Call) -> None:
    done = call("list", "recipes")
    assert done.code == 0
    for name in ("before: cle", "codes: mxfp4", "rounding: gptq", "after: bias"):
        assert name in done.out
    assert "Frantar" in done.out
