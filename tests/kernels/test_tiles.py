"""What compiled tiles look like, and when they are compiled: in processes of their own, with a fresh cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import qbench
from qbench.kernels import variants
from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.product import U8_S8
from qbench.kernels.tiles import listing
from qbench.kernels.tiles.targets import TileShape, target_of

PACKAGE = Path(qbench.__file__).parent

SPILLS = """
import re
from dataclasses import astuple
from qbench.kernels.depthwise.driver import strips_of
from qbench.kernels.depthwise.fields import STRIPPED
from qbench.kernels.epilogue import parse_epilogue
from qbench.kernels.jit import compiled_assembly
from qbench.kernels.product import parse_product
from qbench.kernels.tiles.driver import tiles_of
from qbench.kernels.tiles.listing import X86, depth_loop, shapes_of
from qbench.kernels.tiles.targets import available
target = available()[-1]
cases = [("u8_s8", "u8+residual"), ("u8_s8", "u8+fixed"), ("b1_b1", "s32")]
if target.dot != "pairs":  # 16 registers are too few for weights that are being unpacked
    cases.append(("u8_s4", "u8+grouped"))
for product, epilogue in cases:
    shapes = list(shapes_of(target, parse_product(product), parse_epilogue(epilogue)))
    most = max(shape.rows for shape in shapes if shape.vectors == 2)
    tall = {shape for shape in shapes if shape.vectors == 2 and shape.rows >= most - 1}
    assert tall
    for shape in tall:
        lines = depth_loop(compiled_assembly(tiles_of(product, epilogue, target.name, *astuple(shape)), "task"), X86)
        bad = [line for line in lines if re.search(X86.spill, line)]
        print(product, epilogue, shape, bad)
        assert not bad
instructions = {"x86_vnni": "vpdpbusd", "x86_avx2": "vpmaddwd"}
assert set(instructions) == set(STRIPPED)
if target.name in STRIPPED:
    for geometry in ((8, 3, 3, 1, 1), (7, 3, 3, 2, 1), (7, 5, 5, 1, 1))[: 3 if target.name == "x86_avx2" else 2]:
        text = compiled_assembly(strips_of(*geometry, "nearest", target.name), "task")
        assert text.count(instructions[target.name]) > 3 * 4 * geometry[0]
        bad = [line for line in text.splitlines() if re.search(X86.spill, line)]
        print("depthwise", geometry, bad)
        assert not bad
