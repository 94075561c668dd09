import math

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.metrics import Answers, Scored, load_task, logits, measured, size, tensor


def test_sqnr_of_an_error_of_a_tenth_is_20_db() -> None:
    x = np.linspace(-3, 3, 101)
    assert tensor.sqnr_db(x, 0.9 * x) == pytest.approx(20.0)


def test_equal_tensors_have_infinite_sqnr_and_no_score() -> None:
    x = np.arange(4.0)
    assert tensor.sqnr_db(x, x) == math.inf
    assert tensor.weight_sqnr(x, x).value is None
    assert tensor.sqnr_db(np.zeros(3), np.ones(3)) == -math.inf


def test_floor_is_biased_by_half_a_step_and_rounding_is_not() -> None:
    x = np.random.default_rng(0).uniform(0, 1, 100_000)
    step = 1 / 255
    assert tensor.weight_bias(x, np.floor(x / step) * step, step=step).value == pytest.approx(-0.5, abs=0.01)
    assert tensor.weight_bias(x, np.rint(x / step) * step, step=step).value == pytest.approx(0.0, abs=0.01)
    gain = tensor.sqnr_db(x, np.rint(x / step) * step) - tensor.sqnr_db(x, np.floor(x / step) * step)
    assert gain == pytest.approx(10 * math.log10(4), abs=0.1)


def test_a_step_of_zero_is_left_out() -> None:
    assert tensor.weight_bias(np.zeros((1, 3)), np.zeros((1, 3)), step=np.zeros((1, 1))).value is None


def test_kl_equals_scipys_entropy() -> None:
    from scipy.special import softmax
    from scipy.stats import entropy

    random = np.random.default_rng(2)
    ref, new = random.normal(size=(50, 10)) * 3, random.normal(size=(50, 10)) * 3
    expected = float(np.mean(entropy(softmax(ref, axis=1), softmax(new, axis=1), axis=1)))
    assert logits.logit_kl(ref, new).value == pytest.approx(expected, rel=1e-9)
    assert logits.logit_kl(ref, ref).value == 0.0


def test_agreement_counts_equal_first_guesses() -> None:
    ref = np.eye(4)
    new = np.eye(4)[[0, 1, 2, 0]]
    score = logits.agreement(ref, new)
    assert score.value == 75.0
    assert logits.logit_sqnr(ref, ref).value is None


def test_logits_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(3, 2\)"):
        logits.logit_sqnr(np.zeros((2, 3)), np.zeros((3, 2)))


def test_bits_per_weight_counts_every_packed_byte() -> None:
    assert size.bits_per_weight(150, weights=200).value == 6.0
    assert size.bits_per_weight(150, weights=0).value is None


def scored(ref: Floats, new: Floats, shape: tuple[int, ...]) -> dict[str, float | None]:
    flat = [values.reshape(len(values), -1) for values in (ref, new)]
    task = load_task("fidelity")
    answers = Answers(flat[0], np.empty(0, np.int64), task, shape)
    found = measured("outputs", Scored(flat[1], answers, task.score(flat[1], answers)))
    return {name: metric.value for name, metric in found.items()}


def test_tokens_and_pixels_each_have_a_first_guess() -> None:
    ref = np.zeros((2, 4, 3), np.float32)
    ref[..., 0] = 1.0
    new = ref.copy()
    new[0, 0, 2] = 2.0  # one of four tokens of one of two samples
    tokens = scored(ref, new, (4, 3))
    assert tokens["agreement_percent"] == 87.5
    pixels = scored(ref.transpose(0, 2, 1), new.transpose(0, 2, 1), (3, 2, 2))
    assert pixels == pytest.approx(tokens)
    other = logits.logit_kl(ref.reshape(8, 3), new.reshape(8, 3)).value
    assert tokens["logit_kl_nats"] == pytest.approx(other)


def test_a_sample_counts_once_whatever_its_vectors_shape_is() -> None:
    random = np.random.default_rng(3)
    ref, new = random.normal(size=(2, 40, 10)).astype(np.float32)
    plain = logits.agreement(ref, new)
    for shape in ((), (10,), (1, 10), (10, 1, 1)):
        assert logits.agreement(ref, new, shape=shape) == plain
        assert scored(ref, new, shape)["agreement_percent"] == plain.value


@pytest.mark.parametrize("shape", [(1,), (1, 6, 6), (36, 1), (1, 1)])
def test_what_tells_no_classes_apart_has_no_guess(shape: tuple[int, ...]) -> None:
    ref, new = np.random.default_rng(4).normal(size=(2, 5, math.prod(shape))).astype(np.float32)
    found = scored(ref, new, shape)
    assert set(found) == {"logit_sqnr_db"}
