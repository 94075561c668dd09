"""Every peer runs a transformer encoder on token ids, and answers as it does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.errors import ModelError
from qbench.graph import Attention, Clamp, Linear, Network, QuantizedNetwork, Unary
from qbench.metrics.tensor import sqnr_db
from qbench.peers import PEERS, Peer, Prepared
from tests.engine.encoder import encoder, ids
from tests.peers.int8_model import int8_model

LEAST_DB = {"fp32": 90.0, "bf16": 25.0, "int8": 18.0}


@cache
def network() -> Network:
    with TemporaryDirectory() as folder:
        return encoder(Path(folder))


@cache
def int8() -> QuantizedNetwork:
    return int8_model(network(), ids(16, seed=6))


@cache
def expected() -> Floats:
    return FloatSession(network(), threads=1).run(ids(5))


def usable(name: str) -> Peer:
    found: Peer = PEERS.load(name)()
    reason = found.missing()
    if reason is not None:
        pytest.skip(reason)
    return found


@cache
def prepared_by(name: str) -> Prepared:
    peer = usable(name)
    return peer.prepare(int8() if peer.precision == "int8" else QuantizedNetwork(network()), threads=2)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_an_encoder_answers_as_it_does(name: str) -> None:
    found = prepared_by(name).run(ids(5))
    assert found.shape == (5, 5)
    assert sqnr_db(expected(), found) > LEAST_DB[PEERS.load(name).precision]


@pytest.mark.parametrize("name", ["litert-int8", "torch-int8"])
def test_a_bound_call_of_another_batch_answers_again_into_one_buffer(name: str) -> None:
    given = ids(5)[:2]
    call = prepared_by(name).bind(given)
    found = call().copy()
    assert sqnr_db(expected()[:2], found) > LEAST_DB["int8"]
    given[:] = 0  # the call keeps what it was given
    np.testing.assert_array_equal(call(), found)
    assert call() is call()


def changed(kind: type, **changes: Any) -> QuantizedNetwork:
    """Return the model with the first node of a kind changed."""
    nodes = list(network().nodes)
    place = next(index for index, node in enumerate(nodes) if isinstance(node, kind))
    nodes[place] = replace(nodes[place], **changes)
    return replace(int8(), network=replace(network(), nodes=tuple(nodes)))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [(Attention, {"mask": "somewhere"}), (Unary, {"function": "erf"}), (Linear, {"activation": Clamp(-1.0, 1.0)})],
)
def test_litert_says_which_node_of_an_encoder_it_cannot_hold(kind: type, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"^litert-int8: expected a model that LiteRT can hold, got node"):
        usable("litert-int8").prepare(changed(kind, **changes), threads=1)


@pytest.mark.parametrize(("kind", "changes"), [(Attention, {"mask": "somewhere"}), (Unary, {"function": "erf"})])
def test_torch_says_which_node_of_an_encoder_it_cannot_hold(kind: type, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"^torch-int8: expected a model of convolutions or an encoder, got node"):
        usable("torch-int8").prepare(changed(kind, **changes), threads=1)


def test_torch_multiplies_every_layer_in_int8() -> None:
    """What its compiler does not recognize it computes in float32, without a word."""
    peer = usable("torch-int8")
    from torch._dynamo.utils import counters

    counters.clear()
    peer.prepare(int8(), threads=1).run(ids(1))
    assert counters["inductor"]["qlinear_weight_prepack_matcher_count"] == len(network().layers)


def test_litert_leaves_nothing_but_the_look_up_to_plain_loops() -> None:
    """XNNPACK takes everything between the words and the logits in one piece."""
    prepared: Any = prepared_by("litert-int8")
    names = [found["op_name"] for found in prepared._interpreters[1]._get_ops_details()]
    assert names.count("DELEGATE") == 1
    assert names.count("FULLY_CONNECTED") == len(network().layers)
