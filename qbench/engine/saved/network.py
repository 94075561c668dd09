"""A quantized network in two files: `network.json` says what it is, `network.safetensors` holds its numbers.

Codes are packed at their width, scales, zero points, biases and what stayed in float are kept to the last bit, so that
a network that was read again gives the very logits of the one that was written. The JSON holds the size and hash of the
tensors' file and its own hash: a file that is damaged, cut short, of another network or of a newer version is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from qbench import __version__
from qbench.core.tensor import QParams, QTensor
from qbench.engine.saved.check import check_network
from qbench.engine.saved.codes import pack_codes
from qbench.engine.saved.values import Array, Arrays, ValueFormError, decode, encode
from qbench.engine.saved.weights import StoredCodes, StoredWeights, blank
from qbench.engine.session import Session, build_session
from qbench.errors import ModelError, QBenchError
from qbench.graph.network import Layer, Network
from qbench.graph.quantized_network import QuantizedNetwork

FORMAT, VERSION = "qbench network", 1
JSON_NAME, TENSORS_NAME = "network.json", "network.safetensors"
_OF_ODD_VALUES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError)
"""What constructors and checks raise of numbers and names that no network has."""
_EMPTY = np.zeros(0, np.float32)

Facts = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """A network as it was read: its codes stay at their width, and a session unfolds one layer's at a time.

    Args:
        quantized: its quantized layers hold zeros in place of float32 weights, since their codes say all.
        facts: how it was made: model, spec, method, calibration ...
        disk_bytes: bytes of both files.
    """

    quantized: QuantizedNetwork
    facts: Facts
    disk_bytes: int

    @cached_property
    def network(self) -> Network:
        """The graph with the float32 numbers that the codes stand for: four times the memory of 8-bit codes."""
        return self.quantized.dequantized()

    def session(self, *, threads: int = 2, variant: str = "auto") -> Session:
        """Return the network ready to run; see `build_session`."""
        return build_session(self.quantized, variant=variant, threads=threads)


def save_network(folder: Path, quantized: QuantizedNetwork, *, facts: Facts) -> int:
    """Write a quantized network into `folder` and return the bytes of its two files.

    Args:
        folder: made when it is missing; files of an earlier network in it are replaced.
        quantized: the network; layers without codes keep float32 weights.
        facts: how it was made, kept as they are.

    Raises:
        ModelError: the files cannot be written.
    """
    network, weights, activations = quantized.network, quantized.weights, quantized.activations
    arrays: Arrays = {}
    nodes = tuple(_without_codes(node, weights) for node in network.nodes)
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, "qbench": __version__, "facts": dict(facts)}
    document["network"] = encode(dataclasses.replace(network, nodes=()), arrays, key="network")
    document["nodes"] = [encode(node, arrays, key=node.name) for node in nodes]
    document["weights"] = {name: _encode_codes(name, codes, arrays) for name, codes in weights.items()}
    shapes = {layer.name: list(layer.weight.shape) for layer in network.layers if layer.name in weights}
    document["shapes"] = shapes
    document["activations"] = {
        name: encode(params, arrays, key=f"{name}:activation") for name, params in activations.items()
    }
    tensors = save_tensors(dict(sorted(arrays.items())))
    document["tensors"] = {"bytes": len(tensors), "sha256": hashlib.sha256(tensors).hexdigest()}
    document["sha256"] = _hash(document)
    text = (json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n").encode()
    _write(folder, {TENSORS_NAME: tensors, JSON_NAME: text})
    return len(tensors) + len(text)


def load_network(folder: str | Path) -> SavedNetwork:
    """Return the network that `save_network` wrote into `folder`.

    Raises:
        ModelError: one line: a file is missing, damaged, cut short, of a newer version, or of another network.
    """
    folder = Path(folder)
    text = _read(folder / JSON_NAME, folder)
    document = _checked(text, folder / JSON_NAME)
    tensors = _read(folder / TENSORS_NAME, folder)
    place = folder / TENSORS_NAME
    size, digest = document["tensors"]["bytes"], document["tensors"]["sha256"]
    if len(tensors) != size:
        raise ModelError(f"{place}: expected {size} bytes, as {JSON_NAME} says, got {len(tensors)}")
    if hashlib.sha256(tensors).hexdigest() != digest:
        raise ModelError(f"{place}: damaged, or of another network: its hash is not the one in {JSON_NAME}")
    try:
        arrays: dict[str, Array] = load_tensors(tensors)
        return _restored(document, arrays, disk_bytes=len(text) + len(tensors))
    except (SafetensorError, ValueFormError, QBenchError, *_OF_ODD_VALUES) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{folder}: expected a network as qbench saves it, got: {reason}") from error


def _restored(document: Mapping[str, Any], arrays: Mapping[str, Array], *, disk_bytes: int) -> SavedNetwork:
    stored = {name: _decode_codes(data, arrays) for name, data in document["weights"].items()}
    activations: dict[str, QParams] = {name: decode(data, arrays) for name, data in document["activations"].items()}
    nodes = []
    for data in document["nodes"]:
        node = decode(data, arrays)
        if isinstance(node, Layer) and node.name in stored:
            node = dataclasses.replace(node, weight=blank(tuple(document["shapes"][node.name])))
        nodes.append(node)
    for name, params in activations.items():
        if not isinstance(params, QParams):
            raise ValueFormError(f"parameters of '{name}', which are none")
    outline = dataclasses.replace(decode(document["network"], arrays), nodes=tuple(nodes))
    check_network(outline, stored, activations)
    quantized = QuantizedNetwork(outline, StoredWeights(stored), activations)
    return SavedNetwork(quantized, document["facts"], disk_bytes)


def _without_codes(node: Any, weights: Mapping[str, QTensor]) -> Any:
    """Return a layer without the float32 weights that its codes stand for; any other node as it is."""
    return dataclasses.replace(node, weight=_EMPTY) if node.name in weights else node


def _encode_codes(name: str, codes: QTensor, arrays: Arrays) -> Any:
    stream = encode(pack_codes(codes.codes, codes.spec.format), arrays, key=f"{name}.codes")
    return {"codes": stream, "shape": list(codes.codes.shape), "params": encode(codes.params, arrays, key=name)}


def _decode_codes(data: Mapping[str, Any], arrays: Mapping[str, Array]) -> StoredCodes:
    stream = decode(data["codes"], arrays)
    if stream.dtype != np.uint8:
        raise ValueFormError(f"{data['codes']}: expected bytes, got {stream.dtype}")
    return StoredCodes(stream, tuple(data["shape"]), decode(data["params"], arrays))


def _hash(document: Mapping[str, Any]) -> str:
    """Return the hash of all but the hash itself."""
    rest = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _checked(text: bytes, path: Path) -> dict[str, Any]:
    """Return the document of a whole, unchanged file of a version that is known."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{path}: damaged or cut short: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{path}: expected a network that qbench saved, got another file")
    version = document.get("version")
    if version != VERSION:
        raise ModelError(
            f"{path}: expected version {VERSION} of the format, got {version!r}, written by qbench "
            f"{document.get('qbench')!r}; this is qbench {__version__}"
        )
    try:
        same = _hash(document) == document.get("sha256")
    except ValueError:
        same = False
    if not same:
        raise ModelError(f"{path}: damaged or changed by hand: its contents do not have its hash")
    return document


def _read(path: Path, folder: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{folder}: expected a saved network, found no {path.name} in it") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror}") from error


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files beside their places, then put each in its place: a reader sees old or new ones, never a part."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / f".{name}.new").write_bytes(content)
        for name in contents:
            (folder / f".{name}.new").replace(folder / name)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the network: {error.strerror}") from error
