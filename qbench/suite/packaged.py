"""The suites that come with qbench, by name: `suites/` of the repository, `qbench/suites/` of an installed package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import qbench
from qbench.errors import SuiteError, suggest

_PACKAGE = Path(qbench.__file__).parent
_FOLDERS = (_PACKAGE / "suites", _PACKAGE.parent / "suites")
"""Where a wheel has them (`setup.py` puts them there), and where a checkout and an editable install have them."""


def packaged_suites() -> Mapping[str, Path]:
    """Return name -> file, in alphabetical order."""
    folder = next((found for found in _FOLDERS if (found / "resnet.yaml").is_file()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_suite(path: Path) -> Path:
    """Return the file that is meant: `path` itself, or the packaged suite of that name; raise SuiteError."""
    known = packaged_suites()
    if os.path.isfile(path) or path.suffix or path.name != str(path):
        return path
    if path.name not in known:
        hint = suggest(path.name, known)
        raise SuiteError(f"{path}: expected a suite's file (.yaml) or a packaged suite's name{hint}")
    return known[path.name]
