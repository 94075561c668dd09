"""Every quantizer of another tool says what it is, what it wants and what it cannot do, and imports nothing for that.

Authors of quantizers: name yours in the entry-point group `qbench.quantizers`, and this file tries it too.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qbench.graph
from qbench.core.spec import parse_spec
from qbench.engine import build_session
from qbench.graph import QuantizedNetwork
from qbench.metrics.tensor import sqnr_db
from qbench.peers.quantizers import QUANTIZERS, Quantizer
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.runner.machine.environment import libraries
from tests.runner.conftest import small_network

SPECS = ("w8c-a8t", "w8t-a8t", "w4c-a8t", "w3c-a8t", "w4g32-a8t", "w4logc-a8t", "w8c-a32", "w8c-a8d", "wbc-abt")


def quantizer(name: str) -> Quantizer:
    found: Quantizer = QUANTIZERS.part(name)
    return found


@pytest.mark.parametrize("name", QUANTIZERS)
def test_it_says_its_name_its_packages_and_its_algorithms(name: str) -> None:
    found = quantizer(name)
    assert found.name == name
    assert re.fullmatch("[a-z0-9_]+", name), "a word of recipes"
    assert found.distributions
    assert all(one in libraries() for one in found.distributions), "their versions stand in a run"
    assert len(inspect.getdoc(type(found)) or "") > 10
    assert found.algorithms
    assert all(word and line and "\n" not in line for word, line in found.algorithms.items())


@pytest.mark.parametrize("name", QUANTIZERS)
def test_what_is_missing_or_cannot_be_made_is_one_line_that_begins_with_the_recipe(name: str) -> None:
    for algorithm in quantizer(name).algorithms:
        recipe = parse_recipe(f"{name}({algorithm})")
        reasons = [recipe.supports(parse_spec(token)) for token in SPECS]
        assert all(reason is None or reason.startswith(f"{recipe.text}: ") for reason in reasons)
        assert "\n" not in "".join(filter(None, reasons))
    refused = [quantizer(name).supports(parse_spec(token), algorithm) for token in SPECS]
    assert None in refused, "something it can do"
    assert refused[-1], "one bit of both signs is qbench's own"
    assert quantizer(name).supports(parse_spec("w8d-a8t"), algorithm), "weights have no scales that only a run shows"


def test_asking_imports_none_of_the_tools() -> None:
    code = """
import sys
from qbench.core.spec import parse_spec
from qbench.peers.quantizers import QUANTIZERS
for name in QUANTIZERS:
    part = QUANTIZERS.part(name)
    part.missing(), [part.supports(parse_spec("w8c-a8t"), word) for word in part.algorithms]
known = ("torch", "onnxruntime", "onnx", "aimet_onnx", "nncf", "brevitas", "auto_round")
print([name for name in known if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", QUANTIZERS)
def test_its_file_runs_in_integers_as_onnxruntime_runs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := quantizer(name).missing():
        pytest.skip(f"{name}: {reason}")
    import onnxruntime

    files: list[bytes] = []
    read = qbench.graph.read_quantized

    def kept(path: Path, **more: bool) -> QuantizedNetwork:
        files.append(path.read_bytes())
        return read(path, **more)

    monkeypatch.setattr(qbench.graph, "read_quantized", kept)
    network, drawn = small_network(), np.random.default_rng(3).standard_normal((24, 3, 8, 8)).astype(np.float32)
    seen = Observations(network, lambda: drawn, threads=1)
    made = parse_recipe(name).apply(assigned(network, "w8c-a8t", method=name), seen, seed=0)
    assert [layer.name for layer in made.network.layers] == [layer.name for layer in network.layers]
    assert {codes.spec.token for codes in made.weights.values()} == {"8c"}
    with build_session(made, threads=1) as session:
        assert session.execution == "integer"
        found = session.run(drawn)
    (expected,) = onnxruntime.InferenceSession(files[0], providers=["CPUExecutionProvider"]).run(
        None, {network.input: drawn}
    )
    assert sqnr_db(expected, found.reshape(expected.shape)) > 30.0
