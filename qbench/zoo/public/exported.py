"""Well-known architectures with seeded weights, as PyTorch's exporters write them: made on first use and cached."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from qbench.errors import ModelError, NotInstalledError
from qbench.zoo.cache import cache_folder

_ROOM = Path(__file__).parent
_LONGEST_S = 1200.0
EXTRA = "pip install 'qbench[zoo]'"


@dataclass(frozen=True, slots=True)
class Exported:
    """A network that an exporter of PyTorch writes.

    Args:
        name: its name in `qbench.zoo.MODELS`.
        builder: "module:function" in `qbench.zoo.public.architectures`.
        argument: what the function takes, "" for nothing.
        data: seeded inputs that suit it (`qbench.zoo.seeded`).
        summary: one line for lists.
        exporter: which of PyTorch's two exporters writes it.
        library: the package that it comes out of besides torch, "" for none.
    """

    name: str
    builder: str
    argument: str
    data: str
    summary: str
    exporter: Literal["torchscript", "dynamo"] = "torchscript"
    library: str = ""

    @property
    def path(self) -> Path:
        """Where the file lies in the cache; it is made when it is not there.

        Other versions of the libraries, of the exporter or of the builder make another one, in a folder of its own.

        Raises:
            NotInstalledError: a library that it comes out of is not installed.
            ModelError: it cannot be exported or kept.
        """
        path = cache_folder() / "public" / self._key() / f"{self.name}.onnx"
        if not path.is_file():
            self._export(path)
        return path

    def _key(self) -> str:
        digest = hashlib.sha256()
        for name in filter(None, ("torch", self.library, "onnxscript" if self.exporter == "dynamo" else "")):
            try:
                digest.update(f"{name} {version(name)}\n".encode())
            except PackageNotFoundError:
                raise NotInstalledError(f"model '{self.name}': it is made by {name}: {EXTRA}") from None
        for source in ("torch_export.py", f"architectures/{self.builder.partition(':')[0]}.py"):
            digest.update((_ROOM / source).read_bytes())
        return digest.hexdigest()[:12]

    def _export(self, path: Path) -> None:
        """Export in a process of its own: torch's memory and threads are none of the run's."""
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        words = (f"qbench.zoo.public.architectures.{self.builder}", self.argument, self.exporter, str(partial))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [sys.executable, "-m", "qbench.zoo.public.torch_export", *words], check=True, capture_output=True,
                timeout=_LONGEST_S,
            )  # fmt: skip
            partial.replace(path)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {error.returncode}"]
            raise ModelError(f"model '{self.name}': it could not be exported: {lines[-1][:200]}") from None
        except subprocess.TimeoutExpired:
            raise ModelError(f"model '{self.name}': exporting it took over {_LONGEST_S:.0f} s") from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be written: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)
