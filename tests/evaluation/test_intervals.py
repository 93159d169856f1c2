from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.intervals import Estimate, mean, paired_difference, rate

counts = st.integers(1, 5000)


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


@given(counts, st.data())
def test_ends_of_a_rate_are_the_rates_that_the_count_just_does_not_reject(
    count: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, count))
    found = rate(hits, count)
    for end in (found.low, found.high):
        assert end is not None
        share = end / 100
        error = math.sqrt(max(share * (1 - share), 0.0) / count)
        if 0 < share < 1:
            assert abs(hits / count - share) == pytest.approx(1.959964 * error, rel=1e-5)
    low, high = ends(found)
    assert 0 <= low <= found.value <= high <= 100
    assert high - low > 0


def test_rates_by_hand() -> None:
    # R. G. Newcombe (1998), Stat. Med. 17:857, table I, method 3, in percent.
    assert ends(rate(81, 263)) == pytest.approx((25.53, 36.62), abs=0.005)
    assert ends(rate(15, 148)) == pytest.approx((6.24, 16.05), abs=0.005)
    assert ends(rate(0, 20)) == pytest.approx((0, 16.11), abs=0.005)
    assert ends(rate(1, 29)) == pytest.approx((0.61, 17.18), abs=0.005)
    assert ends(rate(20, 20)) == pytest.approx((83.89, 100), abs=0.005)


@given(counts, st.data())
def test_no_difference_seen_is_not_none_there_is(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, count))
    gained = data.draw(st.integers(0, count - lost))
    found, swapped = (paired_difference(*c, count) for c in ((lost, gained), (gained, lost)))
    low, high = ends(found)
    assert -100 <= low < high <= 100
    assert low <= found.value <= high
    assert ends(swapped) == pytest.approx((-high, -low))


@pytest.mark.parametrize("count", [50, 200, 1000])
@pytest.mark.parametrize(("lost", "gained"), [(0.01, 0.0), (0.02, 0.02), (0.1, 0.05), (0.3, 0.1)])
def test_paired_intervals_cover_the_truth(count: int, lost: float, gained: float) -> None:
    drawn = np.random.default_rng(3).multinomial(
        count, (lost, gained, 1 - lost - gained), size=4000
    )
    kinds, numbers = np.unique(drawn[:, :2], axis=0, return_counts=True)
    covered = 0
    for (a, b), number in zip(kinds.tolist(), numbers.tolist()):
        low, high = ends(paired_difference(a, b, count))
        covered += number * (low <= 100 * (lost - gained) <= high)
    assert covered / 4000 > 0.935


def test_one_thousand_agreeing_images_do_not_prove_that_all_would() -> None:
    assert rate(1000, 1000).text(1) == "100.0 [99.6, 100.0]"
    assert paired_difference(0, 0, 1000).text(1) == "0.0 [-0.3, 0.3]"


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (9, 2.2622), (30, 2.0423), (999, 1.9623)],
)
def test_student_quantiles(freedom: int, quantile: float) -> None:
    assert intervals.student_quantile(freedom) == pytest.approx(quantile, rel=5e-3)


def test_a_mean_of_ten() -> None:
    values = np.arange(10.0)
    found = mean(values, largest=6.0)
    low, _ = ends(found)
    assert found.value == 4.5
    assert low == pytest.approx(4.5 - 2.2622 * values.std(ddof=1) / math.sqrt(10), rel=1e-4)
    assert found.high == 6.0


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5]])
def test_nothing_is_said_of_a_mean_without_spread(values: list[float]) -> None:
    found = mean(np.array(values))
    assert found == Estimate(0.5, None, None)
    assert found.text(1) == "0.5"


@pytest.mark.parametrize("is_paired", [False, True])
@pytest.mark.parametrize("upper_end", [0.1, 0.5, 3.0, 50.0])
def test_samples_to_reach_is_the_least_number(is_paired: bool, upper_end: float) -> None:
    count = intervals.samples_to_reach(upper_end, is_paired)
    assert intervals.smallest_upper_end(count, is_paired) <= upper_end
    assert intervals.smallest_upper_end(count - 1, is_paired) > upper_end


def test_texts_carry_no_sign_of_zero() -> None:
    assert Estimate(-0.04, -0.01, 0.0).text(1) == "0.0 [0.0, 0.0]"
    assert Estimate(math.inf).text(1) == "inf"


def test_complement_swaps_the_ends() -> None:
    found = Estimate(99.7, 99.0, 99.9).complement(100)
    assert found == Estimate(0.3, 0.1, 1.0)


def test_json_and_back() -> None:
    for estimate in (rate(3, 7), Estimate(math.inf)):
        assert intervals.shown(estimate.to_dict(), 2) == estimate.text(2)
