"""The plug-in of docs/plugins.md works as it is printed, and names that clash are refused."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.errors import QBenchError
from qbench.methods import Method, dequantize
from qbench.registry import Registry

TEXT = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")


def install(folder: Path, points: dict[str, str], *, group: str = "qbench.methods") -> None:
    """Write what pip writes of a package: its name and its entry points."""
    info = folder / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_printed_method_is_found_and_quantizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    (project,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    ((group, points),) = tomllib.loads(project)["project"]["entry-points"].items()
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "p99.py").write_text(code, encoding="utf-8")
    install(tmp_path, points, group=group)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    methods = Registry("qbench.methods", {})
    method: Method = methods.load("p99")
    spec = parse_spec("w4c-a8t")
    assert method.supports(spec) is None
    weights = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
    tensor = method.quantize_weights(weights, spec.weights)
    steps = np.quantile(np.abs(weights), 0.99, axis=1) / 7
    kept = np.abs(weights) <= 7 * steps[:, None]
    error = np.abs(dequantize(tensor.codes, tensor.params) - weights)
    assert (error[kept] <= 0.51 * np.broadcast_to(steps[:, None], weights.shape)[kept]).all()


def test_every_table_is_in_the_document() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].glob("qbench/**/*.py")]
    groups = {group for text in sources for group in re.findall(r'Registry\(\s*"(qbench\.\w+)"', text)}
    assert groups
    assert {group for group in groups if f"`{group}`" not in TEXT} == set()


def test_a_part_of_another_package_cannot_take_the_name_of_an_own_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, {"mse": "my_package.mse:MSE"})
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(
        QBenchError, match=r"^qbench\.methods: 'mse' of the package my-package is a name of qbench's own$"
    ):
        list(Registry("qbench.methods", {"mse": "qbench.methods.mse:MSE"}))
