"""The files of a run: append, read, tabulate, compare. Nothing is drawn here, and nothing measured."""

from qbench.results.compare import ComparedRow, Comparison, compare_runs
from qbench.results.compare_table import comparison_markdown
from qbench.results.header import SCHEMA_VERSION, DataFacts, MachineFacts, ModelFacts, RunHeader, RunState, SuiteFacts
from qbench.results.index import frame
from qbench.results.left_out import left_out
from qbench.results.reader import KernelRun, NetworkRun, Run, find_run, read_run
from qbench.results.tables import write_tables
from qbench.results.writer import RunWriter

__all__ = [
    "SCHEMA_VERSION",
    "ComparedRow",
    "Comparison",
    "DataFacts",
    "KernelRun",
    "MachineFacts",
    "ModelFacts",
    "NetworkRun",
    "Run",
    "RunHeader",
    "RunState",
    "RunWriter",
    "SuiteFacts",
    "compare_runs",
    "comparison_markdown",
    "find_run",
    "frame",
    "left_out",
    "read_run",
    "write_tables",
]
