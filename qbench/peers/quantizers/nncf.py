"""NNCF on ONNX: 8-bit QDQ files with bias correction, by its defaults.

Source: NNCF, `nncf.quantize`; bias correction: Nagel 2019, section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from qbench.peers.quantizers.quantizer import Request, Tool


class Nncf(Tool):
    """Post-training quantization of NNCF, with fast bias correction."""

    name: ClassVar[str] = "nncf"
    distributions: ClassVar[tuple[str, ...]] = ("nncf",)
    algorithms: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "performance": "symmetric activations, biases corrected",
            "mixed": "zero points for activations, biases corrected",
        }
    )
    weight_bits: ClassVar[frozenset[int]] = frozenset({8})
    activation_bits: ClassVar[frozenset[int]] = frozenset({8})

    def load(self) -> None:
        """Import NNCF."""
        import nncf
        import nncf.onnx  # noqa: F401

    def quantize(self, request: Request) -> tuple[str, ...]:
        """Write the QDQ file."""
        import nncf
        import onnx
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
            QuantizationParameters,
        )

        samples = [request.batch(start, 1) for start in range(len(request))]
        made = nncf.quantize(
            onnx.load(str(request.model)),
            nncf.Dataset(samples),
            subset_size=len(samples),
            preset=nncf.QuantizationPreset.MIXED if request.algorithm == "mixed" else None,
            advanced_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.DISABLE,  # sums are exact here: no weight has to stay below half its range
                weights_quantization_params=QuantizationParameters(per_channel=request.per_channel),
            ),
        )
        onnx.save(made, str(request.out))
        return ()
