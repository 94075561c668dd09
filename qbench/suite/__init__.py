"""YAML -> a typed suite -> trials. Says what is to be run; runs nothing."""

from qbench.suite.base import AnySuite
from qbench.suite.expand import Planned, expand, recipe_supports
from qbench.suite.filter import Filter, parse_filter
from qbench.suite.json_schema import suite_json_schema
from qbench.suite.kernels.expand import expand_kernels
from qbench.suite.kernels.schema import KernelSuite
from qbench.suite.load import load_suite
from qbench.suite.packaged import find_suite, packaged_suites
from qbench.suite.schema import Suite, Sweep

__all__ = [
    "AnySuite",
    "Filter",
    "KernelSuite",
    "Planned",
    "Suite",
    "Sweep",
    "expand",
    "expand_kernels",
    "find_suite",
    "load_suite",
    "packaged_suites",
    "parse_filter",
    "recipe_supports",
    "suite_json_schema",
]
