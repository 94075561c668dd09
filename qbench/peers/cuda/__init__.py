"""Other libraries on the GPU: products and convolutions of the same cells, and whole networks."""

from __future__ import annotations

from qbench.registry import Registry

CUDA_OPERATORS = Registry(
    "qbench.cuda_operators",
    {
        "torch-int-mm": "qbench.peers.cuda.torch_int_mm:TorchIntMm",
        "cublaslt": "qbench.peers.cuda.cublaslt:CublasLt",
        "triton": "qbench.peers.cuda.triton_gemm:TritonGemm",
        "torch-fp16": "qbench.peers.cuda.torch_half:TorchHalf",
        "torch-bf16": "qbench.peers.cuda.torch_half:TorchBfloat",
    },
)
"""Each part is a class with the shape of `qbench.peers.cuda.peer.CudaPeer`."""

CUDA_NETWORKS = Registry("qbench.cuda_networks", {"torch-fp16": "qbench.peers.cuda.torch_network:TorchNetwork"})
"""Each part is a class of a network and images on the device: `run()` computes their logits on a stream.

What the class itself says (`distributions`, `missing()`, `supports(trial)`) is what peers on the CPU say.
"""
