"""Intervals of figures: formulas where there are some, a bootstrap where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.tasks.figures import Decibels, Figure, Mean, Pooled, Rate

VALUES = np.random.default_rng(1).normal(5, 2, 200)


def as_pooled(entries: list[float]) -> object:
    values = np.array(entries)
    return lambda counts: float(counts @ values / counts.sum())


def test_a_bootstrap_of_a_mean_is_close_to_students_interval() -> None:
    drawn, known = Pooled(as_pooled).estimate(VALUES), intervals.mean(VALUES)
    assert drawn.value == pytest.approx(known.value)
    assert drawn.low == pytest.approx(known.low, abs=0.1)
    assert drawn.high == pytest.approx(known.high, abs=0.1)


def test_a_bootstrap_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(100):
        found = Pooled(as_pooled).estimate(rng.normal(0, 1, 40))
        hits += found.low <= 0 <= found.high
    assert 88 <= hits <= 99


def test_a_bootstrap_is_the_same_every_time() -> None:
    first, second = (Pooled(as_pooled).estimate(VALUES) for _ in range(2))
    assert first == second
    assert Pooled(as_pooled).estimate(VALUES[:-1]) != first


def test_one_sample_and_equal_ones_have_no_interval() -> None:
    assert Pooled(as_pooled).estimate([3.0]) == intervals.Estimate(3.0)
    assert Pooled(as_pooled).estimate([3.0] * 9) == intervals.Estimate(3.0)


def test_drawings_that_tell_nothing_are_left_out() -> None:
    def pool(entries: list[float]) -> object:
        return lambda counts: math.nan if counts[0] > 1 else float(counts @ np.array(entries))

    found = Pooled(pool).estimate(list(range(10)))
    assert found.value == 45
    assert found.low < 45 < found.high


@pytest.mark.parametrize(
    "statistic",
    [
        Mean(lambda value: value),
        Pooled(as_pooled),
        Rate(lambda value: value > 5),
    ],
)
def test_a_difference_on_the_same_samples_is_known_better_than_either(statistic: object) -> None:
    worse = VALUES - 0.1 - 0.01 * np.cos(np.arange(len(VALUES)))
    found = statistic.difference(VALUES, worse)
    either = statistic.estimate(VALUES)
    expected = statistic.estimate(VALUES).value - statistic.estimate(worse).value
    assert found.value == pytest.approx(expected)
    assert found.high - found.low < (either.high - either.low) / 1.5


def test_decibels_lost_are_those_of_the_noises() -> None:
    noise = np.linspace(1, 2, 50)
    statistic = Decibels(lambda entry: 4.0, lambda entry: entry)
    lost = statistic.difference(noise, noise * 10)
    assert lost.value == pytest.approx(10)
    assert statistic.difference(noise * 0, noise * 0).value == 0
    first, second = statistic.estimate(noise).value, statistic.estimate(noise * 10).value
    assert first - second == pytest.approx(lost.value)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_loss_is_positive_where_the_model_is_worse(higher_is_better: bool) -> None:
    figure = Figure("f", "f", "%", higher_is_better, Mean(lambda value: value), 1, "")
    shift = -2.0 if higher_is_better else 2.0
    assert figure.loss(VALUES, VALUES + shift).value == pytest.approx(2)
    assert figure.loss_unit == "points"
