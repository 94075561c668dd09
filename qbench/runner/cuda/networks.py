"""Makes rows of networks on the first GPU: the fp32 baseline on the CPU first, then trial after trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qbench.core.trial import Trial, TrialResult
from qbench.errors import QBenchError
from qbench.runner.cuda.maker import SAMPLE_S, CudaMaker
from qbench.runner.job import Job
from qbench.runner.maker import Tell
from qbench.runner.networks.maker import check_baseline
from qbench.runner.plan import Plan
from qbench.runner.timing.rules import network_rules
from qbench.suite import Planned, Suite


class CudaNetworkMaker(CudaMaker):
    """Runs trials."""

    rows_a_reading = 1

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        assert isinstance(plan.suite, Suite)
        self._suite = plan.suite
        self._rules = replace(network_rules(plan.suite, quick=plan.quick), sample_s=SAMPLE_S)

    def check(self, tell: Tell, known: Mapping[str, Any]) -> dict[str, Any]:
        """Check that the fp32 network is what its file declares; raise ModelError when it is not."""
        check_baseline(self._plan.world, tell)
        return {}

    def make(self, job: Job, ceilings: Mapping[str, float]) -> TrialResult:
        """Return the row of a trial; where the device was lost, why."""
        assert isinstance(job.trial, Trial)
        planned = Planned(job.trial, job.measure, job.reason)
        try:
            found = self._worker.ask("trial", (self._suite, self._rules, planned, job.cache_hash))
        except QBenchError as error:
            return TrialResult(job.trial, job.cache_hash, "failed", str(error))
        assert isinstance(found, TrialResult)
        return found
