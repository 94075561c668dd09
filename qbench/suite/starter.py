"""A first suite for a network of the user's: written for people, checked, ready to be changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from qbench.errors import SuiteError
from qbench.graph.readers import READERS
from qbench.peers import PEERS
from qbench.peers.installed import installed
from qbench.suite.load import load_suite
from qbench.zoo import DATASETS, data_for
from qbench.zoo.own_data import checked_source
from qbench.zoo.preprocessing import WORDS, Preprocessing
from qbench.zoo.seeded import is_seeded

REFERENCES = ("onnxruntime-fp32", "onnxruntime-int8", "openvino-fp32", "openvino-bf16", "openvino-int8", "litert-int8")
"""Libraries that a first suite times, those of them that are installed: the fastest of each class is among them."""
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Start:
    """What a first suite is about.

    Args:
        model: path of a file, or name of a packaged network.
        data: path of a file or folder, or a known name.
        how: what is done to the pixels of the user's own images.
        shapes: input -> sizes without the batch, for inputs that the file leaves free.
        limit: evaluate on at most so many samples; None for all.
        threads: threads to run on.
        references: other libraries to time.
    """

    model: str
    data: str
    how: Preprocessing = field(default_factory=Preprocessing)
    shapes: Mapping[str, tuple[int, ...] | float] = field(default_factory=dict)
    limit: int | None = None
    threads: int = 2
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The suite's name: that of the network, of the letters that a suite's name may have."""
        stem = Path(self.model).stem if self.model.lower().endswith(tuple(READERS)) else self.model
        return re.sub(r"[^a-z0-9_-]+", "_", stem.lower()).strip("_-")[:_LONGEST_NAME] or "network"


def started(
    model: str,
    data: str,
    how: Preprocessing,
    shapes: Mapping[str, tuple[int, ...] | float],
    *,
    limit: int | None,
    threads: int,
) -> Start:
    """Return a first suite's subject, with the libraries that are installed and the data that suit.

    Args: as those of `Start`; `data` may be "".

    Raises:
        DataError: no data are named, none are known that suit the network, or what is named leads nowhere.
    """
    here = tuple(name for name in REFERENCES if not installed(PEERS.load(name).distributions)[1])
    return Start(model, checked_source(data_for(model, data)), how, shapes, limit, threads, here)


def write_starter(start: Start, path: Path) -> Path:
    """Write a first suite, with paths as seen from its folder, and return its path once it was read back and checked.

    A file that is there and says something else is kept under another name.

    Raises:
        SuiteError: the file cannot be written, or a value is refused.
    """
    text = starter_text(start, model=_beside(start.model, path, READERS), data=_beside(start.data, path, (".npz",)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _set_aside(path, text)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"{path}: cannot write: {error.strerror or error}") from error
    load_suite(path)
    return path


def _set_aside(path: Path, text: str) -> None:
    """Rename a file that says something else, which a user may have written, to the first name that is free."""
    if path.is_file() and path.read_bytes() != text.encode():
        names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(1))
        path.rename(next(name for name in names if not name.exists()))


def _beside(word: str, path: Path, suffixes: Sequence[str] | Mapping[str, object]) -> str:
    """Return a path as seen from the folder of the suite; a name of something known as it is."""
    named = word in DATASETS or is_seeded(word)
    if named or not (word.lower().endswith(tuple(suffixes)) or os.path.isdir(word)):
        return word
    seen = os.path.relpath(os.path.abspath(word), os.path.abspath(path.parent))
    return seen if "/" in seen or not os.path.isdir(word) else f"./{seen}"


def starter_text(start: Start, *, model: str, data: str) -> str:
    """Return the suite as YAML.

    Args:
        start: what it is about.
        model: the network as the file is to name it.
        data: the data as the file is to name it.
    """
    pixels = "".join(_line(word, value) for word in WORDS if (value := getattr(start.how, word)) is not None)
    shapes = {name: "x".join(map(str, sizes)) for name, sizes in start.shapes.items() if isinstance(sizes, tuple)}
    bound = {name: number for name, number in start.shapes.items() if not isinstance(number, tuple)}
    more = (
        pixels
        + (_line("shapes", shapes) if shapes else "")
        + (_line("bind", bound) if bound else "")
        + (_line("data_limit", start.limit) if start.limit else "")
    )
    return TEXT.format(
        name=start.name,
        title=json.dumps(f"{start.name}: how low it can go, what it loses, what it gains", ensure_ascii=False),
        model=json.dumps(model, ensure_ascii=False),
        data=json.dumps(data, ensure_ascii=False),
        more=more,
        threads=start.threads,
        references=json.dumps(list(start.references)),
    )


def _line(key: str, value: object) -> str:
    return f"{key}: {json.dumps(value, ensure_ascii=False)}\n"


TEXT = """\
# yaml-language-server: $schema=suite.schema.json
# How low can this network go? Run it with `qbench run` and the path of this file; every key is explained in
# suites/README.md of qbench. Change what you like: rows that still hold are not made again.
name: {name}
title: {title}
model: {model}
data: {data}
{more}threads: {threads}
target: {{keep: 0.99}}  # what counts as kept: 99 % of fp32's score, as a test of non-inferiority
timing:
  batch_sizes: [1, 32]
  precision: 0.02
  seconds_a_cell: 1.0
  references: {references}
  winners: 4  # when all is scored: the rows that no smaller one beats, in turns with the references

sweeps:
  # Eight bits, the usual first step, and the ways to choose its ranges.
  - name: eight-bits
    measure: [accuracy, speed]
    spec: w8c-a8t
    recipe: mse
  - name: ranges
    spec: w8c-a8t
    recipe: [minmax, percentile, kl]

  # Fewer bits for weights, which is where the bytes are: rounded to nearest, and so that later weights make up for it.
  - name: weights
    spec: [w6c-a8t, w5c-a8t, w4c-a8t, w3c-a8t, w2c-a8t]
    recipe: [mse, mse/bias, mse+gptq/bias]

  # Finer scales; the first and the last layer, which are the most sensitive as a rule, left at 8 bits.
  - name: finer
    spec: [w4g32-a8t, w3g32-a8t]
    recipe: [mse, mse+gptq/bias]
  - name: edges
    spec: [w4c-a8t, w3c-a8t, w2c-a8t]
    edges: w8c-a8t
    recipe: mse+gptq/bias

  # Fewer bits for activations too.
  - name: activations
    spec: [w6c-a6t, w4c-a4t]
    recipe: [mse, mse+gptq/bias]

  # Which layers hurt: each alone, the others in fp32.
  - name: sensitivity
    layers: each
    scope: weights
    bits: [4, 2]
    recipe: mse
"""
