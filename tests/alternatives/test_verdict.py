from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.alternatives.verdict import best, gains_db, is_closer

Energies = npt.NDArray[np.float64]


def energies(*decibels: float, samples: int = 12, spread: float = 0.3, seed: int = 0) -> Energies:
    """Errors of so many decibels, one column per output; hard samples are hard for all."""
    rng = np.random.default_rng(seed)
    hardness = np.random.default_rng(99).standard_normal((samples, 1)) * 5
    own = rng.standard_normal((samples, len(decibels))) * spread
    return np.asarray(10 ** ((np.asarray(decibels) + hardness + own) / 10))


def test_small_differences_show_beside_samples_of_any_hardness() -> None:
    assert is_closer(energies(-0.5)[:, 0], energies(0.0, seed=1)[:, 0])
    assert not is_closer(energies(0.0, seed=1)[:, 0], energies(-0.5)[:, 0])


def test_one_sample_is_no_majority() -> None:
    """Less error in all, but only because of one sample that all others contradict."""
    other = energies(0.0)[:, 0]
    one = other * 1.3
    other[3], one[3] = 1000.0, 100.0
    assert one.sum() < other.sum()
    assert not is_closer(one, other)
    assert not is_closer(one, one)


def test_a_tie_keeps_what_was_asked_for() -> None:
    rng = np.random.default_rng(5)
    noise = 10 ** (rng.standard_normal((3, 12, 1)) / 10)
    assert best(noise[0], {"other": noise[0].copy()}, noise[2]) is None
    assert best(noise[0], {}, noise[2]) is None


def test_the_output_that_gains_least_decides() -> None:
    base = energies(0.0, 0.0)
    asked = energies(-6.0, 2.0, seed=1)
    even = energies(-1.0, -1.0, seed=2)
    better = energies(-2.0, -2.0, seed=3)
    assert best(asked, {"even": even, "better": better}, base) == "better"
    assert best(better, {"asked": asked, "even": even, "base": base}, base) is None
    assert gains_db(better, base) == pytest.approx([2.0, 2.0], abs=0.5)


def test_min_max_scales_are_kept_where_all_else_is_worse() -> None:
    base = energies(0.0, 0.0)
    assert best(energies(-3.0, 1.0, seed=1), {"min-max": base}, base) == "min-max"
