"""What is not needed is not imported: help is quick, and results are read where no compiler is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "numba",
    "llvmlite",
    "pandas",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pydantic",
    "scipy",
    "numpy",
    "rich",
    "yaml",
)

_REPORT = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"

_BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "llvmlite"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Block())
"""


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["qbench", "qbench.cli", "qbench.errors", "qbench.registry"])
def test_importing_a_light_module_imports_nothing_heavy(module: str) -> None:
    assert python(f"import {module}; {_REPORT}").strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["qbench", *{arguments!r}]
from qbench.cli import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
{_REPORT}
"""
    assert python(code).strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "module", ["qbench.core.trial", "qbench.metrics", "qbench.suite", "qbench.results", "qbench.report"]
)
def test_a_room_above_the_kernels_works_without_numba(module: str) -> None:
    python(f"{_BLOCK}\nimport {module}")


def test_a_suite_is_expanded_without_numba() -> None:
    code = f"""{_BLOCK}
from pathlib import Path
from qbench.suite import expand, load_suite
suite = load_suite(Path("suites/tiny.yaml"))
print(len(expand(suite, ["stem", "classifier"])))
"""
    assert int(python(code)) > 5


def test_a_run_is_read_and_tabulated_without_numba(tmp_path: Path) -> None:
    code = f"""{_BLOCK}
from pathlib import Path
from qbench.core.trial import Trial, TrialResult
from qbench.results import DataFacts, ModelFacts, RunHeader, RunWriter, SuiteFacts, read_run, write_tables
folder = Path({str(tmp_path)!r}) / "run"
header = RunHeader(qbench_version="0", suite=SuiteFacts(name="a"), created_utc="",
                   model=ModelFacts(name="m", sha256=""), data=DataFacts(name="d", sha256="", images=0))
with RunWriter.create(folder, header) as writer:
    writer.append(TrialResult(Trial("a", "m", "d", "all", "w8c-a8t", "mse"), "hash", "skipped", "no reason"))
print(len(write_tables(read_run(folder))))
"""
    assert int(python(code)) == 3


def test_a_saved_network_is_read_without_numba_and_onnx() -> None:
    heavy = ("numba", "llvmlite.binding", "onnx", "onnxruntime", "scipy", "pydantic", "pandas")
    code = f"import sys, qbench.engine.saved.network; print([name for name in {heavy!r} if name in sys.modules])"
    python("import qbench.kernels.variants as v; v.choose()")  # asks LLVM about this machine, once
    assert python(code).strip() == "[]"


def test_a_plan_over_tokens_is_made_without_numba() -> None:
    python("import qbench.kernels.variants as v; v.choose()")
    code = "import sys, qbench.engine.plans.network; print('numba' in sys.modules)"
    assert python(code).strip() == "False"


LIBRARIES = (
    "openvino", "torch", "onnxruntime", "ai_edge_litert", "tensorflow", "triton", "zentorch", "numkong", "xllamacpp",
    "cupy",
)  # fmt: skip
"""Modules of peers, which listing never loads into its own process."""


@pytest.mark.parametrize("arguments", [["list", "operators"], ["list"]])
def test_listing_loads_no_library(arguments: list[str]) -> None:
    """Each package is there and breaks the process when it is imported, as some do beside others."""
    code = f"""
import sys, importlib.metadata
class Abort:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {LIBRARIES!r}:
            import os; os.write(2, name.encode()); os._exit(134)
sys.meta_path.insert(0, Abort())
real = importlib.metadata.version
importlib.metadata.version = lambda name: "1.0" if name in ("openvino", "torch", "ai-edge-litert") else real(name)
sys.argv = ["qbench", *{arguments!r}]
from qbench.cli import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print([name for name in {LIBRARIES!r} if name in sys.modules])
"""
    printed = python(code)
    assert printed.splitlines()[-1] == "[]"
    if arguments == ["list", "operators"]:
        assert "(openvino 1.0)" in printed
        assert "not installed: numkong" in printed or "(numkong" in printed


def test_the_help_of_no_command_loads_a_library() -> None:
    code = f"""
import sys, click
from qbench.cli.commands import root
names = root.list_commands(click.Context(root))
for name in names:
    root.main([name, "--help"], standalone_mode=False)
print(len(names), [name for name in {LIBRARIES!r} if name in sys.modules])
"""
    count, found = python(code).splitlines()[-1].split(" ", 1)
    assert int(count) > 10
    assert found == "[]"
