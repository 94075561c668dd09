"""Times of the steps of a network, one after the other on one thread, and what each step is."""

from __future__ import annotations

import statistics

from qbench.core.several import Inputs, arrays_of
from qbench.engine import Session
from qbench.engine.steps.foreign import LIBRARIES
from qbench.results.kept.quantized import Role, StepTime
from qbench.runner.timing.clock import Clock

_PASSES = 30


def step_times(session: Session, inputs: Inputs, *, clock: Clock) -> tuple[tuple[StepTime, ...], float]:
    """Return every step with its median time over 30 passes, in the order of running, and that of a whole call.

    The call has as many images as the steps that take the most.

    Args:
        session: on one thread, so that what a call takes beyond its steps is no waiting for threads.
        inputs: the first of them are run, as many as a step takes at a time.
        clock: the clock.
    """
    layers = {layer.name for layer in session.network.layers}
    nodes = {node.name for node in session.network.nodes}
    loads = session.plan.loads
    sizes = {name: layout.size_bytes // layout.images for name, layout in session.plan.layouts.items()}
    steps = {step.name: step for step in (*loads, *session.plan.steps)}
    found = []
    for row in session.profile(inputs, timer=clock.now_s, repeats=_PASSES):
        step = steps[str(row["name"])]
        moved = sum(sizes.get(tensor, 0) for tensor in (*step.reads, *step.written))
        given = arrays_of(inputs)[loads.index(step)][0].nbytes * int(row["images"]) if step in loads else 0
        role: Role = "product" if step.name in layers else "other" if step.name in nodes else "conversion"
        found.append(
            StepTime(
                name=step.name,
                kernel=step.kind,
                role=role,
                integer=step.in_integers,
                operations=int(row["operations"]),
                images=int(row["images"]),
                median_s=float(row["median_s"]),
                moved_bytes=moved * int(row["images"]) + given + step.resident_bytes,
            )
        )
    images = arrays_of(inputs[: max(step.images for step in found)])
    calls = [clock.elapsed_s(lambda: session.run(*images), 1) for _ in range(_PASSES)]
    return tuple(found), statistics.median(calls)


def float_reasons(session: Session, *, weights: set[str], activations: set[str]) -> dict[str, str]:
    """Return why a layer, or an operator that another library runs, is not in integers, by name; nothing for others.

    Args:
        session: the network as it runs.
        weights: layers whose weights are quantized.
        activations: tensors that are quantized.
    """
    integer = {step.name for step in session.plan.steps if step.in_integers}
    handed = {step.name for step in session.plan.steps if step.kind.endswith(LIBRARIES)}
    found = {node.name: "; ".join(node.reasons) for node in session.network.foreign if node.name in handed}
    for layer in session.network.layers:
        if layer.name in integer:
            continue
        if layer.name not in weights:
            found[layer.name] = "its weights stay in float32"
        elif session.network.unflattened(layer.input) not in activations:
            found[layer.name] = "its input stays in float32"
        else:
            found[layer.name] = (
                session.reasons.get(layer.name) or session.execution_reason or "the network runs in float32"
            )
    return found
