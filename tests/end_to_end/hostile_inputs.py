"""Inputs that nobody would write on purpose: mutated suites, saved networks, `.npz` files and folders of images.

Every maker takes a generator and a folder, and returns what `attempt` is to be called with. Whatever comes of it, it is
either an answer or a `QBenchError` of one line.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from qbench.engine.saved.network import load_network
from qbench.errors import QBenchError
from qbench.runner.networks.doctor import look
from qbench.runner.networks.kind import bench_of, network_jobs
from qbench.suite import Suite, load_suite
from qbench.zoo.arrays import Input
from qbench.zoo.own_data import Wanted, load_own
from qbench.zoo.preprocessing import Preprocessing
from tests.runner.conftest import small_network

Random = np.random.Generator
MakeData = Callable[[Random, Path], Callable[[], object]]

ODD_VALUES = (
    "", "~", "null", "-1", "0", "1e999", ".nan", ".inf", "-.inf", "1_000", "0x10", "0o7", "1:30:00", "2001-01-01",
    "yes", "[]", "{}", "[[]]", "[1, [2]]", "{a: b}", "'", '"', "|", ">", "&a [*a]", "*b", "!!python/object:os.system x",
    "!!binary aGk=", "!!set {a}", "\t", "\x00", "\ufeff", "é" * 40, "a" * 5000, "9" * 400, "- - -", "? x", "<<: {a: 1}",
    "small.onnx", "small.npz", "../..", "/", "pictures/", "w8c-a8t", "w0c-a0t", "w8g0-a8t", "first", "each", "\\b",
    "[red]",
    "%YAML 9.9", "bits <= 4 and (", "bits in [" + "1," * 500 + "]", "(" * 300 + "bits" + ")" * 300,
    "not " * 400 + "bits",
)  # fmt: skip


def attempt(call: Callable[[], object]) -> str:
    """Return "" for an answer, the line of a refusal; whatever else is raised is a finding."""
    try:
        call()
    except QBenchError as refusal:
        line = str(refusal)
        assert line, "a refusal without a word"
        assert "\n" not in line, line
        assert len(line) < 20_000, line[:200]
        return line
    return ""


def mutated_bytes(random: Random, content: bytes) -> bytes:
    """Return bytes with some flipped, taken out, doubled, or cut off."""
    found = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        if not found:
            break
        at, size = int(random.integers(len(found))), int(random.integers(1, 40))
        match int(random.integers(5)):
            case 0:
                found[at] ^= 1 << int(random.integers(8))
            case 1:
                del found[at : at + size]
            case 2:
                found[at:at] = found[at : at + size]
            case 3:
                found[at : at + 4] = struct.pack("<I", int(random.choice([0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1])))
            case _:
                del found[at:]
    return bytes(found)


def suite(random: Random, text: str, folder: Path) -> Callable[[], object]:
    """Write a mutated suite into a folder that holds `small.onnx` and `small.npz`; return its planning."""
    path = folder / "hostile.yaml"
    if random.random() < 0.2:
        path.write_bytes(mutated_bytes(random, text.encode()))
    else:
        path.write_bytes(_mutated_lines(random, text.split("\n")).encode("utf-8", "surrogatepass"))

    def plan() -> object:
        found = load_suite(path)
        if not isinstance(found, Suite):
            return found
        return [network_jobs(one, bench_of(one), "machine", False) for one in found.each()]

    return plan


def _mutated_lines(random: Random, lines: list[str]) -> str:
    for _ in range(int(random.integers(1, 4))):
        at, other = (int(random.integers(len(lines))) for _ in range(2))
        key, colon, _ = lines[at].partition(":")
        value = str(random.choice(ODD_VALUES))
        match int(random.integers(8)):
            case 0 | 1 | 2:
                lines[at] = f"{key}{colon or ':'} {value}"
            case 3:
                lines[at] = lines[at].replace(str(random.choice([*"[]{}:,-'0123456789 "])), value, 1)
            case 4:
                lines.insert(other, lines[at])
            case 5:
                lines[at], lines[other] = lines[other], lines[at]
            case 6:
                lines[at] = " " * int(random.integers(1, 5)) + lines[at]
            case _:
                del lines[at]
        lines = lines or [""]
    return "\n".join(lines)


WANTED = (
    (Input("x", (3, 8, 8)),), (Input("images", (3, 8, 8)),), (Input("x", (8, 8, 3), "uint8"),), (Input("x", (20,)),),
    (Input("ids", (7,), "int64"), Input("mask", (7,), "int64")), (Input("x", (-1, 8)),),
    (Input("x", (1, 8, 8), "float16"),), (Input("x", ()),), (Input("x", (3, 8, 8), "bool"),),
    (Input("x", (3, 8, 8), "int8"),),
)  # fmt: skip
DTYPES = (
    "uint8",
    "int8",
    "float32",
    "float64",
    "float16",
    "int64",
    "bool",
    "<U3",
    "complex64",
    "datetime64[s]",
    ">f4",
    "V3",
)
SHAPES = (
    (), (0,), (6,), (6, 20), (6, 8, 8, 3), (6, 3, 8, 8), (6, 7), (6, 5, 8), (0, 8, 8, 3), (6, 0, 8, 3), (5, 8, 8, 3),
    (6, 9, 7, 3), (6, 8, 8, 2), (6, 1, 1, 1), (1, 8, 8, 3), (6, 1, 8, 8),
)  # fmt: skip
NAMES = ("images", "labels", "calibration", "classes", "mean", "std", "x", "inputs", "ids", "mask", "calibration_x",
         "calibration_ids", "other", "a/b", "")  # fmt: skip


def arrays(random: Random, folder: Path) -> Callable[[], object]:
    """Write an `.npz` file of arrays that fit, or nearly, or not at all, sometimes damaged; return its loading."""
    wanted = WANTED[int(random.integers(len(WANTED)))]
    found: dict[str, Any] = {
        one.name: random.integers(0, 99, (6, *map(abs, one.shape))).astype(one.dtype) for one in wanted
    }
    if random.random() < 0.3:
        found = {"images": random.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)}
    if random.random() < 0.5:
        found["labels"] = np.arange(6) % 3
    for name in random.choice(NAMES, int(random.choice((0, 0, 1, 1, 2, 4)))):
        shape = SHAPES[int(random.integers(len(SHAPES)))]
        with np.errstate(all="ignore"):
            found[str(name)] = np.asarray(random.integers(-5, 300, shape)).astype(str(random.choice(DTYPES)))
    held = io.BytesIO()
    np.savez(held, **found)
    content = held.getvalue() if random.random() < 0.8 else mutated_bytes(random, held.getvalue())
    (folder / "hostile.npz").write_bytes(content)
    return _loading(random, folder / "hostile.npz", wanted)


def images(random: Random, folder: Path) -> Callable[[], object]:
    """Make a folder of images of many kinds, some of them damaged; return its loading."""
    place = folder / "hostile"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    classes = ("", "ant", "bee", "7", "007", ".hidden", "9" * 30, "a b", "[b]")
    rare = 0.02 if random.random() < 0.5 else 0.3
    for index in range(int(random.integers(0, 14))):
        into = place / str(random.choice(classes if random.random() < rare else classes[1:3]))
        into.mkdir(exist_ok=True)
        suffix = str(random.choice((".png", ".JPG", ".bmp", ".gif", ".tif", ".webp", ".ppm", ".txt", ".heic")))
        suffix = ".npy" if random.random() < rare / 10 else suffix
        path = into / f"{index}{suffix}"
        match int(random.integers(3 / rare)):
            case 0:
                path.symlink_to("nowhere")
            case 1:
                path.mkdir()
            case 2:
                path.write_bytes(b"")
            case _:
                content = _image(random, any_kind=random.random() < rare)
                path.write_bytes(content if random.random() > rare else mutated_bytes(random, content))
    return _loading(random, place, WANTED[int(random.choice((0, 0, 0, *range(len(WANTED)))))])


def _image(random: Random, *, any_kind: bool) -> bytes:
    mode = str(random.choice(("L", "RGB", "RGBA", "P", "1", "LA", "I;16", *(("I", "F", "CMYK") if any_kind else ()))))
    size = int(random.integers(1, 40)), int(random.integers(1, 40))
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in kinds:
        made = Image.fromarray(random.integers(0, 60_000, size[::-1]).astype(kinds[mode]))
    else:
        made = Image.fromarray(random.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).convert(mode)
    for suffix in random.permutation(("PNG", "TIFF", "GIF", "BMP", "JPEG", "WEBP", "PPM")):
        held = io.BytesIO()
        try:
            made.save(held, str(suffix))
        except (OSError, ValueError):  # this format has no such images
            continue
        return held.getvalue()
    return b""


def _loading(random: Random, path: Path, wanted: tuple[Input, ...]) -> Callable[[], object]:
    words: dict[str, Any] = {}
    for word, values in (
        ("mean", (0.5, (0.1, 0.2, 0.3), 120, float("nan"))),
        ("resize", (9, (8, 8), 0, 10**9)),
        ("crop", (4, 99)),
    ):
        if random.random() < 0.05:
            words[word] = values[int(random.integers(len(values)))]
    calibration = (None, 0, 2, 10**9)[int(random.choice((0, 0, 1, 1, 2, 2, 3)))]
    limit = (None, 1, 10**9)[int(random.integers(3))]

    def load() -> object:
        found = load_own(str(path), Wanted(wanted, calibration, 0, limit, Preprocessing.of(**words)))
        apart = len(found.calibration)
        return (
            look(found, small_network(), len(found)),
            found.inputs(),
            found.sha256,
            found.calibration_inputs(apart, 0) if apart else None,
        )

    return load


def saved(random: Random, original: Path, folder: Path) -> Callable[[], object]:
    """Write a mutated copy of a saved network, with its hashes made anew; return its reading and one run."""
    place = folder / "hostile-saved"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(original, place)
    document, tensors = json.loads((place / "network.json").read_bytes()), (place / "network.safetensors").read_bytes()
    kind = random.random()
    if kind < 0.6:
        _mutate_value(random, document)
    elif kind < 0.9:
        tensors = mutated_bytes(random, tensors)
    document["tensors"] = {"bytes": len(tensors), "sha256": hashlib.sha256(tensors).hexdigest()}
    rest = json.dumps({key: value for key, value in document.items() if key != "sha256"}, sort_keys=True)
    document["sha256"] = hashlib.sha256(rest.encode()).hexdigest()
    content = json.dumps(document).encode()
    (place / "network.json").write_bytes(content if kind < 0.9 else mutated_bytes(random, content))
    (place / "network.safetensors").write_bytes(tensors)

    def run() -> object:
        with load_network(place).session(threads=1) as session:
            return session.run(np.zeros((1, *map(abs, session.network.input_shape)), np.float32))

    return run


def _mutate_value(random: Random, document: Any) -> None:
    """Change one value somewhere in a document of mappings and lists."""
    while True:
        keys = [*document] if isinstance(document, dict) else [*range(len(document))]
        if not keys:
            return
        key = keys[int(random.integers(len(keys)))]
        below = document[key]
        if isinstance(below, dict | list) and below and random.random() < 0.9:
            document = below
            continue
        match int(random.integers(4)):
            case 0:
                del document[key]
            case 1 if isinstance(below, int):
                document[key] = below + int(random.choice((-1, 1, 7, 2**31, -(2**40))))
            case 2 if isinstance(document, list):
                document.insert(key, below)
            case _:
                document[key] = ODD_JSON[int(random.integers(len(ODD_JSON)))]
        return


ODD_JSON: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3, 2**40, 0.5, -1e30, 1e308, "", "x", "images", "first", "float32", "Conv", [], [1],
    [[0, 0, 0, 0]], {}, {"class": "Conv"}, [1, 2, 3], [0, 8, 8], [10**6, 10**6, 10**6],
)  # fmt: skip
