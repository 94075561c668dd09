"""What surrounds a command: variables that are unset or empty, names that look like markup, help texts."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from qbench.cli.commands import COMMANDS, root
from qbench.cli.terminal.style import make_console, plain_table
from qbench.errors import MachineError
from qbench.kernels.cache import cache_home, cache_root
from qbench.runner.run_folder import point_to
from qbench.zoo.cache import cache_folder

ODD = ["blocks[stem]conv", "[/b].weight", "[a-d]*", "[red]x", ":smile:", "[link=a]", "a\\[b]"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"QBENCH_CACHE_DIR": "/q"}, "/q"),
        ({"QBENCH_CACHE_DIR": "", "XDG_CACHE_HOME": "/x"}, "/x/qbench"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache/qbench"),
        ({"XDG_CACHE_HOME": "here", "HOME": "/home/me"}, "/home/me/.cache/qbench"),
        ({"HOME": ""}, "/known/.cache/qbench"),
        ({}, "/known/.cache/qbench"),
    ],
)
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str) -> None:
    _surround(monkeypatch, variables, known=True)
    assert (str(cache_home()), str(cache_root())) == (expected, f"{expected}/jit")
    assert cache_folder() == cache_home()


def test_a_user_without_a_home_is_told_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    _surround(monkeypatch, {}, known=False)
    with pytest.raises(MachineError, match="HOME is not set, and the user has no home; set QBENCH_CACHE_DIR"):
        cache_home()


def _surround(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, known: bool) -> None:
    for name in ("QBENCH_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def user(_: int) -> pwd.struct_passwd:
        if not known:
            raise KeyError("no such user")
        return pwd.struct_passwd(("me", "x", 1, 1, "", "/known", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwuid", user)


def test_names_on_the_terminal_are_text_and_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    for name in ODD:
        table = plain_table(name, title=name)
        table.add_row(name)
        console.print(table)
        console.print(name)
    shown = capsys.readouterr().out
    for name in ODD:
        assert shown.count(name) >= 4


def test_a_layer_with_square_brackets_keeps_its_name_in_a_plan(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    from dataclasses import replace

    from qbench.graph import write_onnx
    from tests.runner.conftest import small_network

    network = small_network()
    first, second, *rest = network.nodes
    odd = replace(first, name="blocks[stem]conv", output="blocks[stem]conv")  # type: ignore[type-var]
    after = replace(second, input="blocks[stem]conv", residual="blocks[stem]conv")  # type: ignore[type-var, call-arg]
    shapes = {**network.shapes, "blocks[stem]conv": network.shapes["first"]}
    write_onnx(replace(network, nodes=(odd, after, *rest), shapes=shapes), tmp_path / "odd.onnx")
    code, out, err = call("plan", tmp_path / "odd.onnx")
    assert (code, err) == (0, "")
    assert "blocks[stem]conv" in out
    code, _, err = call("plan", tmp_path / "odd.onnx", "--layers", "[/z]*=w8c-a8t")
    assert code == 2
    assert "[/z]*" in err


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_help_holds_a_backslash(name: str) -> None:
    context = click.Context(root)
    command = root.get_command(context, name) if name else root
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name))
    assert "\\" not in text
    assert "\b" not in text


def test_latest_leads_to_the_newest_run_as_a_link_or_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "table.md").write_text(name)
    (tmp_path / "latest").write_text("one\n")  # as it was before there were links
    for name in ("one", "two"):
        point_to(tmp_path / name)
        assert (tmp_path / "latest" / "table.md").read_text() == name
    assert os.readlink(tmp_path / "latest") == "two"

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refused)
    point_to(tmp_path / "one")
    assert (tmp_path / "latest").read_text() == "one\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_and_a_closed_output_are_no_tracebacks() -> None:
    for redirected, code in (("> /dev/full", 2), (">&-", 0)):
        words = f"{sys.executable} -m qbench list models {redirected}"
        done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert done.stderr.count("\n") == (code == 2)
        assert ("standard output: No space left on device" in done.stderr) == (code == 2)
