"""Why a network is slower than in float32: where its own time goes, in one sentence beside the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qbench.core.several import Inputs
from qbench.core.trial import Measurement
from qbench.engine import Session
from qbench.metrics.speed import paired_ratio
from qbench.results.columns import batch_of
from qbench.runner.timing.clock import Clock

_REFERENCE = "-fp32"
_SHOWN = 3
_PASSES = 20


def why_slower(session: Session, inputs: Inputs, measurements: Sequence[Measurement], *, clock: Clock) -> Iterator[str]:
    """Yield a sentence for each batch size at which a float32 library was faster beyond doubt, at most one.

    Args:
        session: the network as it was timed.
        inputs: samples, at least as many as a pass takes.
        measurements: of the network and of the libraries that took turns with it.
        clock: the clock.
    """
    for group in dict.fromkeys(cell.group for cell in measurements):
        cells = {cell.cell: cell for cell in measurements if cell.group == group}
        batch, own = batch_of(group), cells.get("qbench")
        if batch is None or own is None:
            continue
        faster = [
            name
            for name, cell in cells.items()
            if name.endswith(_REFERENCE) and paired_ratio(cell.samples_s, own.samples_s).high < 1.0
        ]
        if faster:
            yield f"slower than {faster[0]} at batch {batch}: {_where(session, inputs, batch, own.median_s, clock)}"


def _where(session: Session, inputs: Inputs, batch: int, call_s: float, clock: Clock) -> str:
    """Return what a call takes, what its steps take one after the other, and which of them take the most."""
    rows = session.profile(inputs[: min(batch, session.plan.images)], timer=clock.now_s, repeats=_PASSES)
    spent: dict[str, float] = {}
    for row in rows:
        each_s = float(row["median_s"]) / int(row["images"]) * batch
        spent[str(row["kind"])] = spent.get(str(row["kind"]), 0.0) + each_s
    whole_s = sum(spent.values())
    most = sorted(spent, key=lambda kind: -spent[kind])[:_SHOWN]
    named = ", ".join(f"{kind} {100 * spent[kind] / whole_s:.0f} %" for kind in most)
    return f"a call takes {1e6 * call_s:,.0f} us, its steps {1e6 * whole_s:,.0f} us one after the other ({named})"
