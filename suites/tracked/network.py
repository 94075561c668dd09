"""The whole network: how fast beside fp32 of another library in the same rounds."""

from __future__ import annotations

from functools import partial

import numpy as np

from qbench.metrics import speed
from qbench.runner.networks.score import all_logits
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import batch_of, network_operations, ready_peers
from qbench.runner.timing.sampling import Cell, interleave

from .bench import RULES, THREADS, alone, sessions, workbench

REFERENCE = "onnxruntime-fp32"
BATCHES = (1, 256)

Values = dict[str, float]


def setup_cache() -> Values:
    """Return every tracked number of this module, e.g. `images_per_s w8c-a8t 256`."""
    bench, found = workbench(), {}
    ready = sessions(bench)
    peers, notes = ready_peers(bench, [REFERENCE], batches=BATCHES)
    assert not notes, notes
    scored = {spec: all_logits(session, bench.inputs) for spec, session in ready.items()}
    for batch in BATCHES:
        inputs = batch_of(bench.inputs, batch)
        operations = batch * network_operations(bench.network)
        cells = [Cell(REFERENCE, peers[batch][REFERENCE], batch, operations, THREADS)]
        for spec, session in ready.items():
            np.testing.assert_allclose(session.run(inputs), batch_of(scored[spec], batch), rtol=1e-3, atol=1e-3)
            cells.append(Cell(spec, partial(session.run, inputs), batch, operations, THREADS))
        with alone() as quiet:
            reference, *own = interleave(f"network/batch{batch}", cells, RULES, clock=Clock(), quiet=quiet)
        for measurement in own:
            found[f"images_per_s {measurement.cell} {batch}"] = batch / measurement.median_s
            ratio = speed.paired_ratio(reference.samples_s, measurement.samples_s).ratio
            found[f"speedup {measurement.cell} {batch}"] = ratio
    return found


setup_cache.timeout = 600  # type: ignore[attr-defined]


class Throughput:
    """ResNet-20 by its integer kernels, all specs and onnxruntime in fp32 in turns."""

    params = (["w8c-a8t", "w4c-a8t", "wtc-a8t", "wbc-abt"], [1, 256])
    param_names = ("spec", "batch")
    version = "1"

    def track_images_per_s(self, values: Values, spec: str, batch: int) -> float:
        return values[f"images_per_s {spec} {batch}"]

    def track_speedup_over_fp32(self, values: Values, spec: str, batch: int) -> float:
        return values[f"speedup {spec} {batch}"]

    track_images_per_s.unit = "images/s"  # type: ignore[attr-defined]
    track_speedup_over_fp32.unit = "x"  # type: ignore[attr-defined]
