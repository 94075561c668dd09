"""AIMET on ONNX: any width, ranges by rule or by search, rounding that is learned; its default configurations.

Source: Siddegowda et al. 2022, "Neural network quantization with AI Model Efficiency Toolkit"; AdaRound: Nagel 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from qbench.peers.quantizers.quantizer import Request, Tool

_BATCH = 32
_BYTE = 8


class Aimet(Tool):
    """AIMET's simulation of a quantized network, written as a file."""

    name: ClassVar[str] = "aimet"
    distributions: ClassVar[tuple[str, ...]] = ("aimet-onnx",)
    algorithms: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "minmax": "the smallest and the largest number seen",
            "tfe": "ranges of the least squared error in histograms",
            "seqmse": "weights' ranges by the least error of a layer's output, 20 candidates; minmax for activations",
            "adaround": "as tfe, then weights rounded up or down as learned, 10,000 steps a layer: hours",
        }
    )
    weight_bits: ClassVar[frozenset[int]] = frozenset(range(2, _BYTE + 1))
    activation_bits: ClassVar[frozenset[int]] = frozenset({_BYTE})

    def load(self) -> None:
        """Import AIMET."""
        import aimet_onnx  # noqa: F401  (so that its time is not the work's)

    def quantize(self, request: Request) -> tuple[str, ...]:
        """Write the QDQ file."""
        import aimet_onnx as tool
        import onnx
        import torch

        np.random.seed(request.seed)  # AIMET draws from NumPy's and torch's own generators
        torch.manual_seed(request.seed)
        batches = [request.batch(start, _BATCH) for start in range(0, len(request), _BATCH)]
        by_rule = request.algorithm in ("minmax", "seqmse")
        sim = tool.QuantizationSimModel(
            onnx.load(str(request.model)),
            param_type=tool.qtype.int(request.weight_bits),
            activation_type=tool.qtype.int(request.activation_bits),
            quant_scheme="min_max" if by_rule else "tf_enhanced",
            config_file="default" if request.per_channel else "default_config.json",
            dummy_input=request.batch(0, 1),
        )
        if request.algorithm == "seqmse":
            tool.apply_seq_mse(sim, batches)
        if request.algorithm == "adaround":
            tool.apply_adaround(sim, batches)
        sim.compute_encodings(batches)
        _as_bytes(sim)
        onnx.save(sim.to_onnx_qdq(prequantize_constants=True), str(request.out))
        return ()


def _as_bytes(sim: Any) -> None:
    """Let weights of fewer bits stand in bytes, with the same steps and the same numbers: files have no 3-bit codes."""
    half = 1 << (_BYTE - 1)
    for name in sim.param_names:
        quantizer = sim.qc_quantize_op_dict[name]
        if quantizer.bitwidth >= _BYTE:
            continue
        encodings = quantizer.get_encodings() if quantizer.enabled else None
        if encodings:
            _round(sim.model.get_initializer(name), encodings, axis=quantizer.quant_info.channelAxis)
        quantizer._is_encoding_frozen = False  # learned rounding forbids other widths; the numbers stay
        quantizer.set_bitwidth(_BYTE)
        for one in encodings or ():
            one.bw, one.offset, one.min, one.max = _BYTE, -half, -half * one.delta, (half - 1) * one.delta
        if encodings:
            quantizer.load_encodings(encodings)


def _round(tensor: Any, encodings: list[Any], *, axis: int) -> None:
    """Give a constant the numbers that its codes stand for."""
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    shape = [1] * values.ndim
    shape[axis if len(encodings) > 1 else 0] = len(encodings)
    step, low = (np.array([getattr(one, key) for one in encodings]).reshape(shape) for key in ("delta", "offset"))
    levels = (1 << encodings[0].bw) - 1
    codes = np.clip(np.rint(values / step), low, low + levels)
    tensor.CopyFrom(numpy_helper.from_array((codes * step).astype(np.float32), tensor.name))
