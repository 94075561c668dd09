"""A transformer encoder as a TensorFlow Lite file: int8 products, and float32 between them.

Its products take float32 and quantize each row themselves (LiteRT's dynamic range, what its quantizer gives to
transformers): XNNPACK multiplies in int8 by packed weights and writes float32 at once. Nothing else has codes. Layer
norms are spelled in primitives, as converters do: the format has no operator for them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph import Add, Attention, Foreign, LayerNorm, Linear, Node, TokenMean, Unary
from qbench.graph.embedding import embedding_of
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.writing.qdq_params import weight_codes
from qbench.peers.tflite.file import TfliteFile
from qbench.peers.tflite.network import FUSED

Array = npt.NDArray[np.generic]


def encoder_bytes(quantized: QuantizedNetwork, *, batch: int, name: str) -> bytes:
    """Return the network as a TensorFlow Lite file for token ids, int32 (batch, tokens).

    Raises:
        ModelError: in the name of the peer `name`, when a node has no such form.
    """
    return _Writer(quantized, batch, name).run()


class _Writer:
    """Walks the network once; `_tensors` maps its tensors to those of the file, float32 but the ids."""

    def __init__(self, quantized: QuantizedNetwork, batch: int, name: str) -> None:
        self._network, self._weights, self._batch, self._name = quantized.network, quantized.weights, batch, name
        self._file = TfliteFile()
        self._tensors: dict[str, int] = {}

    def run(self) -> bytes:
        network = self._network
        ids = self._file.tensor("ids", self._shape(network.input), "INT32")
        self._tensors[network.input] = ids
        for node in network.nodes:
            self._tensors[node.output] = self._added(node)
        return self._file.to_bytes(ids, self._tensors[network.answer])

    def _added(self, node: Node) -> int:
        """Add a node's operators; return the tensor that they write."""
        match node:
            case Foreign():
                return self._embedding(node)
            case LayerNorm() if node.centred:
                return self._norm(node)
            case Linear() if node.activation in FUSED:
                return self._linear(node)
            case Attention() if node.is_plain:
                return self._attention(node)
            case Add() if node.activation in FUSED:
                sources, shape = [self._tensors[source] for source in node.inputs], self._shape(node.output)
                return self._op("ADD", sources, node.output, shape, fusedActivationFunction=FUSED[node.activation])
            case Unary() if node.function in ("gelu", "gelu_tanh"):
                tanh = node.function == "gelu_tanh"
                source = [self._tensors[node.input]]
                return self._op("GELU", source, node.output, self._shape(node.output), approximate=tanh)
            case TokenMean():
                return self._mean(self._tensors[node.input], 1, node.output, self._shape(node.output), keep=False)
            case _:
                raise self._refused(node)

    def _refused(self, node: Node) -> ModelError:
        return ModelError(
            f"{self._name}: expected a model that LiteRT can hold, got node '{node.name}': it has no form in encoders"
        )

    def _shape(self, tensor: str) -> tuple[int, ...]:
        return (self._batch, *self._network.shapes[tensor])

    def _op(self, op: str, inputs: list[int], output: str, shape: tuple[int, ...], **options: object) -> int:
        return self._file.operator(op, inputs, self._file.tensor(output, shape, "FLOAT32"), **options)

    def _constant(self, name: str, data: Array, kind: str = "FLOAT32") -> int:
        return self._file.tensor(name, data.shape, kind, data=data)

    def _ints(self, name: str, *numbers: int) -> int:
        return self._constant(name, np.array(numbers, np.int32), "INT32")

    def _embedding(self, node: Foreign) -> int:
        found = embedding_of(node)
        if found is None:
            raise self._refused(node)
        shape, name = self._shape(node.output), node.output
        rows = [self._constant(f"{name}.table", found.table), self._tensors[node.inputs[0]]]
        words = self._op("GATHER", rows, f"{name}.words", shape, axis=0)
        return self._op("ADD", [words, self._constant(f"{name}.places", found.places)], name, shape)

    def _mean(self, source: int, axis: int, output: str, shape: tuple[int, ...], *, keep: bool = True) -> int:
        return self._op("MEAN", [source, self._ints(f"{output}.axis", axis)], output, shape, keepDims=keep)

    def _norm(self, node: LayerNorm) -> int:
        name, x, shape = node.output, self._tensors[node.input], self._shape(node.output)
        one, axis = (*shape[:-1], 1), len(shape) - 1
        mean = self._mean(x, axis, f"{name}.mean", one)
        centred = self._op("SUB", [x, mean], f"{name}.centred", shape)
        squares = self._op("MUL", [centred, centred], f"{name}.squares", shape)
        epsilon = self._constant(f"{name}.epsilon", np.array(node.epsilon, np.float32))
        variance = self._op("ADD", [self._mean(squares, axis, f"{name}.variance", one), epsilon], f"{name}.safe", one)
        inverse = self._op("RSQRT", [variance], f"{name}.inverse", one)
        plain = self._op("MUL", [centred, inverse], f"{name}.plain", shape)
        scaled = self._op("MUL", [plain, self._constant(f"{name}.scale", node.scale)], f"{name}.scaled", shape)
        return self._op("ADD", [scaled, self._constant(f"{name}.offset", node.offset)], name, shape)

    def _linear(self, node: Linear) -> int:
        codes, scale = weight_codes(node, self._weights[node.name])
        params = self._file.quantization(np.broadcast_to(scale, len(codes)), 0)
        weight = self._file.tensor(f"{node.name}.weight", codes.shape, "INT8", params=params, data=codes)
        inputs = [self._tensors[node.input], weight, self._constant(f"{node.name}.bias", node.bias)]
        return self._op(
            "FULLY_CONNECTED", inputs, node.output, self._shape(node.output),
            asymmetricQuantizeInputs=True, keepNumDims=True, fusedActivationFunction=FUSED[node.activation],
        )  # fmt: skip

    def _attention(self, node: Attention) -> int:
        """Add softmax(q k^T) v for all heads, the scale on q, where it has the fewest numbers to meet."""
        name, tokens = node.output, self._network.shapes[node.key][0]
        scale = self._constant(f"{name}.scale", np.array(node.scale, np.float32))
        small = self._op("MUL", [self._tensors[node.query], scale], f"{name}.query", self._shape(node.query))
        query = self._heads(small, node.query, node.heads, name)
        key, value = (self._heads(self._tensors[part], part, node.heads, name) for part in (node.key, node.value))
        rows, channels = self._network.shapes[node.query]
        scores_shape = (self._batch, node.heads, rows, tokens)
        scores = self._op("BATCH_MATMUL", [query, key], f"{name}.scores", scores_shape, adjY=True)
        shares = self._op("SOFTMAX", [scores], f"{name}.shares", scores_shape, beta=1.0)
        shape = (self._batch, node.heads, rows, channels // node.heads)
        mixed = self._op("BATCH_MATMUL", [shares, value], f"{name}.mixed", shape)
        order = self._ints(f"{name}.order", 0, 2, 1, 3)
        back = self._op("TRANSPOSE", [mixed, order], f"{name}.back", (shape[0], shape[2], shape[1], shape[3]))
        return self._reshaped(back, name, self._shape(node.output))

    def _heads(self, source: int, tensor: str, heads: int, name: str) -> int:
        """Return (batch, tokens, channels) as (batch, heads, tokens, channels / heads)."""
        tokens, channels = self._network.shapes[tensor]
        width = channels // heads
        cut = self._reshaped(source, f"{name}.{tensor}.cut", (self._batch, tokens, heads, width))
        order = self._ints(f"{name}.{tensor}.order", 0, 2, 1, 3)
        return self._op("TRANSPOSE", [cut, order], f"{name}.{tensor}.heads", (self._batch, heads, tokens, width))

    def _reshaped(self, source: int, output: str, shape: tuple[int, ...]) -> int:
        return self._op("RESHAPE", [source, self._ints(f"{output}.shape", *shape)], output, shape, newShape=list(shape))