"""

NETWORK_KERNEL = """
import numpy as np
from qbench.kernels.gemm.operation import Gemm
print(int(Gemm(np.ones((16, 64), np.int16)).run(np.full((4, 64), 2, np.uint8))[0, 0]))
"""


def _python(code: str, *, cache: Path, package: Path = PACKAGE, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "QBENCH_CACHE_DIR": str(cache), "PYTHONPATH": str(package.parent), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, cwd=cache.parent, check=False
    )


def _files(cache: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb*")}


@pytest.mark.skipif(not variants.available(), reason="this machine has no x86 target")
def test_no_tile_or_strip_spills_a_vector_register_as_it_is_compiled_here(tmp_path: Path) -> None:
    done = _python(SPILLS, cache=tmp_path)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]


@pytest.mark.parametrize("name", ["x86_vnni", "x86_avx512"])
def test_the_tallest_tile_of_every_product_spills_nothing(name: str) -> None:
    found = list(listing.rows(target_of(name)))
    assert {row.product for row in found} == {str(product) for product in (*listing.PRODUCTS, listing.SHORTS)}
    assert [row for row in found if row.spills or not row.dots] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x86_vnni", "x86_avx512"])
def test_no_tile_in_use_spills_whatever_its_shape_width_and_epilogue(name: str) -> None:
    found = list(listing.rows(target_of(name), every=True))
    assert len(found) > 500
    assert [row for row in found if row.spills] == []


@pytest.mark.parametrize("vectors", [1, 2])
def test_split_tiles_spill_nothing_where_k_groups_are_safe(vectors: int) -> None:
    target = target_of("x86_avx2")
    epilogue = parse_epilogue("u8+residual+split")
    rows = target.most_rows(U8_S8, epilogue, vectors)
    text, _ = listing.compiled_tile(target, U8_S8, epilogue, TileShape(rows, vectors))
    safe = [lines for lines in listing.loops(text) if any("vpmaddubsw" in line for line in lines)]
    chosen = [sum("vpshufb" in line for line in lines) for lines in safe]
    assert sorted(chosen) == [0, rows]
    assert [line for lines in safe for line in lines if re.search(listing.X86.spill, line)] == []


def test_a_spill_would_be_seen() -> None:
    target = replace(target_of("x86_vnni"), rows={("", 2): 16})
    row = listing.row_of(target, U8_S8, Epilogue("s32"), TileShape(16, 2))
    assert row.dots == 32
    assert row.spills > 0


def test_a_first_start_imports_only_what_a_kernel_needs_and_a_second_loads_kernels_from_disk(tmp_path: Path) -> None:
    """The first start compiles, with Numba alone; `test_images` shows that the next does without."""
    first = _python(NETWORK_KERNEL + "import sys; print(*sys.modules)", cache=tmp_path)
    found, *loaded = first.stdout.split()
    assert found == "128", first.stderr[-1500:]
    assert "numba" in loaded
    heavy = {"scipy.linalg", "pandas", "onnx", "onnxruntime", "matplotlib", "pyarrow", "torch", "pydantic", "rich"}
    assert heavy.isdisjoint(loaded)
    written = _files(tmp_path)
    assert written
    assert _python(NETWORK_KERNEL, cache=tmp_path).stdout == "128\n"
    assert _files(tmp_path) == written


def test_numba_still_multiplies_matrices_for_others(tmp_path: Path) -> None:
    code = "import numpy as np, numba, qbench.kernels.jit\nprint(numba.njit(lambda a: a @ a)(2.0 * np.eye(2))[1, 1])"
    done = _python(code, cache=tmp_path)
    assert done.stdout == "4.0\n", done.stderr[-1500:]


def test_an_edited_intrinsic_is_never_served_stale(tmp_path: Path) -> None:
    package = tmp_path / "copy" / "qbench"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "models", "data"))
    cache = tmp_path / "cache"
    assert _python(NETWORK_KERNEL, cache=cache, package=package).stdout == "128\n"
    tile = package / "kernels" / "tiles" / "tile.py"
    before = 'return self.cells.channel(j, self.e.ints, "correction", group)'
    assert before in tile.read_text()
    tile.write_text(tile.read_text().replace(before, "return self.e.constant(7, self.e.ints)"))
    portable = package / "kernels" / "tiles" / "portable.py"
    portable.write_text(portable.read_text().replace("return int32(acc + correction)", "return int32(acc + 7)"))
    assert _python(NETWORK_KERNEL, cache=cache, package=package).stdout == "135\n"


LESSER = """
from qbench.kernels import variants, verify
from qbench.kernels.check import CONV, rows
from dataclasses import replace
print(variants.choose())
wanted = ("conv_u8_s8_u8+residual", "conv_b1_b1_u8", "conv_u8_s4_u8+grouped_g32")
keep = {name: CONV.operations[name] for name in wanted}
for row in rows(replace(CONV, operations=keep, variants=("x86_vnni", variants.choose()))):
    assert row.status != "mismatch", row
    print(row.variant, row.status)
"""


PATHS = [
    ("x86-64-v4", "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx2,+fma", "x86_avx512"),
    ("x86-64-v3", "+avx2,+fma,+avxvnni", "x86_avxvnni"),
    ("x86-64-v3", "+avx2,+fma,+bmi2,+popcnt,+sse4.2,+avx", "x86_avx2"),
    ("generic", "", "portable"),
]
"""Name and features of a lesser machine, and the best variant there."""


@pytest.mark.parametrize(("name", "features", "best"), PATHS)
def test_lesser_instruction_sets_run_and_are_exact_when_forced(
    tmp_path: Path, name: str, features: str, best: str
) -> None:
    reason = variants.unavailable(best)
    if reason is not None:
        pytest.skip(reason)
    done = _python(LESSER, cache=tmp_path, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr[-1500:]
    lines = done.stdout.splitlines()
    assert lines[0] == best
    assert "x86_vnni not on this machine" in lines
    assert f"{best} ok" in lines


EVERYTHING = """
from qbench.kernels import FAMILIES, variants, verify
found = [row for name in FAMILIES for row in verify(name) if row.variant == variants.choose()]
assert [row for row in found if row.status != "ok"] == []
print(variants.choose(), len(found), sum(row.cases for row in found))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "features", "best"), PATHS)
def test_every_operation_is_exact_on_a_forced_instruction_set(
    tmp_path: Path, name: str, features: str, best: str
) -> None:
    reason = variants.unavailable(best)
    if reason is not None:
        pytest.skip(reason)
    done = _python(EVERYTHING, cache=tmp_path, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.split()[0] == best
