"""Mutated ONNX files, bytes and fields: each is read, or refused in one line; anything else is a finding.

    python -m tests.graph.fuzz 5000 --seed 1 --keep findings/

Fields are reached by protobuf's reflection, so that every message of the format is mutated, not only those thought of.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import ModelProto

from qbench.errors import ModelError
from qbench.graph import to_onnx_bytes
from qbench.graph.onnx.file import read_file
from qbench.graph.onnx.read import named_error, network_and_names

FOLDER = Path(__file__).parent / "exported"
MOST_S = 20
MOST_BYTES = 2 * 2**30
NUMBERS = (0, 1, -1, 2, 3, 4, 7, 10, 11, 16, 255, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63))
WORDS = ("", "x", "y", "/", "a b", "ä\n[/b]", "\0", "Conv", "Reshape", "If", "ai.onnx", "com.microsoft", "\ud7ff" * 3)
REALS = (0.0, -1.0, 1e-45, 3.4e38, float("nan"), float("inf"), float("-inf"))
WHOLE = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}


@dataclass(frozen=True, slots=True)
class Finding:
    """A file on which reading did something else than reading or refusing."""

    name: str
    what: str
    content: bytes


def _messages(message: Message) -> Iterator[Message]:
    """Yield a message and all in it."""
    yield message
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                yield from _messages(inner)


def _value(field: FieldDescriptor, old: Any, rng: np.random.Generator) -> Any:
    """Return another value for a field that is no message."""
    if field.cpp_type in WHOLE or field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        new = (
            int(rng.choice(np.asarray(NUMBERS, object))) if rng.random() < 0.6 else int(old) + int(rng.integers(-3, 4))
        )
        low, high = (-(2**31), 2**31 - 1) if field.cpp_type != FieldDescriptor.CPPTYPE_INT64 else (-(2**63), 2**63 - 1)
        low = 0 if field.cpp_type == FieldDescriptor.CPPTYPE_UINT64 else low
        return min(max(new, low), high)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return float(rng.choice(REALS))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return old[: int(rng.integers(0, len(old) + 1))] + rng.bytes(int(rng.integers(0, 9)))
    return str(rng.choice(WORDS)) if rng.random() < 0.5 else old + "x"


def _mutate_field(message: Message, rng: np.random.Generator) -> None:
    """Change one field of a message that holds something."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = fields[int(rng.integers(len(fields)))]
    if not field.is_repeated:
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE or rng.random() < 0.2:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, _value(field, value, rng))
        return
    index = int(rng.integers(len(value)))
    match int(rng.integers(4)):
        case 0:
            del value[index]
        case 1:
            value.append(value[index])
        case 2 if field.cpp_type != FieldDescriptor.CPPTYPE_MESSAGE:
            value[index] = _value(field, value[index], rng)
        case 2:
            value[index].CopyFrom(value[int(rng.integers(len(value)))])
        case _:
            other = int(rng.integers(len(value)))
            if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                kept = type(value[index])()
                kept.CopyFrom(value[index])
                value[index].CopyFrom(value[other])
                value[other].CopyFrom(kept)
            else:
                value[index], value[other] = value[other], value[index]


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with some bytes or some fields changed."""
    if rng.random() < 0.3:
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(0, len(whole), size=int(rng.integers(1, 30)))
        damaged[places] = rng.integers(0, 256, size=len(places))
        return bytes(damaged[: int(rng.integers(1, len(whole)))] if rng.random() < 0.1 else damaged)
    model = ModelProto.FromString(whole)
    for _ in range(int(rng.integers(1, 4))):
        found = list(_messages(model))
        with suppress(ValueError):  # an enumeration takes its own numbers only
            _mutate_field(found[int(rng.integers(len(found)))], rng)
    return model.SerializeToString()


@cache
def bases() -> dict[str, bytes]:
    """Return whole files of many kinds: all exported ones, and those that other tests draw."""
    from tests.graph.conftest import Sketch
    from tests.graph.test_batch_axis import recurrent
    from tests.graph.test_option_a import resnet
    from tests.graph.test_regions import drawn

    found = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.onnx")) if path.stat().st_size < 400_000}
    draws: dict[str, Callable[[Sketch], Path]] = {
        "option_a": lambda sketch: resnet(sketch, 1, (4, 8)),
        "recurrent": recurrent,
        **{f"drawn{seed}": lambda sketch, seed=seed: drawn(sketch, seed) for seed in range(4)},  # type: ignore[misc]
    }
    for name, draw in draws.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = draw(Sketch(Path(folder))).read_bytes()
    return found


def outcome(path: Path) -> str:
    """Return `read`, `refused`, or what else came of a file, which is a finding."""
    try:
        to_onnx_bytes(network_and_names(read_file(path), path.stem)[0])  # read_onnx without its last net
    except ModelError as error:
        line = str(named_error(path, error))
        return "refused" if line.isprintable() and len(line) < 1000 else f"not one line: {error!r}"
    except BaseException as error:  # whatever else comes of it is what is looked for
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})"
    return "read"


def findings(count: int, seed: int) -> tuple[Counter[str], list[Finding]]:
    """Return how many files were read and refused, and what else came."""
    rng, whole = np.random.default_rng(seed), bases()
    counted: Counter[str] = Counter()
    found: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.onnx"
        for number in range(count):
            name = sorted(whole)[int(rng.integers(len(whole)))]
            content = mutated(whole[name], rng)
            path.write_bytes(content)
            what = outcome(path)
            counted[what if what in ("read", "refused") else "other"] += 1
            if what not in ("read", "refused"):
                found.append(Finding(f"{name}-{seed}-{number}", what, content))
    return counted, found


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"not done after {MOST_S} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that are findings")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _late)
    counted: Counter[str] = Counter()
    for start in range(given.seed, given.seed + given.count):
        signal.alarm(MOST_S)
        some, found = findings(1, start)
        signal.alarm(0)
        counted += some
        for finding in found:
            sys.stdout.write(f"{finding.name}: {finding.what}\n")
            if given.keep is not None:
                given.keep.mkdir(parents=True, exist_ok=True)
                (given.keep / f"{finding.name}.onnx").write_bytes(finding.content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(f"{dict(counted)}, at most {peak / 2**20:.0f} MiB\n")
    return int(counted["other"] > 0 or peak > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
