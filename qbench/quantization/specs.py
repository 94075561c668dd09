"""What each layer and each tensor of a network is to become: rules and tokens -> specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qbench.core.formats import Uniform
from qbench.core.rules import Kind, Rule, assign
from qbench.core.spec import LayerSpec, QuantSpec, parse_spec
from qbench.graph import Attention, Conv, Layer, Network, QuantizedNetwork, is_depthwise
from qbench.methods import METHODS, Method, method_spec
from qbench.peers.quantizers import QUANTIZERS
from qbench.quantization.stages import name_of


def layer_specs(
    network: Network, token: str, *, method: str, rules: Iterable[Rule] = (), only: str = "all"
) -> dict[str, LayerSpec]:
    """Return the spec of each layer that is quantized, attentions among them.

    Args:
        network: whose layers they are.
        token: what becomes of layers that no rule names.
        method: says what a width means to it.
        rules: for single layers, the first and the last one among them.
        only: `all`, or the name of the one layer that is quantized (no rule holds then).

    Raises:
        QBenchError: a rule matches no layer, or two contradict each other.
    """
    chosen = assign(layer_kinds(network), token, tuple(rules)) if only == "all" else {only: token}
    found = formats_of(method)
    return {layer: method_spec(found, parse_spec(text)) for layer, text in chosen.items()}


def assigned(
    network: Network, token: str, *, method: str, rules: Iterable[Rule] = (), only: str = "all"
) -> QuantizedNetwork:
    """Return the network in float32 with what its layers and tensors are to become; see `layer_specs`."""
    specs = layer_specs(network, token, method=method, rules=rules, only=only)
    return QuantizedNetwork(network, specs=specs, others=method_spec(formats_of(method), parse_spec(token)))


def formats_of(codes: str) -> Method:
    """Return the method that says what a width means where `codes` makes codes; to other tools it means equal steps.

    Args:
        codes: what stands in a recipe at the method's place.
    """
    found: Method = METHODS.part("minmax" if name_of(codes) in QUANTIZERS else codes)
    return found


def layer_kinds(network: Network) -> dict[str, Kind]:
    """Return the operator type of every layer and of every attention, in the network's order."""
    return {node.name: _kind(node) for node in network.nodes if isinstance(node, Layer | Attention)}


def _kind(layer: Layer | Attention) -> Kind:
    if isinstance(layer, Attention):
        return "attention"
    if not isinstance(layer, Conv):
        return "linear"
    return "depthwise" if is_depthwise(layer) else "conv"


def activation_specs(
    network: Network, specs: Mapping[str, LayerSpec], tensors: Iterable[str], *, default: QuantSpec
) -> dict[str, QuantSpec]:
    """Return the spec of each quantized tensor: that of the layer it enters, the widest where several read it.

    A tensor that is only added (the output of a projection shortcut) enters no layer: it takes `default`, unless single
    layers are quantized. One that an attention multiplies takes its spec if that has 8 bits: attention is integer then,
    else float32.
    """
    found: dict[str, QuantSpec] = {}
    whole = all(layer.name in specs for layer in network.layers)
    multiplied = _multiplied(network, specs)
    for tensor in tensors:
        entered = [layer.name for layer in network.layers if network.unflattened(layer.input) == tensor]
        asked = [specs[name].activations for name in entered if name in specs]
        if not asked and whole and tensor not in multiplied:
            asked = [default]
        asked = [spec for spec in (*asked, *multiplied.get(tensor, ())) if not spec.is_float]
        if asked:
            found[tensor] = max(asked, key=lambda spec: spec.format.bits)
    return found


def _multiplied(network: Network, specs: Mapping[str, LayerSpec]) -> dict[str, list[QuantSpec]]:
    """Return the tensors that attentions multiply, and for each the specs of those that do so in integers."""
    found: dict[str, list[QuantSpec]] = {}
    for node in network.nodes:
        if isinstance(node, Attention):
            spec = specs[node.name].activations if node.name in specs else None
            eight = spec is not None and isinstance(spec.format, Uniform) and spec.format.bits == _BITS
            for tensor in (node.query, node.key, node.value):
                found.setdefault(tensor, []).extend([spec] if spec is not None and eight else [])
    return found


_BITS = 8
"""Bits of activations with which attention runs in integers: softmax magnifies what fewer bits round."""
