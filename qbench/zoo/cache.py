"""The folder for what was fetched or made, outside the repository, and files that appear in it whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from qbench.kernels.cache import cache_home


def cache_folder() -> Path:
    """Return the folder that QBENCH_CACHE_DIR names, else the one that is the custom; raise MachineError for none."""
    return cache_home()


def keep(path: Path, content: bytes) -> None:
    """Write a file whole; raise OSError, and leave nothing behind, when that fails."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def file_sha256(path: Path) -> str:
    """Return a file's hash as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
