"""Words become the pieces that BERT's own tokenizer makes of them; documents are used once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qbench.errors import DataError
from qbench.zoo.networks.minilm import CENTROIDS, CHANNELS
from qbench.zoo.text import documents
from qbench.zoo.text.documents import CLASSES, Documents
from qbench.zoo.text.wordpiece import WordPiece, read_tokenizer

PIECES = ["[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", "don", "'", "t", "!", "漢", "字", "a"]


@pytest.fixture
def tokenizer() -> WordPiece:
    content = json.dumps({"model": {"vocab": {piece: i for i, piece in enumerate(PIECES)}}})
    return read_tokenizer(content.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("  CAFÉ\tcafe\u0301 ", ["cafe", "cafe"]),
        ("don't!", ["don", "'", "t", "!"]),
        ("漢字a", ["漢", "字", "a"]),
        ("unknown a", ["[UNK]", "a"]),
        ("a\x00a\u200b", ["[UNK]"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_known_pieces(tokenizer: WordPiece, text: str, expected: list[str]) -> None:
    found = [PIECES[number] for number in tokenizer.encode(text, length=16)]
    assert found == ["[CLS]", *expected, "[SEP]"]


def test_a_long_text_is_cut_and_still_ends_with_its_mark(tokenizer: WordPiece) -> None:
    found = tokenizer.encode("a " * 50, length=8)
    assert len(found) == 8
    assert (PIECES[found[0]], PIECES[found[-1]], set(found[1:-1])) == ("[CLS]", "[SEP]", {PIECES.index("a")})


@pytest.mark.parametrize("content", [b"", b"[]", b'{"model": {}}', b'{"model": {"vocab": {"a": 1}}}'])
def test_a_foreign_tokenizer_is_one_clear_line(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^tokenizer\.json: expected") as caught:
        read_tokenizer(content)
    assert "\n" not in str(caught.value)


def test_documents_keep_the_promises_of_data() -> None:
    ids = np.arange(12 * 4, dtype=np.int64).reshape(12, 4)
    data = Documents("toy", ids[:8], np.arange(8) % 2, ids[8:], ("a", "b"))
    assert (len(data), data.sample_shape, data.labelled) == (8, (4,), True)
    np.testing.assert_array_equal(data.inputs(2, 4), ids[2:4])
    np.testing.assert_array_equal(data.calibration_inputs(4, 1), ids[8:])
    np.testing.assert_array_equal(data.calibration_indices(2, 3), data.calibration_indices(2, 3))
    assert data.sha256 != Documents("toy", ids[:8], 1 - np.arange(8) % 2, ids[8:], ("a", "b")).sha256
    with pytest.raises(DataError, match=r"expected 1\.\.4 calibration samples, got 5"):
        data.calibration_inputs(5, 0)


def test_documents_that_are_calibrated_on_may_not_be_evaluated() -> None:
    ids = np.arange(8, dtype=np.int64).reshape(4, 2)
    with pytest.raises(DataError, match="1 calibration documents are evaluation documents too"):
        Documents("toy", ids[:3], np.zeros(3, np.int64), ids[2:], ("a",))


def test_news_are_divided_without_overlap_and_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.arange(40 * 3, dtype=np.int64).reshape(40, 3)
    monkeypatch.setattr(documents, "bbc_news", lambda: (ids, np.tile(np.arange(5), 8), np.repeat(np.arange(8), 5) % 4))
    data = documents.load_bbc_news()
    apart, _ = documents.centroid_documents()
    assert (len(data), len(data.calibration), len(apart)) == (20, 10, 10)
    assert data.labels[:5].tolist() == [0, 1, 2, 3, 4]
    assert len(np.unique(np.concatenate([data.ids, data.calibration, apart]), axis=0)) == 40


def test_the_packaged_centroids_are_of_length_one_and_of_every_class() -> None:
    facts = json.loads(CENTROIDS.read_text(encoding="utf-8"))
    centroids = np.asarray(facts["centroids"]) / facts["denominator"]
    assert tuple(facts["classes"]) == CLASSES
    assert centroids.shape == (5, CHANNELS)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-3)
