"""A first suite for a network: it loads, names files from its own folder, and says what was asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qbench.errors import DataError, SuiteError
from qbench.suite import Suite, load_suite
from qbench.suite.starter import Start, started, write_starter
from qbench.zoo.preprocessing import Preprocessing


def loaded(path: Path) -> Suite:
    suite = load_suite(path)
    assert isinstance(suite, Suite)
    return suite


def test_a_suite_for_files_finds_them_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("imgs", "deep/er"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "my net [1].onnx").write_bytes(b"")
    how = Preprocessing.of((0.5, 0.4, 0.3), 0.25, 256, None)
    start = Start("my net [1].onnx", "imgs", how, {"x": (3, 48, 192)}, 100, 1, ("onnxruntime-fp32",))
    for place in ("first.yaml", "deep/er/first.yaml"):
        suite = loaded(write_starter(start, Path(place)))
        assert suite.name == "my_net_1"
        assert (suite.model_source(), suite.data_source()) == ("my net [1].onnx", "imgs")
        assert (suite.how, suite.given) == (how, {"x": (3, 48, 192)})
        assert (suite.data_limit, suite.threads, suite.timing.references) == (100, 1, ("onnxruntime-fp32",))


def test_a_link_among_the_folders_leads_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("real/deep", "real/imgs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    text = "name: a\nmodel: resnet20\ndata: ../imgs\nsweeps: [{name: b, spec: w8c-a8t, method: mse}]\n"
    (tmp_path / "link" / "a.yaml").write_text(text)
    assert os.path.samefile(loaded(Path("link/a.yaml")).data_source(), "real/imgs")


def test_data_that_lead_nowhere_are_named_as_they_were_typed() -> None:
    with pytest.raises(
        DataError, match=r"^data 'imgs/none': expected .* found nothing there; there is no folder imgs$"
    ):
        started("resnet20", "imgs/none", Preprocessing(), {}, limit=None, threads=1)


def test_known_names_stay_names(tmp_path: Path) -> None:
    suite = loaded(write_starter(Start("resnet20", "cifar10-shard"), tmp_path / "a.yaml"))
    assert (suite.model_source(), suite.data_source()) == ("resnet20", "cifar10-shard")
    assert suite.timing.winners > 0


@pytest.mark.parametrize(
    ("model", "name"),
    [("a/B.onnx", "b"), ("\N{CJK UNIFIED IDEOGRAPH-56FE}.onnx", "network"), ("x" * 60 + ".onnx", "x" * 40)],
)
def test_every_network_gets_a_name_that_suites_may_have(model: str, name: str) -> None:
    assert Start(model, "imgs").name == name


def test_a_suite_that_was_changed_is_kept_under_another_name(tmp_path: Path) -> None:
    path = write_starter(Start("resnet20", "cifar10-shard"), tmp_path / "suite.yaml")
    write_starter(Start("resnet20", "cifar10-shard"), path)
    assert [file.name for file in tmp_path.iterdir()] == ["suite.yaml"]
    for number in (1, 2):
        path.write_text(f"mine {number}")
        write_starter(Start("resnet20", "cifar10-shard"), path)
        assert (tmp_path / f"suite-{number}.yaml").read_text() == f"mine {number}"


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SuiteError, match=r"file/a\.yaml: cannot write"):
        write_starter(Start("resnet20", "cifar10-shard"), tmp_path / "file" / "a.yaml")
