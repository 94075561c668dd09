"""Tasks: which score counts, which way is better, and what two rows of a task say of each other."""

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.errors import ResultsError
from qbench.metrics import (
    METRICS,
    TASKS,
    Answers,
    MetricKind,
    Scored,
    Scores,
    Task,
    load_task,
    measured,
    pack_scores,
    task_of,
    unpack_scores,
)  # fmt: skip
from qbench.metrics.accuracy import among_best, correct
from qbench.metrics.classification import CROSS_ENTROPY, LARGEST_NATS, TOP1, TOP5
from qbench.metrics.fidelity import FIDELITY, LARGEST_DB
from qbench.metrics.pair import Pair
from qbench.metrics.paired import drop, mcnemar_midp
from qbench.metrics.task import stored_scores


def answers(task: Task, *, count: int = 60, classes: int = 10) -> Answers:
    random = np.random.default_rng(1)
    logits = random.normal(size=(count, classes)).astype(np.float32)
    return Answers(logits, random.integers(0, classes, count), task)


def worse(logits: Floats, noise: float) -> Floats:
    moved = logits + noise * np.random.default_rng(2).normal(size=logits.shape)
    return np.asarray(moved, np.float32)


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_says_what_it_scores(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.title
    assert task.doc
    assert task.matters > 0
    assert not {kind.name for kind in task.kinds} & set(METRICS)
    reference = answers(task)
    scores = task.score(worse(reference.logits, 0.5), reference)
    assert scores.each.shape == reference.labels.shape
    assert (scores.each.dtype == np.bool_) == task.binary
    value = task.summary(scores.each)
    assert (value.unit, value.better) == (task.primary.unit, task.primary.better)
    assert value.low is not None
    assert value.low <= (value.value or 0.0)


@pytest.mark.parametrize("name", list(TASKS))
def test_a_row_keeps_its_scores_and_gives_them_back_to_the_last_bit(name: str) -> None:
    from qbench.core.trial import Trial, TrialResult

    task = load_task(name)
    reference = answers(task)
    scores = task.score(worse(reference.logits, 0.7), reference)
    row = TrialResult(Trial("s", "m", "d", "all", "w8c-a8t", "mse"), "", "ok", **scores.stored)
    again = stored_scores(row, len(scores.each))
    assert again is not None
    assert again.tobytes() == scores.each.tobytes()
    assert bool(row.correct) == task.binary
    assert bool(row.scores) != task.binary


def test_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ResultsError, match="expected 12 bytes for 3 samples, got 8"):
        unpack_scores(pack_scores([1.0, 2.0]), 3)
    with pytest.raises(ResultsError, match="not base64"):
        unpack_scores("?", 1)
    with pytest.raises(ValueError, match="finite score per sample"):
        Scores(np.array([1.0, np.nan]))


def test_the_data_choose_the_task_unless_it_is_named() -> None:
    assert task_of("", labelled=True) is TOP1
    assert task_of("", labelled=False) is FIDELITY
    assert task_of("top5", labelled=True) is TOP5


def test_the_first_of_the_best_is_the_first_guess_ties_and_all() -> None:
    logits = np.round(np.random.default_rng(4).normal(size=(300, 7)), 0).astype(np.float32)
    labels = np.random.default_rng(5).integers(0, 7, 300)
    assert np.array_equal(among_best(logits, labels, count=1), correct(logits, labels))
    order = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    assert np.array_equal(among_best(logits, labels, count=5), np.any(order == labels[:, None], axis=1))
    assert np.all(among_best(logits, labels, count=7))


def test_cross_entropy_is_bounded_whatever_the_answer() -> None:
    outputs = np.array([[0.0, 0.0], [1e6, -1e6], [np.nan, 0.0], [0.0, np.inf]], np.float32)
    reference = Answers(outputs, np.array([0, 1, 0, 0]), CROSS_ENTROPY)
    each = CROSS_ENTROPY.score(outputs, reference).each
    assert each[0] == pytest.approx(np.log(2))
    assert list(each[1:]) == [LARGEST_NATS] * 3


