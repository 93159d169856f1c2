"""Which samples are loud, against samples made so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.statistics.loud_samples import SampleEnds

Array = npt.NDArray[Any]


def ends_of(peaks: Array) -> SampleEnds:
    """Ends of tensors that reach from minus a third of their peak to it; peaks [tensors, n]."""
    return SampleEnds({i: np.stack([-row / 3, row], axis=1) for i, row in enumerate(peaks)})


def alike(tensors: int, count: int = 60, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(0.7, 1.4, (tensors, count))


def test_samples_that_reach_several_times_as_far_are_found_with_their_figures() -> None:
    peaks = alike(10)
    peaks[:, 7] *= 9
    peaks[3, 7] *= 2
    peaks[2:, 41] *= 7
    found = {sample.number: sample for sample in ends_of(peaks).loud_samples()}
    assert found.keys() == {7, 41}
    assert found[7].tensor == 3
    assert found[7].tensors == 10
    assert found[7].times == pytest.approx(peaks[3, 7] / np.median(peaks[3]))
    assert found[41].tensors == 8
    assert found[7].share < found[41].share < 1e-2


def test_the_negative_end_counts_as_much() -> None:
    peaks = alike(4)
    peaks[:, 5] *= 8
    ends = SampleEnds({i: np.stack([-row, row / 3], axis=1) for i, row in enumerate(peaks)})
    assert [sample.number for sample in ends.loud_samples()] == [5]


@pytest.mark.parametrize("seed", range(5))
def test_of_samples_alike_none_is_loud(seed: int) -> None:
    assert ends_of(alike(50, seed=seed)).loud_samples() == []


def test_a_score_that_few_samples_raise_makes_none_of_them_loud() -> None:
    rare = np.zeros((4, 60))
    rare[:, ::17] = 5.0
    spread = np.exp(np.random.default_rng(0).normal(0, 1.5, (4, 60)))
    assert ends_of(np.concatenate([rare, spread])).loud_samples() == []


def test_one_tensor_of_many_is_not_enough() -> None:
    peaks = alike(50)
    peaks[0, 9] *= 20
    assert ends_of(peaks).loud_samples() == []
    assert [sample.number for sample in ends_of(peaks[:10]).loud_samples()] == [9]


def test_few_samples_do_not_tell_what_is_usual() -> None:
    peaks = alike(5, count=19)
    peaks[:, 3] *= 50
    assert ends_of(peaks).loud_samples() == []


def test_how_far_a_sample_reaches_is_told_by_tensors_that_most_samples_reach() -> None:
    ends = np.zeros((2, 5, 2))
    ends[0, :, 1] = [1.0, 2.0, 2.0, 2.0, 6.0]
    ends[1, 0, 1] = 1000.0
    assert SampleEnds({3: ends[0], 7: ends[1]}).reaches().tolist() == [0.5, 1.0, 1.0, 1.0, 3.0]
    assert SampleEnds({}).reaches().tolist() == []
