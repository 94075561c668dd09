"""A wrong baseline stops the run; a right one says what was compared."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.errors import ModelError
from qbench.metrics import Answers
from qbench.metrics.classification import TOP1
from qbench.metrics.fidelity import FIDELITY
from qbench.runner.networks.baseline import check_declared, check_runtimes

IMAGES, CLASSES = 1000, 4


@pytest.fixture
def answers() -> Answers:
    """90 % right."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(IMAGES, CLASSES)).astype(np.float32)
    labels = np.argmax(logits, axis=1)
    labels[: IMAGES // 10] = (labels[: IMAGES // 10] + 1) % CLASSES
    return Answers(logits, labels, TOP1)


def declared(percent: float) -> dict[str, str]:
    return {"dataset": "cifar10", "top1_percent": f"{percent:.2f}"}


def test_float_rounding_between_runtimes_is_borne(answers: Answers) -> None:
    check_runtimes(answers, answers.logits * np.float32(1 + 1e-6))


@pytest.mark.parametrize("factor", [-1.0, 1.01, np.nan])
def test_a_graph_that_answers_otherwise_stops_the_run(answers: Answers, factor: float) -> None:
    with pytest.raises(ModelError, match="fp32 baseline"):
        check_runtimes(answers, answers.logits * np.float32(factor))


def test_on_the_whole_set_the_declared_accuracy_must_be_met_exactly(answers: Answers) -> None:
    assert "found 90.00 %" in check_declared(answers, declared(90.0), data="cifar10", whole=True)
    with pytest.raises(ModelError, match=r"declares 90\.50 %"):
        check_declared(answers, declared(90.5), data="cifar10", whole=True)


def test_on_a_part_of_the_set_the_declared_accuracy_must_be_likely(answers: Answers) -> None:
    check_declared(answers, declared(91.5), data="cifar10-shard", whole=True)
    check_declared(answers, declared(91.5), data="cifar10", whole=False)
    with pytest.raises(ModelError, match=r"declares 95\.00 %"):
        check_declared(answers, declared(95.0), data="cifar10-shard", whole=True)


@pytest.mark.parametrize("metadata", [{}, {"top1_percent": "90"}, {"dataset": "other", "top1_percent": "10"}])
def test_without_a_declaration_on_this_data_only_runtimes_are_compared(
    answers: Answers, metadata: dict[str, str]
) -> None:
    assert "declares no accuracy" in check_declared(answers, metadata, data="own.npz", whole=True)


def test_a_declaration_that_is_no_number_is_an_error(answers: Answers) -> None:
    with pytest.raises(ModelError, match="expected a number"):
        check_declared(answers, {"dataset": "cifar10", "top1_percent": "high"}, data="cifar10", whole=True)


def test_without_labels_two_runtimes_must_still_agree() -> None:
    logits = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    unlabelled = Answers(logits, np.empty(0, np.int64), FIDELITY)
    check_runtimes(unlabelled, logits + np.float32(1e-6))
    with pytest.raises(ModelError, match="got logits 0 dB apart"):
        check_runtimes(unlabelled, np.zeros_like(logits))
    remark = check_declared(unlabelled, {"dataset": "d", "top1_percent": "90"}, data="d", whole=True)
    assert remark == "the images of d carry no labels: rows are compared with fp32's answers only"
