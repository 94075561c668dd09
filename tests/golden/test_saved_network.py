"""A saved network has the bytes that it has always had, whatever kernels calibrated it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from qbench import __version__
from qbench.cli import root
from tests.golden.facts import SMALL

SAVED = {
    ("--spec", "w4g16-a8t", "--method", "minmax"): (
        "ae7c9847275984bb7a3b4abc5b43496546774b276da1adeef468c2abd5105ba4",
        "8ac770f1de3c333a76b19557411950fea32c94ded4260ac28480bc57992a55d0",
    ),
    ("--spec", "w3c-a4t", "--method", "mse", "--correction", "both", "--layers", "name:last=w8g16-a8t"): (
        "f7a4c895cb9667fe46f5c51df5a96b9eff618f2186e0426ca59bb3d099c804ac",
        "9633aac94477b2d8aa87cd87a2db07b240f0b070ba0ed8e156147b35de77b02c",
    ),
}
"""What is asked -> SHA-256 of network.json and of network.safetensors."""


@pytest.mark.parametrize("asked", SAVED, ids=lambda asked: asked[1])
@pytest.mark.parametrize("variant", ["auto", "portable"])
def test_a_saved_network_is_golden(
    asked: tuple[str, ...], variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SMALL.parent)  # the file says where network and data lay
    words = ("quantize", SMALL.name, "--data", "small.npz", "--variant", variant, "--calibration", "16", *asked)
    done = CliRunner().invoke(
        root, [*words, "--threads", "1", "--no-times", "-o", str(tmp_path)], standalone_mode=False
    )
    assert done.exception is None, done.output
    text = (tmp_path / "network.json").read_text(encoding="utf-8")
    text = text.replace(f'"qbench":"{__version__}"', '"qbench":"0.1.0"')
    tensors = (tmp_path / "network.safetensors").read_bytes()
    assert (hashlib.sha256(text.encode()).hexdigest(), hashlib.sha256(tensors).hexdigest()) == SAVED[asked]
