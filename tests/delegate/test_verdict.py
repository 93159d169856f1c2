"""What pairs of times say, and expressions that name layers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tflite_eq.delegate.verdict import judge, pattern_of


def noisy(rng: np.random.Generator, mean: float, count: int) -> list[float]:
    """Times with spells in which the machine is twice as slow."""
    spells = np.where(rng.random(count) < 0.1, 2.0, 1.0)
    return [float(v) for v in mean * spells * rng.normal(1, 0.02, count)]


@pytest.mark.parametrize(
    ("without", "delegated", "speed"),
    [(1.0, 0.7, "faster"), (1.0, 1.0, "equal"), (1.0, 1.3, "slower"), (1.0, 1.005, "equal")],
)
def test_noise_does_not_change_the_verdict(without: float, delegated: float, speed: str) -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        found = judge(noisy(rng, without, 50), noisy(rng, delegated, 50))
        assert found.speed == speed
        assert found.low <= found.ratio <= found.high


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for pairs in (6, 9, 20, 51):
        hits = 0
        for _ in range(1000):
            found = judge(list(rng.lognormal(0, 0.3, pairs)), list(rng.lognormal(0, 0.3, pairs)))
            hits += found.low <= 1 <= found.high
        assert 930 <= hits <= 1000, pairs
    assert hits < 980, "an interval that is wider than needed"


def test_few_pairs_are_no_evidence() -> None:
    found = judge([2.0] * 5, [1.0] * 5)
    assert (found.speed, found.ratio, found.pairs) == ("undecided", 2.0, 5)
    assert judge([2.0] * 6, [1.0] * 6).speed == "faster"


def test_noise_that_hides_a_difference_is_no_equality() -> None:
    assert judge([1.0, 2.0] * 10, [1.5] * 20).speed == "undecided"
    assert judge([0.99, 1.01] * 10, [1.0] * 20).speed == "equal"


def test_pairs_belong_together() -> None:
    slow_spell = [1.0, 5.0, 1.1, 9.0, 1.0, 1.2, 3.0, 1.0]
    found = judge(slow_spell, [t * 1.1 for t in slow_spell])
    assert (found.speed, found.low, found.high) == ("slower", 0.9091, 0.9091)
    with pytest.raises(ValueError, match="pairs"):
        judge([1.0], [])


def test_patterns_match_the_names_they_are_made_of() -> None:
    names = ["a/b;c_1", "x[0](y)*+?{2}|^", "p\\q", "it's $5", "naïve"]
    pattern = pattern_of(names)
    assert not set(pattern) & set(";:,'\"`! ")
    for name in names:
        assert re.search(pattern, name)
        assert not re.search(pattern, f"{name}x")
