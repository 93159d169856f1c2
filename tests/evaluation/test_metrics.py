from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tflite_eq.evaluation.metrics import SCORE, Scores, score, summarize

NAMES = SCORE.names or ()


def scores(*entries: tuple[object, ...]) -> Scores:
    return np.array(list(entries), SCORE)


def scored(logits: list[float], label: int, reference: list[float]) -> dict[str, float]:
    entry = score(np.array(logits, np.float32), label, np.array(reference, np.float32))
    return dict(zip(NAMES, entry))


def test_one_image_by_hand() -> None:
    entry = scored([1, 2, 2], 2, [0, 2, 1])
    assert not entry["top1"]  # class 1 has the same logit and comes first
    assert entry["top5"]
    assert entry["agrees"]
    assert entry["cosine"] == pytest.approx(6 / math.sqrt(9 * 5))
    assert entry["signal"] == 5
    assert entry["noise"] == 2


def test_top5_counts_the_five_largest_logits() -> None:
    logits = [9.0, 8.0, 7.0, 6.0, 5.0, 5.0, 1.0]
    found = [scored(logits, label, logits)["top5"] for label in range(7)]
    assert found == [True, True, True, True, True, False, False]


@given(arrays(np.int8, 12), st.integers(0, 11))
def test_ranks_are_those_of_a_stable_sort(logits: np.ndarray, label: int) -> None:
    order = np.argsort(-logits.astype(int), kind="stable")
    entry = scored(logits.tolist(), label, logits.tolist())
    assert entry["top1"] == (order[0] == label) == (logits.argmax() == label)
    assert entry["top5"] == (label in order[:5])


def test_vectors_of_zeros() -> None:
    assert scored([0, 0], 0, [0, 0])["cosine"] == 1
    assert scored([1, 0], 0, [0, 0])["cosine"] == 0


def test_rates_have_wilson_intervals() -> None:
    result = summarize(
        scores((1, 1, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0))
    )
    assert result.n == 4
    assert result.top1.value == 25
    assert (result.top1.low, result.top1.high) == pytest.approx((4.559, 69.936), abs=1e-3)
    assert result.top5.value == 75
    assert result.agreement is result.cosine is result.sqnr_db is result.top1_drop is None


def test_comparison_with_the_reference_by_hand() -> None:
    model = scores(
        (True, True, True, 1.0, 90.0, 1.0),
        (False, True, True, 0.8, 10.0, 0.0),
        (False, True, False, 0.6, 0.0, 0.0),
        (True, True, False, 0.8, 0.0, 0.0),
    )
    reference = scores(*[(hit, True, True, 1.0, 0.0, 0.0) for hit in (True, True, True, False)])
    result = summarize(model, reference)
    assert result.agreement is not None
    assert result.agreement.value == 50
    assert result.cosine is not None
    assert result.cosine.value == pytest.approx(0.8)
    # Three degrees of freedom; a mean of cosines does not exceed 1.
    assert result.cosine.low == pytest.approx(0.8 - 3.182 * math.sqrt(0.08 / 3 / 4), rel=5e-3)
    assert result.cosine.high == 1
    assert result.sqnr_db is not None
    assert result.sqnr_db.value == pytest.approx(20)
    # Two lost, one gained, one alike: (3 - 2) / 6 -+ 1.96 sqrt((5 / 6 - 1 / 36) / 6).
    assert result.top1_drop is not None
    assert result.top1_drop.value == 25
    spread = 1.959964 * math.sqrt((5 / 6 - 1 / 36) / 6)
    assert result.top1_drop.low == pytest.approx(100 * (1 / 6 - spread))
    assert result.top1_drop.high == pytest.approx(100 * (1 / 6 + spread))


def test_an_identical_model_has_no_noise() -> None:
    logits = [1.0, 2.0, 3.0]
    entry = score(np.array(logits), 0, np.array(logits))
    result = summarize(scores(entry, entry), scores(entry, entry))
    assert result.sqnr_db is not None
    assert result.sqnr_db.value == math.inf
    assert result.to_dict()["sqnr_db"] == {"value": None, "low": None, "high": None}
    assert result.top1_drop is not None
    assert result.top1_drop.low != result.top1_drop.high
    json.dumps(result.to_dict(), allow_nan=False)


def test_one_image_is_enough() -> None:
    entry = scores(score(np.array([1.0, 2.0]), 0, np.array([2.0, 1.0])))
    result = summarize(entry, entry)
    assert result.sqnr_db is not None
    assert result.sqnr_db.low is result.sqnr_db.high is None


def test_interval_of_sqnr_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    drawn = np.zeros(400, SCORE)
    drawn["signal"] = rng.gamma(5, 2, 400)
    drawn["noise"] = drawn["signal"] * rng.gamma(2, 0.05, 400)
    result = summarize(drawn, drawn)
    again = []
    for _ in range(2000):
        picked = drawn[rng.integers(0, 400, 400)]
        again.append(10 * np.log10(picked["signal"].sum() / picked["noise"].sum()))
    assert result.sqnr_db is not None
    assert result.sqnr_db.low is not None
    assert result.sqnr_db.high is not None
    width = result.sqnr_db.high - result.sqnr_db.low
    assert width == pytest.approx(2 * 1.966 * np.std(again), rel=0.1)


@given(st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_scale_moves_neither_cosine_nor_sqnr(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, noise = rng.standard_normal((2, 20))
    plain = scores(score(reference + 0.1 * noise, 3, reference))
    scaled = scores(score(factor * (reference + 0.1 * noise), 3, factor * reference))
    first, second = summarize(plain, plain), summarize(scaled, scaled)
    assert first.cosine is not None
    assert second.cosine is not None
    assert first.sqnr_db is not None
    assert second.sqnr_db is not None
    assert second.cosine.value == pytest.approx(first.cosine.value)
    assert second.sqnr_db.value == pytest.approx(first.sqnr_db.value)
