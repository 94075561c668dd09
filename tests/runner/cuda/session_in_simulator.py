"""Runs a small network in Numba's simulator and on the CPU, and prints both logits as JSON; see test_session.py."""

from __future__ import annotations

import json
import sys

import numpy as np

from qbench.core.spec import parse_spec
from qbench.engine import FloatSession, build_session
from qbench.engine.device.session import DeviceSession
from qbench.graph import QuantizedNetwork, depth_weights
from qbench.graph.network import Clamp, Conv, Flatten, Linear, Network, Pool
from qbench.kernels.cuda.choose.choice import Job, Tiles, Words
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.machines.simulator import Simulator
from qbench.methods import METHODS, method_spec, stats_of

CHOICES = (Tiles(TileShape(1, 2, 1, 2, 64, 2)), Tiles(TileShape(1, 2, 1, 2, 128, 2)), Words("plain", side=4))
RELU = Clamp(0.0, float("inf"))


def network() -> Network:
    rng = np.random.default_rng(5)

    def weight(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def bias(size: int) -> np.ndarray:
        return (0.1 * rng.standard_normal(size)).astype(np.float32)

    pads = (1, 1, 1, 1)
    nodes = (
        Conv("stem", "x", "stem", weight(16, 3, 3, 3), bias(16), (1, 1), pads, activation=RELU),
        Pool("pool", "max", "stem", "pool", (3, 3), (2, 2), pads),
        Conv("a", "pool", "a", weight(16, 16, 3, 3), bias(16), (1, 1), pads, activation=RELU),
        Conv("b", "a", "b", weight(16, 16, 1, 1), bias(16), activation=RELU, residual="pool"),
        Pool("mean", "global_average", "b", "mean", (3, 3)),
        Flatten("flat", "mean", "flat"),
        Linear("out", "flat", "out", weight(10, 16), bias(10)),
    )
    maps = {"x": (3, 6, 6), "stem": (16, 6, 6), "pool": (16, 3, 3), "a": (16, 3, 3), "b": (16, 3, 3)}
    shapes = {**maps, "mean": (16, 1, 1), "flat": (16,), "out": (10,)}
    return Network("small", "x", (3, 6, 6), "out", nodes, shapes, {}, "")


def main(token: str, method_name: str) -> None:
    machine, net = Simulator(), network()
    images = np.random.default_rng(1).standard_normal((2, *net.input_shape)).astype(np.float32)
    seen = FloatSession(net, threads=1).observe(images)
    method = METHODS.load(method_name)
    spec = method_spec(method, parse_spec(token))
    weights = {layer.name: method.quantize_weights(depth_weights(layer), spec.weights) for layer in net.layers}
    stats = {name: stats_of(parts) for name, parts in seen.items() if ":" not in name}
    activations = {name: method.activation_params(found, spec.activations) for name, found in stats.items()}

    def pick(task: object, codes: object, params: object, job: Job) -> Tiles | Words:
        return next(choice for choice in CHOICES if choice.reason_against(job, 90) is None)

    session = DeviceSession(machine, QuantizedNetwork(net, weights, activations), images=len(images), pick=pick)
    on_cpu = build_session(QuantizedNetwork(net, weights, activations), variant="portable", threads=1)
    assert on_cpu.execution == "integer", on_cpu.execution_reason
    found = {"device": session.run(images).tolist(), "cpu": on_cpu.run(images).tolist(), "kernels": session.kernels}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
