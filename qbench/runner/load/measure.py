"""Latencies, scenarios, memory and energy of a row's own party and of the libraries beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from qbench.core.tensor import Floats
from qbench.errors import MachineError, QBenchError
from qbench.graph import QuantizedNetwork
from qbench.results.left_out import NOT_TIMED
from qbench.runner.load import scenarios
from qbench.runner.load.energy import energy, idle_w
from qbench.runner.load.fresh import first_startup_s, fresh, packed
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.machine.sensors import Sensor, rapl
from qbench.runner.networks.bench import Bench, peer
from qbench.runner.networks.row import Row
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import SIMULATED, check_peer, check_scored, network_operations, ready_peers
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Cell, Rules
from qbench.suite import Planned

LOADS = ("latency", "scenario", "memory", "energy")
"""Measures that are made here."""
Call = Callable[[], object]
CallOf = Callable[[int], Call]
"""Samples of a call -> a call whose answer was found right."""


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """The party that a row is about.

    Args:
        name: `qbench`, or the name of a peer.
        call: its calls.
        network: what it runs.
        answer: to the first sample, (1, m).
        arena_bytes: buffers of its activations, None where that is unknown.
    """

    name: str
    call: CallOf
    network: QuantizedNetwork
    answer: Floats
    arena_bytes: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What a row's load is measured with.

    Args:
        bench: network, samples and libraries.
        own: the row's own party.
        references: names of the libraries beside it.
        rules: of times and of load.
        clock: the clock.
        variant: of qbench's kernels.
    """

    bench: Bench
    own: Own
    references: Sequence[str]
    rules: Rules
    clock: Clock
    variant: str = "auto"

    @property
    def _others(self) -> tuple[str, ...]:
        """The libraries that are no simulation: nobody serves with one."""
        return tuple(name for name in self.references if peer(name).precision != SIMULATED)

    def measure(self, planned: Planned, row: Row, phases: Phases) -> None:
        """Fill in what the trial's sweep wants of latencies, scenarios, memory and energy."""
        wanted, batches = {*LOADS} & {*planned.measure}, planned.trial.batch_sizes
        if not wanted:
            return
        if "memory" in wanted:
            with phases("memory"):
                self._memory(row, batches)
        if wanted == {"memory"}:
            return
        with phases("load"):
            sizes = {*batches, *((1, scenarios.MULTI_SAMPLES) if "scenario" in wanted else ())}
            peers, notes = ready_peers(self.bench, self._others, batches=sorted(sizes))
        row.notes += [note for note in notes if note not in row.notes]
        with phases("time"), quiet_cores(self.bench.threads) as quiet:
            asked = scenarios.Bench(
                cache(lambda batch: self._cells(batch, peers[batch])), self.rules, self.clock, quiet
            )
            if "latency" in wanted:
                row.measurements += scenarios.latencies(asked, batches)
            if "scenario" in wanted:
                self._scenarios(asked, row, max(batches))
            if "energy" in wanted:
                self._energy(asked, row, batches)

    def _cells(self, batch: int, peers: Mapping[str, Call]) -> list[Cell]:
        operations, threads = batch * network_operations(self.bench.network), self.bench.threads
        calls = {self.own.name: self.own.call(batch), **peers}
        return [Cell(name, call, batch, operations, threads) for name, call in calls.items()]

    def _scenarios(self, asked: scenarios.Bench, row: Row, offline_batch: int) -> None:
        measured, servers = scenarios.scenarios(asked, offline_batch)
        row.measurements += measured
        for name, found in servers.items():
            row.observe(name, server_per_s=found.rate_hz, server_over_per_s=found.over_hz)
            if found.rate_hz is None:
                row.notes.append(f"{name}: server: query_seconds of {self.rules.load.seconds:g} are too few for a p99")

    def _energy(self, asked: scenarios.Bench, row: Row, batches: Sequence[int]) -> None:
        try:
            sensor: Sensor = rapl()
        except MachineError as error:
            row.notes.append(f"energy: {error}")
            row.observe(self.own.name, idle_w=None, **{f"energy_j_b{batch}": None for batch in batches})
            return
        cells = [(batch, asked.cells(batch)) for batch in batches]
        observe_energy(row, sensor, cells, self.rules, quiet=asked.quiet, clock=self.clock)

    def _memory(self, row: Row, batches: Sequence[int]) -> None:
        own = self.own
        row.observe(own.name, arena_bytes=own.arena_bytes)
        for name, network in [(own.name, own.network), *self._handed()]:
            try:
                self._fresh(row, name, network, batches)
            except QBenchError as error:
                if name == own.name:
                    raise
                row.notes.append(f"{NOT_TIMED}memory of {name}: {error}")

    def _handed(self) -> Iterator[tuple[str, QuantizedNetwork]]:
        """Yield the libraries that are here, and what each runs."""
        for name in self._others:
            if peer(name).missing() is None:
                yield name, self.bench.reference_network(peer(name).precision)

    def _fresh(self, row: Row, name: str, network: QuantizedNetwork, batches: Sequence[int]) -> None:
        """Observe a fresh process of a party; raise QBenchError where it answers otherwise than here."""
        party = "" if name == "qbench" else name
        with packed(
            network, self.bench.inputs, party=party, threads=self.bench.threads, variant=self.variant, most=max(batches)
        ) as one:
            found = fresh(one, batches, clock=self.clock)
            if name == self.own.name:
                check_scored(f"{name}: fresh process", found.answer, self.own.answer, each=False)
            else:
                check_peer(name, found.answer, self.bench.expected_of(name, 1))
            row.observe(name, startup_s=found.startup_s, **{f"peak_bytes_b{b}": p for b, p in found.peaks.items()})
            if not party and self.rules.load.cold:
                row.observe(name, first_startup_s=first_startup_s(one, clock=self.clock))


def observe_energy(
    row: Row, sensor: Sensor, cells: Sequence[tuple[int, Sequence[Cell]]], rules: Rules, *, quiet: Call,
    clock: Clock,
) -> None:  # fmt: skip
    """Observe the energy of a sample for every batch size and party, beyond that of the idle machine."""
    quiet()
    seconds, idle = rules.load.energy_s, idle_w(sensor, rules.load.energy_s, clock=clock)
    row.notes.append(f"energy: {sensor.name}, {idle:.1f} W idle")
    for batch, parties in cells:
        for cell in parties:
            quiet()
            found = energy(cell.call, batch, sensor, seconds, idle=idle, clock=clock)
            row.observe(
                cell.name, idle_w=idle, **{f"energy_j_b{batch}": found.sample_j, f"power_w_b{batch}": found.power_w}
            )
