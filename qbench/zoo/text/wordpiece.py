"""BERT's tokenizer (Devlin et al. 2019): clean, lower, split at punctuation, then the longest known pieces first."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError

Ids = npt.NDArray[np.int64]
_LONGEST_WORD = 100
_CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WordPiece:
    """An uncased vocabulary.

    Args:
        vocabulary: piece -> id; a piece that continues a word begins with `##`.
    """

    vocabulary: dict[str, int]

    def encode(self, text: str, *, length: int) -> list[int]:
        """Return at most `length` ids: [CLS], the pieces of the text from its beginning, [SEP]."""
        pieces: list[int] = []
        for word in _words(text):
            pieces += self._pieces(word)
            if len(pieces) >= length - 2:
                break
        return [self.vocabulary["[CLS]"], *pieces[: length - 2], self.vocabulary["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """Return the ids of the longest known pieces, from left to right; [UNK] where a rest is unknown."""
        unknown = [self.vocabulary["[UNK]"]]
        if len(word) > _LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            stop = next((end for end in ends if prefix + word[start:end] in self.vocabulary), None)
            if stop is None:
                return unknown
            found.append(self.vocabulary[prefix + word[start:stop]])
            start = stop
        return found


def read_tokenizer(content: bytes) -> WordPiece:
    """Return the vocabulary of a `tokenizer.json`; raise DataError when it is of another kind."""
    try:
        model = json.loads(content)["model"]
        vocabulary = {str(piece): int(number) for piece, number in model["vocab"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"tokenizer.json: expected a WordPiece vocabulary: {error!r}") from error
    missing = [piece for piece in ("[CLS]", "[SEP]", "[UNK]") if piece not in vocabulary]
    if missing:
        raise DataError(f"tokenizer.json: expected the piece {missing[0]}, it is not there")
    return WordPiece(vocabulary)


def _words(text: str) -> list[str]:
    """Return lower-case words and punctuation marks without accents."""
    spaced = "".join(_cleaned(letter) for letter in text)
    plain = "".join(letter for letter in unicodedata.normalize("NFD", spaced) if unicodedata.category(letter) != "Mn")
    split = "".join(f" {letter} " if _is_punctuation(letter) else letter for letter in plain.lower())
    return split.split()


def _cleaned(letter: str) -> str:
    code = ord(letter)
    if letter in "\t\n\r" or unicodedata.category(letter) == "Zs":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(letter)[0] == "C":
        return ""
    return f" {letter} " if any(low <= code <= high for low, high in _CHINESE) else letter


def _is_punctuation(letter: str) -> bool:
    code = ord(letter)
    in_ascii = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return in_ascii or unicodedata.category(letter).startswith("P")
