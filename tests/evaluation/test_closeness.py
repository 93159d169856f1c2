from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.evaluation.closeness import SCORE, Closeness, score, summarize

NAN, INF = math.nan, math.inf


def closeness(pairs: list[tuple[Any, Any]], is_real: bool = True) -> Closeness:
    """Figures of pairs (model, reference)."""
    arrays = ((np.asarray(a), np.asarray(b)) for a, b in pairs)
    return summarize(np.array([score(a, b, is_real) for a, b in arrays], SCORE), False)


def test_two_samples_by_hand() -> None:
    found = closeness([([1.0, 2.0], [1.0, 4.0]), ([3.0, 0.0], [2.0, 0.0])])
    assert found.n == 2
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == pytest.approx(10 * math.log10((17 + 4) / (4 + 1)))
    assert found.sqnr_db.low is not None
    assert found.cosine is not None
    assert found.cosine.value == pytest.approx((9 / math.sqrt(5 * 17) + 1) / 2)
    assert found.max_error is not None
    assert (found.max_error.value, found.max_error.sample, found.max_error.peak) == (2, 0, 4)
    assert found.equal is not None
    assert found.equal.value == 50


def test_error_and_noise_are_those_of_wide_numbers() -> None:
    big = np.full(100_000, 1000.0, np.float16)
    found = closeness([(big, big + np.float16(1))])
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == pytest.approx(20 * math.log10(1001), abs=1e-6)


def test_integers_keep_their_size() -> None:
    found = closeness([([[-128, 7]], [[127, 7]])], is_real=False)
    assert found.max_error is not None
    assert found.max_error.value == 255
    codes: npt.NDArray[Any] = np.array([200, 3], np.uint8)
    unsigned = closeness([(codes, codes[::-1])], is_real=False)
    assert unsigned.max_error is not None
    assert unsigned.max_error.value == 197
    assert unsigned.equal is not None
    assert unsigned.equal.value == 0


def test_texts_and_conditions() -> None:
    texts = closeness([(np.array([b"a", b"b"], object), np.array([b"a", b"c"], object))], False)
    assert texts.equal is not None
    assert texts.equal.value == 50
    assert (texts.sqnr_db, texts.max_error) == (None, None)
    conditions = closeness([([True, False, True, True], [True, True, True, True])], False)
    assert conditions.equal is not None
    assert conditions.equal.value == 75


@pytest.mark.parametrize("both", [NAN, INF, -INF])
def test_what_both_say_of_no_number_is_no_error(both: float) -> None:
    found = closeness([([both, 1.0], [both, 2.0])])
    assert found.not_finite == 1
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == pytest.approx(10 * math.log10(4))


@pytest.mark.parametrize(("model", "reference"), [(NAN, 1.0), (1.0, NAN), (INF, -INF), (INF, NAN)])
def test_what_one_alone_says_is_the_worst_error(model: float, reference: float) -> None:
    found = closeness([([1.0, 1.0], [1.0, 1.0]), ([model, 1.0], [reference, 1.0])])
    assert found.not_finite == 1
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == -INF
    assert found.max_error is not None
    assert (found.max_error.value, found.max_error.sample) == (INF, 1)


def test_samples_of_another_shape_leave_the_figures_to_the_others() -> None:
    found = closeness([([1.0], [1.0, 2.0]), ([1.0], [1.0]), ([2.0, 2.0], [2.0, 1.0])])
    assert found.same_shape.value == pytest.approx(200 / 3)
    assert found.max_error is not None
    assert (found.max_error.value, found.max_error.sample) == (1, 2)
    assert not found.is_identical


def test_outputs_without_values_are_equal() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert closeness([(empty, empty)]).is_identical
