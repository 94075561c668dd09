"""Other libraries' single operations, to stand beside qbench's kernels on the same operands.

`OPERATORS` is the table of names, each an `OperatorPeer`. No clock lives here: a peer is handed a cell and its operands
and gives back something that can be called. One file per library, all optional.
"""

from __future__ import annotations

from qbench.registry import Registry

_HERE = "qbench.peers.operators"

OPERATORS = Registry(
    "qbench.operators",
    {
        "litert": f"{_HERE}.litert:LiteRt",
        "onnxruntime": f"{_HERE}.onnxruntime:OnnxRuntime",
        "openvino": f"{_HERE}.openvino:OpenVino",
        "openvino-binary": f"{_HERE}.openvino_binary:OpenVinoBinary",
        "torch-pt2e": f"{_HERE}.torch_quantized:TorchPt2e",
        "torch-onednn": f"{_HERE}.torch_quantized:TorchOnednn",
        "torch-fbgemm": f"{_HERE}.torch_quantized:TorchFbgemm",
        "torch-x86": f"{_HERE}.torch_quantized:TorchX86",
        "torch-int-mm": f"{_HERE}.torch_quantized:TorchIntMm",
        "torch-int4pack": f"{_HERE}.torch_int4:TorchInt4Pack",
        "zentorch": f"{_HERE}.zentorch:ZenTorch",
        "onednn": f"{_HERE}.onednn:OneDnn",
        "ggml": f"{_HERE}.ggml:Ggml",
        "numkong": f"{_HERE}.numkong:NumKong",
    },
)

__all__ = ["OPERATORS"]
