"""Networks that no plan covers: linear layers in integers, everything between them in float through onnxruntime.

Transformers above all: their products over tokens are nearly all of their operations. Nodes run one after the other on
arrays; every linear layer quantizes its input a tensor, multiplies codes, and gives float32.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams, QTensor
from qbench.core.trial import Execution
from qbench.engine.container import Container, container_of
from qbench.engine.foreign import ForeignRunner
from qbench.engine.lowering.layers import lower
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.lowering.products import counts_bits
from qbench.errors import DataError
from qbench.graph import Linear, QuantizedNetwork, inputs_of, outputs_of
from qbench.graph.outsource import outsource
from qbench.kernels.conv.job import Job
from qbench.kernels.conv.operation import bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.reference import Window
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.product import F32_F32
from qbench.kernels.program import run_task
from qbench.kernels.variants import choose

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Tap = Callable[[str, Floats], None]
ROWS = 512
"""Most rows of a product a call and thread; a multiple of every tile's."""


class IntegerLinear:
    """A linear layer on codes: float32 rows in, float32 rows out.

    Raises:
        NotIntegerError: its input or its weights have no integer form here.
    """

    def __init__(self, layer: Linear, weights: QTensor, params: QParams, *, variant: str, threads: int) -> None:
        box = container_of(params)
        if box is None:
            raise NotIntegerError(f"activation '{layer.input}' has {type(params.spec.format).__name__} levels")
        lowered = lower(layer, weights, Ends(box, None), counts=counts_bits(variant))
        if lowered.product.is_words:
            raise NotIntegerError(f"layer '{layer.name}': {lowered.product} has no float32 result over tokens")
        channels, depth = layer.weight.shape
        lhs = Layout(ROWS, 1, 1, depth, lowered.product.pixel_words(depth), 1)
        out = Layout(ROWS, 1, 1, channels, F32_F32.pixel_words(channels), 4)
        job = Job(lowered.product, Epilogue("f32", lowered.words), variant, Window((1, 1)), lhs, out)
        bound = bind(job, pack_weights(lowered.weights, lowered.product, variant), lowered.params)
        self.kernel, self.resident_bytes = bound.name, bound.resident_bytes
        self._box, self._shape = box, (channels, depth)
        ends = [(aligned(lhs.size_bytes), aligned(out.size_bytes)) for _ in range(threads)]
        self._tasks = [bound.task(*pair) for pair in ends]
        self._codes = [first.reshape(ROWS, -1)[:, :depth] for first, _ in ends]
        self._reals = [second.view(np.float32).reshape(ROWS, -1)[:, :channels] for _, second in ends]

    def run(self, x: Floats, pool: ThreadPoolExecutor) -> Floats:
        """Return the layer's result for rows (..., depth), as float32 (..., channels)."""
        rows = np.ascontiguousarray(x, np.float32).reshape(-1, self._shape[1])
        out = np.empty((len(rows), self._shape[0]), np.float32)
        threads = len(self._tasks)
        share = -(-len(rows) // threads)
        jobs = [pool.submit(self._share, t, rows, out, t * share, (t + 1) * share) for t in range(1, threads)]
        self._share(0, rows, out, 0, share)
        for job in jobs:
            job.result()
        return out.reshape(*x.shape[:-1], self._shape[0])

    def _share(self, thread: int, rows: Floats, out: Floats, first: int, last: int) -> None:
        for start in range(first, min(last, len(rows)), ROWS):
            part = rows[start : min(start + ROWS, last, len(rows))]
            self._codes[thread][: len(part)] = _quantized(part, self._box)
            run_task(self._tasks[thread], images=len(part))
            out[start : start + len(part)] = self._reals[thread][: len(part)]


def _quantized(x: Floats, box: Container) -> npt.NDArray[np.uint8]:
    t = x * np.float32(box.inverse_scale) + np.float32(box.round_offset)
    return np.asarray(np.clip(np.floor(t) if box.floor else np.rint(t), 0, box.high), np.uint8)


class MixedSession:
    """A network of any nodes, ready to run on arrays with the batch first.

    Args:
        quantized: linear layers without codes, or whose input has no parameters, stay in float32.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.

    Attributes:
        execution: `integer` where every linear layer is, else `float32`.
        kernels: linear layer -> the kernel that runs it.
        operators: foreign operators and how often they occur, in the file's words.
    """

    def __init__(self, quantized: QuantizedNetwork, *, variant: str = "auto", threads: int = 2) -> None:
        network, weights, activations = quantized.network, quantized.weights, quantized.activations
        self.network, self.threads = network, threads
        chosen = choose(variant)
        self._layers = {
            layer.name: IntegerLinear(
                layer, weights[layer.name], activations[layer.input], variant=chosen, threads=threads
            )
            for layer in network.layers
            if isinstance(layer, Linear) and layer.name in weights and layer.input in activations
        }
        self._handed = outsource(network, keep=lambda node: isinstance(node, Linear))
        self._runners = {node.name: ForeignRunner(node, threads=threads) for node in self._handed.foreign}
        self._pool = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="qbench")
        linear = [layer.name for layer in network.layers if isinstance(layer, Linear)]
        self.execution: Execution = "integer" if linear and set(linear) == self._layers.keys() else "float32"
        self.kernels = {name: layer.kernel for name, layer in self._layers.items()}
        self.operators = tuple(operator for node in self._handed.foreign for operator in node.operators)

    @property
    def integer_share(self) -> float:
        """Share of the layers' operations that run in integers, a free size counted as 1."""
        counts = {layer.name: self.network.operations(layer.name) for layer in self.network.layers}
        return sum(counts[name] for name in self._layers) / max(1, sum(counts.values()))

    @property
    def resident_bytes(self) -> int:
        """Bytes of the integer layers' weights and parameters in the kernels' layout."""
        return sum(layer.resident_bytes for layer in self._layers.values())

    def run(self, *inputs: Array, tap: Tap | None = None) -> tuple[Array, ...]:
        """Return the outputs, in the network's order, of inputs in its order.

        Args:
            inputs: arrays of the network's types, the batch first.
            tap: called with the input of every linear layer, for calibration.

        Raises:
            DataError: the arrays are not as many as the network's inputs.
            ModelError: a foreign operator fails on them.
        """
        if len(inputs) != len(self.network.inputs):
            names = ", ".join(self.network.inputs)
            raise DataError(f"network '{self.network.name}': expected {names}, got {len(inputs)} arrays")
        known: dict[str, Array] = dict(zip(self.network.inputs, inputs, strict=True))
        for node in self._handed.nodes:
            if isinstance(node, Linear):
                if tap is not None:
                    tap(node.input, known[node.input])
                known[node.output] = self._linear(node, known[node.input])
            else:
                made = self._runners[node.name].run([known[tensor] for tensor in inputs_of(node)])
                known.update(zip(outputs_of(node), made, strict=True))
        return tuple(known[tensor] for tensor in self.network.outputs)

    def _linear(self, node: Linear, x: Floats) -> Floats:
        if node.name in self._layers:
            return self._layers[node.name].run(x, self._pool)
        made = x @ node.weight.T + node.bias
        clamp = node.activation
        return np.asarray(made if clamp is None else np.clip(made, clamp.low, clamp.high), np.float32)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
