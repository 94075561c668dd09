"""The step of a node that is not typed: a look-up of ids, or a call of another library."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qbench.engine.plans.forms import Form, is_image
from qbench.engine.plans.kept import Kept, Make
from qbench.engine.steps import tokens
from qbench.engine.steps.foreign import Port, foreign_step
from qbench.errors import QBenchError
from qbench.graph.network import Foreign

if TYPE_CHECKING:
    from qbench.graph.embedding import Embedding


def place_foreign(node: Foreign, kept: Kept, failures: list[QBenchError]) -> int:
    """Put the step of a Foreign behind the others.

    Args:
        node: the node.
        kept: the forms of the network's tensors.
        failures: where it leaves what goes wrong during a run.

    Returns:
        Where it looks ids up: the number of words that they must be below; else 0.
    """
    network = kept.ready.network
    reads = [_port(tensor, kept.need(tensor, _form(tensor, kept)), kept) for tensor in node.inputs]
    ids = node.inputs == network.inputs and len(network.input_shape) == 1
    found = _embedding(node) if ids else None
    writes = [_port(tensor, kept.write(tensor, _form(tensor, kept)), kept) for tensor in node.outputs]
    given, made = (tuple(port.buffer for port in side) for side in (reads, writes))
    make: Make
    if found is not None and len(found.places) in (1, *network.input_shape):
        make = partial(tokens.embedding_step, node.name, (given[0], made[0]), found, kind=reads[0].kind)
        kept.add(given, made, make)
        return len(found.table)
    make = partial(
        foreign_step, node, (reads, writes), operations=kept.ready.operations.get(node.name, 0), failures=failures,
        fixed=kept.is_single or network.batch is not None,
    )  # fmt: skip
    kept.add(given, made, make)
    return 0


def _form(tensor: str, kept: Kept) -> Form:
    """Return the form in which another library reads or writes a tensor."""
    ready = kept.ready
    as_it_is = tensor not in ready.grids or is_image(ready.network, tensor, ready.grids)
    return "plain" if as_it_is else "reals"


def _port(tensor: str, buffer: str, kept: Kept) -> Port:
    network = kept.ready.network
    kind, has_batch = network.dtypes.get(tensor, "float32"), tensor not in network.unbatched
    return Port(buffer, network.shapes[tensor], kind, has_batch)


def _embedding(node: Foreign) -> Embedding | None:
    from qbench.graph.embedding import embedding_of  # brings onnx, as every Foreign does

    return embedding_of(node)
