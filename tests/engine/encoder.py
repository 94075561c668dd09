"""A transformer encoder of two layers with seeded weights, as ONNX: ids int64 (batch, 16) to logits (batch, 5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.graph import Network, read_onnx
from qbench.graph.writing.builder import Builder

WORDS, TOKENS, CHANNELS, HEADS, WIDE, LAYERS, CLASSES = 50, 16, 32, 2, 64, 2, 5
EPSILON = 1e-6


def encoder(folder: Path) -> Network:
    """Write the encoder into `folder` and return what the reader makes of it."""
    path = folder / "encoder.onnx"
    path.write_bytes(_Encoder().run())
    return read_onnx(path)


def ids(count: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return token ids (count, 16)."""
    return np.random.default_rng(seed).integers(0, WORDS, (count, TOKENS))


class _Encoder:
    def __init__(self) -> None:
        self._builder, self._rng = Builder("encoder"), np.random.default_rng(7)
        self._count = 0

    def run(self) -> bytes:
        table, places = self._random("table", (WORDS, CHANNELS)), self._random("places", (1, TOKENS, CHANNELS))
        x = self._op("Add", [self._op("Gather", [table, "ids"]), places])
        x = self._norm(x)
        for _ in range(LAYERS):
            x = self._norm(self._op("Add", [self._linear(self._attention(x), CHANNELS, CHANNELS), x]))
            wide = self._gelu(self._linear(x, CHANNELS, WIDE))
            x = self._norm(self._op("Add", [self._linear(wide, WIDE, CHANNELS), x]))
        mean = self._op("ReduceMean", [x], axes=(1,), keepdims=0)
        weight = self._random("head", (CLASSES, CHANNELS))
        bias = self._builder.constant("head.bias", np.zeros(CLASSES, np.float32))
        self._builder.op("Gemm", [mean, weight, bias], "logits", name="head", transB=1)
        return self._builder.to_bytes(
            inputs={"ids": (TOKENS,)}, outputs={"logits": (CLASSES,)}, metadata={}, dtypes={"ids": "int64"}
        )

    def _gelu(self, x: str) -> str:
        one, half, root = (self._builder.constant(f"n{v}", np.asarray(v, np.float32)) for v in (1.0, 0.5, 2.0**0.5))
        share = self._op("Add", [self._op("Erf", [self._op("Div", [x, root])]), one])
        return self._op("Mul", [self._op("Mul", [x, share]), half])

    def _attention(self, x: str) -> str:
        q, k, v = (self._heads(x, order) for order in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)))
        root = self._builder.constant("root", np.asarray((CHANNELS / HEADS) ** 0.5, np.float32))
        shares = self._op("Softmax", [self._op("Div", [self._op("MatMul", [q, k]), root])], axis=-1)
        rows = self._op("Transpose", [self._op("MatMul", [shares, v])], perm=(0, 2, 1, 3))
        return self._op("Reshape", [rows, self._builder.constant("whole", np.array([0, TOKENS, CHANNELS]))])

    def _heads(self, x: str, order: tuple[int, ...]) -> str:
        shape = self._builder.constant("heads", np.array([0, TOKENS, HEADS, CHANNELS // HEADS]))
        return self._op("Transpose", [self._op("Reshape", [self._linear(x, CHANNELS, CHANNELS), shape])], perm=order)

    def _linear(self, x: str, inputs: int, outputs: int) -> str:
        weight = self._random("weight", (inputs, outputs), spread=inputs**-0.5)
        return self._op("Add", [self._op("MatMul", [x, weight]), self._random("bias", (outputs,), spread=0.1)])

    def _norm(self, x: str) -> str:
        scale, offset = self._random("scale", (CHANNELS,), middle=1.0), self._random("offset", (CHANNELS,))
        return self._op("LayerNormalization", [x, scale, offset], axis=-1, epsilon=EPSILON)

    def _random(self, name: str, shape: tuple[int, ...], *, middle: float = 0.0, spread: float = 0.3) -> str:
        self._count += 1
        numbers = middle + spread * self._rng.standard_normal(shape)
        return self._builder.constant(f"{name}.{self._count}", numbers.astype(np.float32))

    def _op(self, op: str, inputs: list[str], **attributes: int | float | tuple[int, ...]) -> str:
        self._count += 1
        return self._builder.op(op, inputs, f"t{self._count}", name=f"{op}.{self._count}", **attributes)
