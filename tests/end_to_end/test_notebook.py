"""docs/notebook.ipynb and the program of docs/ship.md: their cells are run, in order, as they are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qbench.registry import Registry
from qbench.report.plots import PLOTS
from tests.end_to_end.listener import Listener

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.xdist_group("tiny")


@pytest.fixture(scope="module")
def namespace(tiny_run: tuple[Path, Listener], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the notebook where the run of `suites/tiny.yaml` lies already, and return its names."""
    cells = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    folder, names = tmp_path_factory.mktemp("notebook"), {}
    (folder / "results").symlink_to(tiny_run[0].parents[1])
    few = {name: PLOTS[name] for name in ("accuracy_against_size",)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("qbench.report.networks.PLOTS", Registry("qbench.no_plots", few))
        for place, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                assert cell["outputs"] == []
                exec(compile("".join(cell["source"]), f"notebook cell {place}", "exec"), names)
    return names | {"folder": folder}


def test_the_notebook_leads_from_a_network_to_a_decision(
    namespace: dict[str, Any], tiny_run: tuple[Path, Listener]
) -> None:
    assert (namespace["folder"] / namespace["found"].folder).samefile(tiny_run[0])
    assert len(namespace["rows"]) == len(namespace["found"].run.results)
    assert namespace["made"].saved.classes == namespace["network"].classes
    assert namespace["logits"].shape == (4, 10)
    assert not namespace["made"].result.row.measurements


def test_the_printed_program_serves(namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(namespace["folder"])
    (text,) = re.findall(r"```python\n(.*?)```", (DOCS / "ship.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, "ship.md", "exec"), names)
    images = namespace["images"]
    with names["session"]:
        answers = list(names["serve"]([images[:1], list(images), images[2:]]))
    every = [names["network"].classes[best] for best in namespace["logits"].argmax(axis=1)]
    assert answers == [every[:1], every, every[2:]]
