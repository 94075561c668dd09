"""The suite on a network of three layers that the runner's tests use."""

from tests.runner.conftest import bench, suite, suite_path

__all__ = ["bench", "suite", "suite_path"]
