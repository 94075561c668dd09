"""How a convolution is computed: a word that may follow a spec or a kernel variant, e.g. `w8c-a8t+direct`.

`direct` sums up products of codes; `winograd` those of transformed 4 x 4 tiles, a quarter as many, to the same
integers. Without a word, `auto`, each layer takes what is estimated to be the faster, as it does in networks.
"""

from __future__ import annotations

from typing import Literal, get_args

from qbench.errors import QBenchError, suggest

Algorithm = Literal["auto", "direct", "winograd"]


def split_algorithm(text: str) -> tuple[str, Algorithm]:
    """Return what comes before the algorithm, and the algorithm; raise QBenchError when there is none of that name."""
    name, plus, word = text.partition("+")
    for known in get_args(Algorithm):
        if word == known or not plus:
            return name, known
    expected = ", ".join(get_args(Algorithm))
    raise QBenchError(f"'{text}': expected {expected} after the '+', got '{word}'{suggest(word, get_args(Algorithm))}")
