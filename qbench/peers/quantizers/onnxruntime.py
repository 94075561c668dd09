"""onnxruntime's static quantization: its own calibrators, QDQ files with u8 activations and s8 or s4 weights.

Source: onnxruntime, `onnxruntime.quantization.quantize_static`; entropy: Migacz 2017, "8-bit inference with TensorRT".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from qbench.peers.quantizers.quantizer import Array, Request, Tool

_BATCH = 32


class OnnxRuntimeStatic(Tool):
    """Static quantization of onnxruntime, with its defaults for each calibrator."""

    name: ClassVar[str] = "onnxruntime"
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    algorithms: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "minmax": "the smallest and the largest number seen",
            "entropy": "the clip of the least Kullback-Leibler divergence, 128 bins",
            "percentile": "99.999 % of the numbers seen",
        }
    )
    weight_bits: ClassVar[frozenset[int]] = frozenset({4, 8})
    activation_bits: ClassVar[frozenset[int]] = frozenset({8})

    def load(self) -> None:
        """Import onnxruntime's quantization."""
        import onnxruntime.quantization  # noqa: F401  (so that its time is not the work's)

    def quantize(self, request: Request) -> tuple[str, ...]:
        """Write the QDQ file."""
        from onnxruntime import quantization as tool

        methods = tool.CalibrationMethod
        named = {"minmax": methods.MinMax, "entropy": methods.Entropy, "percentile": methods.Percentile}
        tool.quantize_static(
            str(request.model),
            str(request.out),
            _reader(request),
            quant_format=tool.QuantFormat.QDQ,
            per_channel=request.per_channel,
            activation_type=tool.QuantType.QUInt8,
            weight_type=tool.QuantType.QInt8 if request.weight_bits == 8 else tool.QuantType.QInt4,
            calibrate_method=named[request.algorithm],
        )
        return ()


def _reader(request: Request) -> Any:
    """Return the samples in onnxruntime's form, some at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self._batches: Iterator[dict[str, Array]] = (
                request.batch(start, _BATCH) for start in range(0, len(request), _BATCH)
            )

        def get_next(self) -> dict[str, Array] | None:
            return next(self._batches, None)

    return Reader()
