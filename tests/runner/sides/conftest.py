"""Sides whose times are told, not measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qbench.runner.sides.side import Side

MakeSide = Callable[..., Side]


@pytest.fixture
def make_side(tmp_path: Path) -> MakeSide:
    """Return a side whose Python is a script that starts `fake_side.py` with its facts."""

    def make(name: str, rows: dict[str, float], **facts: Any) -> Side:
        told, script = tmp_path / f"{name}.json", tmp_path / f"{name}.sh"
        told.write_text(json.dumps({"rows": rows, **facts}), encoding="utf-8")
        script.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__).with_name("fake_side.py")}" "{told}"\n'
        )
        script.chmod(0o755)
        return Side(name, python=str(script))

    return make
