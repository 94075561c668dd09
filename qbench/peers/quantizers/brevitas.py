"""Brevitas' post-training quantization, in the order of its own example for ImageNet, written as QCDQ.

Source: Brevitas, `brevitas_examples.imagenet_classification.ptq`; GPTQ: Frantar 2023; equalization: Nagel 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from qbench.graph import Network, read_network
from qbench.peers.quantizers.module import module_of, word_of
from qbench.peers.quantizers.quantizer import Request, Tool

_BATCH = 64
_EQUALIZED = 20
"""Rounds of equalization, and the percentile of activations: the example's defaults."""
_PERCENTILE = 99.999


class Brevitas(Tool):
    """Brevitas with equalized channels, activations by percentile 99.999, corrected biases: its example's defaults."""

    name: ClassVar[str] = "brevitas"
    distributions: ClassVar[tuple[str, ...]] = ("brevitas", "onnxoptimizer")
    algorithms: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "stats": "weights by their largest number, rounded to nearest",
            "mse": "weights by the least squared error, rounded to nearest",
            "gptq": "weights by their largest number, rounded by GPTQ",
        }
    )
    weight_bits: ClassVar[frozenset[int]] = frozenset(range(2, 9))
    activation_bits: ClassVar[frozenset[int]] = frozenset(range(2, 9))

    def load(self) -> None:
        """Import Brevitas."""
        import brevitas_examples.imagenet_classification.ptq.ptq_common  # noqa: F401  (its time is not the work's)

    def quantize(self, request: Request) -> tuple[str, ...]:
        """Write the QCDQ file."""
        import torch
        from brevitas.graph.quantize import preprocess_for_quantize
        from brevitas_examples.imagenet_classification.ptq import ptq_common as example

        torch.manual_seed(request.seed)
        torch.set_num_threads(request.threads)
        network = read_network(request.model)
        (name,) = request.samples
        batches = [
            (torch.from_numpy(request.batch(start, _BATCH)[name]), None) for start in range(0, len(request), _BATCH)
        ]
        model = preprocess_for_quantize(module_of(network), equalize_iters=_EQUALIZED, equalize_merge_bias=True)
        made = example.quantize_model(
            model,
            backend="fx",
            quant_format="int",
            scale_factor_type="float_scale",
            weight_bit_width=request.weight_bits,
            act_bit_width=request.activation_bits,
            bias_bit_width=None,
            weight_quant_granularity="per_channel" if request.per_channel else "per_tensor",
            weight_param_method="mse" if request.algorithm == "mse" else "stats",
            act_quant_percentile=_PERCENTILE,
            act_quant_type="sym",
        )
        with torch.no_grad():
            made(batches[0][0])
        example.calibrate(batches, made)
        if request.algorithm == "gptq":
            example.apply_gptq(batches, made)
        example.apply_bias_correction(batches, made)
        _write(made, network, batches[0][0][:1], request)
        return ()


def _write(made: Any, network: Network, image: Any, request: Request) -> None:
    """Write the file, its layers under their own names again."""
    import onnx
    from brevitas.export import export_onnx_qcdq

    free = {network.input: {0: "batch"}, network.answer: {0: "batch"}}
    export_onnx_qcdq(
        made, args=image, export_path=str(request.out), dynamo=False, opset_version=17, input_names=[network.input],
        output_names=[network.answer], dynamic_axes=free,
    )  # fmt: skip
    model = onnx.load(str(request.out))
    words = {word_of(layer.name): layer.name for layer in network.layers}
    for node in model.graph.node:
        first = node.name.strip("/").partition("/")[0]
        if node.op_type in ("Conv", "Gemm", "MatMul") and first in words:
            node.name = words[first]
    onnx.save(model, str(request.out))
