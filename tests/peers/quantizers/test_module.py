"""A network as torch's own layers answers as it does here, and says which node has no such form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.engine import FloatSession
from qbench.errors import UnsuitableError
from qbench.graph import Activation, Add, Clamp, Conv, Network, Pool
from qbench.peers.quantizers.module import module_of, word_of
from tests.runner.conftest import small_network

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def more_nodes() -> Network:
    """The small network with a maximum pool, an addition and a relu6 of their own in front."""
    small = small_network()
    nodes = (
        Pool("top", "max", "images", "top", (3, 3), (1, 1), (1, 1, 1, 1)),
        Add("sum", ("images", "top"), "sum"),
        Activation("six", "sum", "six", Clamp(0.0, 6.0)),
        replace(small.nodes[0], input="six"),  # type: ignore[call-arg]
        *small.nodes[1:],
    )
    return replace(small, nodes=nodes, shapes=small.shapes | dict.fromkeys(("top", "sum", "six"), (3, 8, 8)))


@pytest.mark.parametrize("network", [small_network(), more_nodes()], ids=["small", "more"])
def test_it_answers_as_the_float_session(network: Network) -> None:
    images = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)
    with FloatSession(network, threads=1) as session, torch.no_grad():
        found = module_of(network)(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(found, session.run(images).reshape(found.shape), rtol=1e-4, atol=1e-5)


def test_layers_are_submodules_of_their_names() -> None:
    first = small_network().nodes[0]
    network = replace(small_network(), nodes=(replace(first, name="a.b/c"), *small_network().nodes[1:]))
    assert word_of("a.b/c") in dict(module_of(network).named_modules())


@pytest.mark.parametrize("pads", [(0, 0, 1, 1), (1, 0, 0, 0)])
def test_a_node_without_such_a_form_is_named(pads: tuple[int, int, int, int]) -> None:
    first = small_network().nodes[0]
    assert isinstance(first, Conv)
    with pytest.raises(UnsuitableError, match=r"equal padding on opposite sides, got .* of node 'first'"):
        module_of(replace(small_network(), nodes=(replace(first, pads=pads), *small_network().nodes[1:])))
