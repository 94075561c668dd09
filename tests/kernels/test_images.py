"""Kernels as images: what an object file may hold, what is on disk is checked, and a start from them needs no Numba."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from qbench.errors import MachineError
from qbench.kernels import cache, images, native
from qbench.kernels.elf import ObjectFormError
from qbench.kernels.images import HERE, mapped, read_image, write_image
from qbench.kernels.jit import c_function, compiled_image

here = pytest.mark.skipif(not HERE, reason="kernels are images on x86-64 Linux only")

START = """
import sys
import numpy as np
from qbench.kernels.gemm.operation import Gemm
made = Gemm(np.ones((16, 64), np.int16)).run(np.full((4, 64), 2, np.uint8))
print(int(made[0, 0]), *(name for name in ("numba", "llvmlite.binding") if name in sys.modules))
"""


def python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "QBENCH_CACHE_DIR": str(folder), **environment}
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, cwd=root)


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start compiled and wrote; tests that change it copy it, and are of the group `images`."""
    folder = tmp_path_factory.mktemp("first")
    assert python(START, folder).stdout == "128 numba llvmlite.binding\n"
    return folder


def weighted(a: int, b: int, c: int, d: int) -> int:
    return a + 10 * b + 100 * c + 1000 * d


def failing(a: int, b: int, c: int, d: int) -> int:
    if a > b:
        raise ValueError("no kernel raises")
    return c


@njit
def _kept(count: int) -> float:
    return float(np.ones(count).sum())


def owning(a: int, b: int, c: int, d: int) -> int:
    return int(_kept(a))


@here
def test_an_image_computes_what_the_function_does(tmp_path: Path) -> None:
    image = compiled_image(weighted, "entry")
    write_image(tmp_path / "a.image", image, "key")
    assert read_image(tmp_path / "a.image", "key") == image
    assert native._C_ENTRY(mapped(image).address)(1, 2, 3, 4) == 4321


def test_where_kernels_are_no_images_numba_loads_the_same_function() -> None:
    assert native._C_ENTRY(c_function(weighted, "entry").address)(1, 2, 3, 4) == 4321


@here
def test_an_image_that_is_damaged_or_anothers_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.image"
    write_image(path, compiled_image(weighted, "entry"), "key")
    whole = path.read_bytes()
    assert read_image(path, "other") is None
    for damaged in (whole[:-1], whole[:20], b"", whole[:-1] + bytes([whole[-1] ^ 1]), b"[]\n" + whole):
        path.write_bytes(damaged)
        assert read_image(path, "key") is None
    path.unlink()
    assert read_image(path, "key") is None


@here
def test_a_function_that_allocates_is_refused_in_one_line() -> None:
    with pytest.raises((MachineError, ObjectFormError), match=r"^.+$"):
        mapped(compiled_image(owning, "entry"))


@here
def test_a_function_that_the_system_lacks_is_named() -> None:
    image = compiled_image(weighted, "entry")
    with pytest.raises(MachineError, match="a kernel calls 'no_such_function'"):
        mapped(replace(image, code=image.code + bytes(8), slots=len(image.code), imports=("no_such_function",)))


@here
def test_what_a_kernel_cannot_do_ends_the_process_and_is_not_passed_over(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_images import failing
from qbench.kernels import native
from qbench.kernels.images import mapped
from qbench.kernels.jit import compiled_image
made = mapped(compiled_image(failing, "entry"))
print(native._C_ENTRY(made.address)(1, 2, 3, 4), flush=True)
native._C_ENTRY(made.address)(2, 1, 3, 4)
print("passed over")
"""
    done = python(code, tmp_path)
    assert done.stdout == "3\n", done.stderr[-1500:]
    assert done.returncode < 0


@here
@pytest.mark.xdist_group("images")
def test_a_second_start_needs_neither_numba_nor_llvm(first_start: Path) -> None:
    assert python(START, first_start).stdout == "128\n"


@here
@pytest.mark.xdist_group("images")
@pytest.mark.parametrize("variable", ["NUMBA_CPU_NAME=x86-64", "NUMBA_OPT=1"])
def test_what_the_environment_tells_the_compiler_is_compiled_anew(
    first_start: Path, tmp_path: Path, variable: str
) -> None:
    folder = shutil.copytree(first_start, tmp_path / "cache")
    name, _, value = variable.partition("=")
    done = python(START, folder, **{name: value})
    assert done.stdout == "128 numba llvmlite.binding\n", done.stderr[-1500:]


@here
@pytest.mark.xdist_group("images")
def test_a_broken_image_is_compiled_anew_and_put_right(first_start: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(first_start, tmp_path / "cache")
    broken = list(folder.rglob("*.image"))
    assert broken
    for path in broken:
        path.write_bytes(path.read_bytes()[:-3])
    assert python(START, folder).stdout == "128 numba llvmlite.binding\n"
    assert python(START, folder).stdout == "128\n"


def test_a_folder_that_cannot_be_written_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"^.*cannot keep compiled kernels.*QBENCH_CACHE_DIR.*$"):
        cache.write_whole(tmp_path / "file" / "a.image", b"")


def test_another_cpu_or_compiler_has_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, same, two = (tmp_path / name for name in ("one", "same", "two"))
    one.write_text("flags\t\t: sse avx\ncpu MHz\t\t: 1000\n")
    same.write_text("flags\t\t: sse avx\ncpu MHz\t\t: 2000\n")
    two.write_text("flags\t\t: sse\ncpu MHz\t\t: 1000\n")
    keys = [cache.machine_key(path) for path in (one, same, two)]
    assert keys[0] == keys[1] != keys[2]
    assert cache.machine_key(tmp_path / "none") is None
    monkeypatch.setattr(cache, "_version_of", lambda package: f"{package} of tomorrow".encode())
    assert cache.machine_key(one) != keys[0]


def test_a_system_that_does_not_tell_its_cpu_has_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "machine_key", lambda: None)
    native.images_folder.cache_clear()
    try:
        assert native.images_folder() is None
        made = native._compiled("qbench.kernels.passes:await_entry", (), "entry")
        assert not isinstance(made, images.Mapped)
        assert made.address
    finally:
        native.images_folder.cache_clear()
