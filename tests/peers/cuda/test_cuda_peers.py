"""PyTorch's sides of cells and networks for the GPU, run on the CPU: layouts and scales are right; refusals say why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.graph import read_onnx
from qbench.peers.cuda import CUDA_OPERATORS, torch_half, torch_int_mm, torch_network
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.zoo import model_path

GEMM = KernelCell(GemmProblem(32, 64, 24), "w8c-a8t", "s32")
GROUPS = KernelCell(GemmProblem(5, 64, 24), "w4g32-a8t", "f32")
CONV = KernelCell(ConvProblem(2, 5, 5, 8, 16, (3, 3), (2, 2), (1, 1, 1, 1)), "w8c-a8t", "f32")


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PyTorch whose `cuda` stays on the CPU."""
    found = pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setattr(found.Tensor, "cuda", lambda self: self)
    empty = found.empty
    monkeypatch.setattr(found, "empty", lambda *a, device=None, **k: empty(*a, **k))
    monkeypatch.setattr(found.cuda, "synchronize", lambda: None)
    for module in (torch_half, torch_int_mm, torch_network):
        monkeypatch.setattr(module, "torch_on", lambda stream: found)
    return found


def answer(name: str, cell: KernelCell) -> Any:
    operands = draw_operands(cell)
    (prepared,) = CUDA_OPERATORS.load(name)().prepare(cell, operands, stream=0, copies=2)
    prepared.run()
    prepared.run()
    return prepared.result(), expected_output(cell, operands)


@pytest.mark.usefixtures("torch")
def test_the_int8_product_is_exact() -> None:
    found, want = answer("torch-int-mm", GEMM)
    assert np.array_equal(found, want)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("name", ["torch-fp16", "torch-bf16"])
@pytest.mark.parametrize("cell", [GROUPS, CONV], ids=["groups", "conv"])
def test_half_precision_is_near(name: str, cell: KernelCell) -> None:
    found, want = answer(name, cell)
    assert found.shape == want.shape
    assert np.abs(found - want).max() <= 0.03 * np.abs(want).max()


@pytest.mark.usefixtures("torch")
def test_a_network_in_half_precision_is_near() -> None:
    from qbench.engine import FloatSession

    network = read_onnx(model_path("resnet20"))
    images = np.random.default_rng(0).standard_normal((2, *network.input_shape)).astype(np.float32)
    peer = torch_network.TorchNetwork(network, images, stream=0)
    peer.run()
    want = FloatSession(network, threads=1).run(images)
    assert np.abs(peer.result() - want).max() <= 0.03 * np.abs(want).max()


REFUSALS = {
    "torch-int-mm": (KernelCell(GemmProblem(4, 64, 24), "w8c-a8t", "s32"), "at least 17 rows, got 4"),
    "cublaslt": (GROUPS, "8-bit weights and activations only"),
    "triton": (CONV, "only"),
    "torch-fp16": (
        KernelCell(ConvProblem(1, 5, 5, 8, 16, (2, 2), (1, 1), (1, 1, 0, 0)), "w8c-a8t", "f32"),
        "padding must be the same on both sides",
    ),
    "torch-bf16": (
        KernelCell(ConvProblem(1, 5, 5, 8, 16, (2, 2), (1, 1), (1, 1, 0, 0)), "w8c-a8t", "f32"),
        "padding must be the same on both sides",
    ),
}


def test_every_peer_has_a_refusal_here() -> None:
    assert set(REFUSALS) == set(CUDA_OPERATORS)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_peer_says_what_it_cannot_do(name: str) -> None:
    cell, why = REFUSALS[name]
    reason = CUDA_OPERATORS.load(name)().supports(cell)
    assert reason is not None
    assert why in reason
