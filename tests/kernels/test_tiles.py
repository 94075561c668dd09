"""What compiled tiles look like, and when they are compiled: in processes of their own, with a fresh cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qbench
from qbench.kernels import variants

PACKAGE = Path(qbench.__file__).parent

SPILLS = """
import re
from qbench.kernels.tiles.driver import tiled
from qbench.kernels.tiles.products import product_of
from qbench.kernels.tiles.targets import TileShape, available
target = available()[-1]
spilled = []
for product in ("u8_s8", "u8_s4", "u8_s2", "u8_t4", "u8_t1", "b1_b1", "t2_t2", "p2_p2", "f32_f32"):
    facts = product_of(product)
    epilogues = ("u8+residual", "u8+grouped", "u8+sum") if facts.spreads else ("u8+residual",)
    for epilogue in ("f32",) if facts.is_float else epilogues:
        for vectors, spread in ((1, 1), (2, 1), (2, 2)):
            if spread == 2 and not facts.spreads:
                continue
            rows = target.most_rows(product, vectors, grouped="grouped" in epilogue, sums="sum" in epilogue)
            text = tiled(product, epilogue, target.name, TileShape(rows, vectors, spread))._library.get_asm_str()
            blocks = re.split(r"^\\.L", text, flags=re.M)
            loops = [b for b in blocks if len(re.findall(r"vpdpbusd|vpmaddwd|vpopcnt|vfmadd|vpshufb", b)) >= 4]
            assert loops, (product, epilogue)
            inner = [b for b in loops if re.search(r"\\bj[a-z]+\\t\\.L" + re.match(r"\\w+", b)[0] + r"\\b", b)]
            lines = [line for b in inner for line in b.split("vcvtdq2ps")[0].splitlines()]
            bad = [line for line in lines if re.search(r"[yz]mm.*\\(%rsp|\\(%rsp.*[yz]mm", line)]
            print(product, epilogue, vectors, spread, rows, "inner loops", len(inner), "spills", len(bad))
            assert inner
            spilled += bad
assert not spilled
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
def test_no_tile_spills_a_vector_register_in_its_depth_loop(tmp_path: Path) -> None:
    done = _python(SPILLS, cache=tmp_path)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]


def test_a_second_start_loads_kernels_from_the_disk_cache(tmp_path: Path) -> None:
    first = _python(NETWORK_KERNEL, cache=tmp_path)
    assert first.stdout == "128\n", first.stderr[-1500:]
    written = _files(tmp_path)
    assert written
    assert _python(NETWORK_KERNEL, cache=tmp_path).stdout == "128\n"
    assert _files(tmp_path) == written


def test_an_edited_intrinsic_is_never_served_stale(tmp_path: Path) -> None:
    package = tmp_path / "copy" / "qbench"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "models", "data"))
    cache = tmp_path / "cache"
    assert _python(NETWORK_KERNEL, cache=cache, package=package).stdout == "128\n"
    tile = package / "kernels" / "tiles" / "tile.py"
    before = 'return self._channel(j, self.e.ints, "correction", group)'
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
for row in rows(replace(CONV, operations=keep)):
    assert row.status != "mismatch", row
    print(row.variant, row.status)
"""


@pytest.mark.parametrize(
    ("name", "features", "best"),
    [("x86-64-v3", "+avx2,+fma,+bmi2,+popcnt,+sse4.2,+avx", "x86_avx2"), ("generic", "", "portable")],
)
def test_lesser_instruction_sets_run_and_are_exact_when_forced(
    tmp_path: Path, name: str, features: str, best: str
) -> None:
    done = _python(LESSER, cache=tmp_path, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr[-1500:]
    lines = done.stdout.splitlines()
    assert lines[0] == best
    assert "x86_vnni not on this machine" in lines
    assert f"{best} ok" in lines
