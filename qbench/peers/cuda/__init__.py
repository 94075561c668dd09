"""Other libraries' products and convolutions on the GPU, for the same cells: name -> "module:attribute"."""

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
"""Each part is a class: `supports(cell)`, then `prepare(cell, operands, stream=..., copies=...)`."""
