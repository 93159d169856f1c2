from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_eq.alternatives.verdict import (
    MARGIN_DB,
    best,
    falls_below,
    gains_db,
    is_closer,
    lead_db,
)

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


def test_a_lead_is_that_of_the_worst_output_and_sure_in_both_measures() -> None:
    base = energies(0.0, 0.0, samples=16)
    assert lead_db(energies(-5.0, -2.0, samples=16, seed=1), base) == pytest.approx(1.7, abs=0.4)
    assert lead_db(base, base) == 0
    one_sample = base.copy()
    one_sample[3] /= 1000.0
    assert lead_db(one_sample, base) < 0.1
    ahead_but_loud = base / 2
    ahead_but_loud[3] = 3 * base.sum(axis=0)
    assert lead_db(ahead_but_loud, base) < -4


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


def loses(noise: Energies, base: Energies) -> bool:
    """Whether some output is further from float than with ``base``, output by output."""
    for ours, theirs in zip(noise.T, base.T):
        pooled = 10 * np.log10(sum(theirs) / sum(ours))
        single = [10 * np.log10(b / a) for a, b in zip(ours, theirs)]
        error = np.std(single) / np.sqrt(len(single) - 1)
        if pooled < -MARGIN_DB or np.mean(single) + error < -MARGIN_DB:
            return True
    return False


@given(
    seed=st.integers(0, 2**32 - 1),
    outputs=st.integers(1, 4),
    samples=st.integers(6, 40),
    spread=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_what_is_kept_loses_in_no_output(
    seed: int, outputs: int, samples: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 2, (4, outputs))
    base, *found = (
        energies(*middle, samples=samples, spread=spread, seed=seed + number)
        for number, middle in enumerate(middles)
    )
    models = {"asked": found[0], "one": found[1], "other": found[2], "min-max": base}
    others = {name: models[name] for name in ("one", "other", "min-max")}
    kept = best(models["asked"], others, base) or "asked"
    assert not loses(models[kept], base)
    assert falls_below(models["asked"], base).any() == loses(models["asked"], base)


def test_a_gain_in_one_output_does_not_pay_for_a_loss_in_another() -> None:
    """A loss that single samples contradict, so that it is no more than chance on the mean one."""
    base = energies(0.0, 0.0)
    asked = energies(-4.0, -4.0, seed=1)
    is_loud = base[:, 1] > np.median(base[:, 1])
    asked[:, 1] = base[:, 1] * np.where(is_loud, 1.3, 0.7)
    assert -0.5 > gains_db(asked, base)[1] > -2
    assert not is_closer(base[:, 1], asked[:, 1])
    even = energies(-1.0, -1.0, seed=2)
    assert best(asked, {"even": even, "min-max": base}, base) == "even"
    assert best(asked, {"min-max": base}, base) == "min-max"


def test_one_loud_sample_does_not_hide_a_loss_in_all_others() -> None:
    base = energies(0.0)
    asked = base * 10**0.1
    base[3], asked[3] = 1e4, 1e3
    assert gains_db(asked, base)[0] > 5
    assert falls_below(np.delete(asked, 3, axis=0), np.delete(base, 3, axis=0)).all()
    assert not falls_below(asked, base).any()  # a single sample may still make it chance
    many_base, many = (
        np.concatenate([np.repeat(np.delete(e, 3, axis=0), 9, 0), e[3:4]]) for e in (base, asked)
    )
    assert falls_below(many, many_base).all()


def test_the_least_evil_is_kept_where_all_lose() -> None:
    base = energies(0.0)
    others = {"bad": energies(2.0, seed=2), "worse": energies(3.0, seed=3)}
    assert best(energies(6.0, seed=1), others, base) == "bad"
    assert best(energies(1.0, seed=1), others, base) is None