def test_fidelity_is_the_sqnr_of_each_answer() -> None:
    reference = answers(FIDELITY)
    outputs = reference.logits.copy()
    outputs[1] *= 0.9
    outputs[2] = np.nan
    each = FIDELITY.score(outputs, reference).each
    assert each[0] == LARGEST_DB
    assert each[1] == pytest.approx(20.0, abs=1e-4)
    assert each[2] == -LARGEST_DB


def test_right_or_wrong_is_mcnemars_business_to_the_last_bit() -> None:
    reference = answers(TOP1)
    pair = Pair(reference.scores.each, TOP1.score(worse(reference.logits, 1.0), reference).each, TOP1)
    found = drop(pair.reference, pair.each)
    assert pair.loss() == (found.value, found.low, found.high)
    assert pair.p() == mcnemar_midp(pair.reference, pair.each).value
    found_names = ["mcnemar_p", "kept_percent", "right_to_wrong_samples", "wrong_to_right_samples"]
    assert list(measured("pair", pair)) == [*found_names, "keeps_99", "keeps_999"]


def test_where_less_is_better_a_rise_is_a_loss() -> None:
    random = np.random.default_rng(6)
    reference = random.gamma(3.0, size=400)
    noise = 0.01 * random.normal(size=400)
    up, down = (Pair(reference, reference * factor + noise, CROSS_ENTROPY) for factor in (1.2, 0.8))
    assert (up.loss()[0] or 0) > 0 > (down.loss()[0] or 0)
    assert up.kept().value == pytest.approx(100 / 1.2, abs=0.2)
    assert (up.verdict(0.99), down.verdict(0.99)) == ("lost", "kept")
    assert up.verdict(0.80) == "kept"
    assert (up.p() or 0) < 1e-6
    assert "permutation_p" in measured("pair", up)
    assert not {"mcnemar_p", "right_to_wrong_samples"} & {*measured("pair", up)}


def test_where_more_is_better_a_fall_is_a_loss() -> None:
    higher = Task(
        "blue", "blue", "more is better", MetricKind("blue", "", "higher", "a"), MetricKind("less", "", "lower", "b"),
        lambda outputs, _: Scores(outputs[:, 0]),
    )  # fmt: skip
    reference = np.random.default_rng(8).gamma(3.0, size=400)
    down = Pair(reference, reference * 0.8, higher)
    assert (down.loss()[0] or 0) > 0
    assert down.kept().value == pytest.approx(80.0)
    assert down.verdict(0.99) == "lost"


def test_a_share_of_a_negative_score_means_nothing() -> None:
    pair = Pair(np.array([-1.0, 2.0]), np.array([1.0, 1.0]), CROSS_ENTROPY)
    assert pair.kept().value is None
    assert pair.verdict(0.99) == "unsure"


def test_scores_of_classes_are_not_made_of_numbers() -> None:
    numbers = Task(
        "depth", "depth", "squared error",
        MetricKind("mse", "m2", "lower", "a"), MetricKind("rise", "m2", "lower", "b"),
        lambda outputs, known: Scores(np.mean((outputs - known.labels[:, None]) ** 2, axis=1)), outputs="numbers",
    )  # fmt: skip
    reference = answers(numbers)
    scored = Scored(reference.logits, reference, reference.scores)
    assert list(measured("outputs", scored)) == ["logit_sqnr_db"]


def test_a_task_that_contradicts_itself_is_refused() -> None:
    none, lower = MetricKind("n", "", "none", "a"), MetricKind("l", "", "lower", "b")
    with pytest.raises(ValueError, match="more or less is better"):
        Task("t", "t", "d", none, None, TOP1.score)
    with pytest.raises(ValueError, match="being right is better"):
        Task("t", "t", "d", lower, None, TOP1.score, binary=True)
    with pytest.raises(ValueError, match="expected a function"):
        MetricKind("n", "", "none", "a", "outputs")
