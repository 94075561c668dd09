"""Makes rows of networks on the CPU: the fp32 baseline first, then trial after trial on one bench."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbench.core.trial import Trial, TrialResult
from qbench.runner.job import Job
from qbench.runner.maker import CpuMaker, Tell
from qbench.runner.networks.baseline import check_declared, check_runtimes
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.trial import run_trial
from qbench.runner.plan import Plan
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.rules import network_rules
from qbench.suite import Planned, Suite


class NetworkMaker(CpuMaker):
    """Runs trials."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, Clock())
        assert isinstance(plan.suite, Suite)
        self._bench: Bench = plan.world
        self._rules = network_rules(plan.suite, quick=plan.quick)

    def check(self, tell: Tell, known: Mapping[str, Any]) -> dict[str, Any]:
        """Check that the fp32 network is what its file declares; raise ModelError when it is not."""
        check_baseline(self._bench, tell)
        return {}

    def make(self, job: Job, ceilings: Mapping[str, float]) -> TrialResult:
        """Return the row of a trial."""
        assert isinstance(job.trial, Trial)
        planned = Planned(job.trial, job.measure, job.reason)
        return run_trial(planned, self._bench, cache_hash=job.cache_hash, rules=self._rules, clock=self._clock)


def check_baseline(bench: Bench, tell: Tell) -> None:
    """Check qbench's fp32 answers against an independent runtime's, and those against what the model declares."""
    tell("checking the fp32 baseline")
    check_runtimes(bench.answers, bench.own_logits)
    for line in bench.suspicions:
        tell(f"input: {line}")
    metadata, data = bench.network.metadata, bench.data.name
    tell(check_declared(bench.answers, metadata, data=data, whole=bench.uses_all_images))
