"""The small expression language of `--filter`: what it says, and all that it refuses."""

from __future__ import annotations

import pytest

from qbench.core.trial import Trial
from qbench.errors import SuiteError
from qbench.suite import parse_filter

TRIAL = Trial("bits", "resnet20", "cifar10-shard", "blocks.0.conv1", "w4g32-a8t", "mse")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("bits <= 4 and method == mse", True),
        ("bits<=4 and method==minmax", False),
        ("activation_bits == 8", True),
        ("granularity == group32", True),
        ("scope == full", True),
        ("spec == w4g32-a8t", True),
        ("spec == w8c-a8t", False),
        ("method in [mse, kl]", True),
        ("method not in (mse, kl)", False),
        ("'blocks.0' in layers", True),
        ("not (bits == 8 or method == kl)", True),
        ("2 < bits <= 4", True),
        ("layers != all", True),
        ("format == uniform", True),
        ("bits in [2, 4]", True),
        ("sweep == 'bits'", True),
    ],
)
def test_an_expression_says_what_it_reads_like(text: str, holds: bool) -> None:
    assert parse_filter(text)(TRIAL) is holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bitz <= 4", "no field in 'bitz <= 4'; did you mean 'bits'?"),
        ("3 < 4", "no field in '3 < 4'"),
        ("__import__('os').system('true')", "expected a comparison"),
        ("bits.real == bits", "'bits.real' is not allowed"),
        ("bits.real == 4", "no field in 'bits.real == 4'"),
        ("bits == (lambda: 4)()", "is not allowed"),
        ("bits == [b for b in (4,)]", "is not allowed"),
        ("bits == 2 + 2", "'2 + 2' is not allowed"),
        ("bits == -1", "'-1' is not allowed"),
        ("bits is 4", "is not allowed"),
        ("bits == None", "'None' is not allowed"),
        ("bits <", "cannot be read at column"),
        ("layers == blocks.0.conv1", "put names that hold dots in quotes"),
        ("bits < mse", "not supported between"),
        ("sweep == bits", "'sweep == bits' compares text with a number; put words that are fields in quotes"),
        ("", "cannot be read"),
        ("bits", "expected a comparison"),
        ("bits and method == mse", "expected a comparison"),
        ("bits in method", "filter 'bits in method'"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, expected: str) -> None:
    with pytest.raises(SuiteError) as caught:
        parse_filter(text)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
