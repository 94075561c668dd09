"""Time of single layers, as they run inside the network, in turns with the same layer in fp32 by onnxruntime.

qbench's cell runs a layer's own step in the micro-batches and on the threads that the session gives it; onnxruntime's
is a model of that one layer, called with the whole batch. Both are what the layer costs inside its network.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import ExitStack

import numpy as np

from qbench.core.several import only
from qbench.core.tensor import Floats
from qbench.core.trial import Measurement
from qbench.engine import Session
from qbench.engine.plans.plan import Step, workspaces
from qbench.engine.session import shares_of
from qbench.engine.team import Job, Team
from qbench.errors import QBenchError
from qbench.graph import Conv, Layer, Network, QuantizedNetwork, layer_alone
from qbench.kernels.conv.reference import Window, conv_f32
from qbench.kernels.program import NO_POINTERS, program_of
from qbench.metrics.tensor import sqnr_db
from qbench.results.left_out import NOT_TIMED
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.bench import INDEPENDENT, Bench, peer
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Cell, Rules, interleave

_LEAST_SQNR_DB = 60.0
_CALL_S = 0.005
_MOST_TURNS = 100


def measure_layers(
    bench: Bench, session: Session, *, batch: int, rules: Rules, clock: Clock
) -> tuple[list[Measurement], list[str]]:
    """Return the times of every distinct layer, in groups `layer/<name>/batch<N>` named by the first of its kind.

    With them come remarks on the layers that onnxruntime cannot run, or answers wrongly: there qbench is timed alone.
    """
    found: list[Measurement] = []
    notes: list[str] = []
    with ExitStack() as stack:
        team = LayerTeam(session, only(bench.inputs[:1], "layers alone"), stack)
        for layer in distinct_layers(bench.network, session):
            operations = batch * bench.network.operations(layer.name)
            call, turns = team.call(layer.name, batch, clock=clock)
            cells = [Cell("qbench", call, batch, operations, bench.threads, turns)]
            try:
                cells.append(Cell(INDEPENDENT, _reference(bench, layer, batch), batch, operations, bench.threads))
            except QBenchError as error:
                notes.append(f"{NOT_TIMED}{error}")
            with quiet_cores(bench.threads) as quiet:
                found += interleave(f"layer/{layer.name}/batch{batch}", cells, rules, clock=clock, quiet=quiet)
    return found, notes


def distinct_layers(network: Network, session: Session) -> list[Layer]:
    """Return the first layer of each kind: same kernel, same shapes, same geometry."""
    first: dict[Hashable, Layer] = {}
    for layer in network.layers:
        kind: tuple[Hashable, ...] = (session.kernels[layer.name], layer.weight.shape, network.shapes[layer.input])
        if isinstance(layer, Conv):
            kind += (layer.strides, layer.pads, layer.dilations, layer.groups, layer.residual is None)
        first.setdefault(kind, layer)
    return list(first.values())


class LayerTeam:
    """Threads with a workspace each, as the session itself has them."""

    def __init__(self, session: Session, images: Floats, stack: ExitStack) -> None:
        self._plan, self._threads = session.plan, session.threads
        self._nodes = {node.name for node in session.network.nodes}
        self._spaces = workspaces(session.plan, session.threads)
        self._team = Team(session.threads)
        stack.callback(self._team.close)
        full = np.repeat(np.ascontiguousarray(images), session.plan.images, axis=0)
        for space in self._spaces:
            made = [np.empty((len(full), *output.shape), output.kind) for output in self._plan.outputs]
            self._team.apart([Job(space.program, space.pointers([full], made), 0, len(full), len(full))])

    def call(self, layer: str, batch: int, *, clock: Clock) -> tuple[Callable[[], None], int]:
        """Return a call that runs one layer, with the packing that it alone needs, and how many batches a call does.

        Inside the network threads meet once a pass, not once a layer: a short layer is run so often in a call that
        that meeting is a small part of it.
        """
        once = self._call(layer, batch, turns=1)
        once()
        turns = max(1, min(_MOST_TURNS, round(_CALL_S / max(clock.elapsed_s(once, 1), 1e-6))))
        return self._call(layer, batch, turns=turns), turns

    def _call(self, layer: str, batch: int, *, turns: int) -> Callable[[], None]:
        tasks = [len(self._plan.loads) + index for index in self._steps(layer)]
        programs = [np.tile(program_of([space.tasks[i] for i in tasks]), (turns, 1)) for space in self._spaces]
        shares, most = shares_of(batch, self._threads), self._plan.sizes[tasks[-1] - len(self._plan.loads)]
        jobs = [
            Job(program, NO_POINTERS, 0, last - first, most)
            for program, (first, last) in zip(programs, shares or [(0, batch)], strict=False)
        ]
        if shares is None:
            return lambda: self._team.together(jobs[0])
        return lambda: self._team.apart(jobs)

    def _steps(self, layer: str) -> list[int]:
        """Return the indices of the layer's step and of the steps before it that are no node but feed it."""
        steps = self._plan.steps
        own = next(step for step in steps if step.name == layer)
        return [index for index, step in enumerate(steps) if step is own or self._feeds(step, own)]

    def _feeds(self, step: Step, own: Step) -> bool:
        return step.name not in self._nodes and step.writes in own.reads and step.writes not in step.reads


def _reference(bench: Bench, layer: Layer, batch: int) -> Callable[[], object]:
    """Return a call of the one-layer fp32 model on made-up numbers; raise QBenchError when its answer is wrong."""
    alone = QuantizedNetwork(layer_alone(bench.network, layer.name))
    prepared = peer(INDEPENDENT).prepare(alone, threads=bench.threads)
    shape = (batch, *bench.network.shapes[layer.input])
    inputs = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    expected = expected_output(layer, inputs[:1])
    if expected is not None and sqnr_db(expected, prepared.run(inputs[:1])) < _LEAST_SQNR_DB:
        raise QBenchError(f"{INDEPENDENT}: wrong output for layer '{layer.name}'")
    return prepared.bind(inputs)


def expected_output(layer: Layer, inputs: Floats) -> Floats | None:
    """Return a layer's fp32 output (n, c, h, w) or (n, k) by the NumPy reference; None for grouped convolutions."""
    if not isinstance(layer, Conv):
        out = inputs @ layer.weight.T + layer.bias
    elif layer.groups == 1:
        kernel = (layer.weight.shape[2], layer.weight.shape[3])
        window = Window(kernel, layer.strides, layer.pads, layer.dilations)
        nhwc = conv_f32(inputs.transpose(0, 2, 3, 1), layer.weight.transpose(0, 2, 3, 1), window) + layer.bias
        out = nhwc.transpose(0, 3, 1, 2)
    else:
        return None
    clamp = layer.activation
    return out if clamp is None else np.clip(out, np.float32(clamp.low), np.float32(clamp.high))
