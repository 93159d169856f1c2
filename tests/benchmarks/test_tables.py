"""Figures of earlier evaluators, which had standard errors, stand beside those with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import accuracy_page
from benchmarks.tables import MARK, has_marks, over_draws, with_interval
from tests.benchmarks.entries import figures


def earlier(agreement: float, sqnr_db: float, top1_drop: float, n: int = 1000) -> dict[str, Any]:
    """What an earlier evaluator measured."""
    values = {"agreement": agreement, "sqnr_db": sqnr_db, "top1_drop": top1_drop}
    return {"n": n, **{k: {"value": v, "standard_error": 0.5} for k, v in values.items()}}


def run(variant: str, quantized: dict[str, Any]) -> dict[str, Any]:
    """One entry of a file of results."""
    return {
        **{"model": "a", "variant": variant, "draw": 0, "cpu_seconds": 1.0},
        **{"runtime": "some runtime 1.0", "float": figures(100, 99, 0), "quantized": quantized},
    }


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        (100.0, "100.0 [99.6, 100.0]"),  # n / (n + z^2)
        (0.0, "0.0 [0.0, 0.4]"),
        (50.0, "50.0 [46.9, 53.1]"),  # 50 -+ 98 / sqrt(n), all but
    ],
)
def test_a_rate_and_its_number_of_samples_give_wilsons_interval(
    agreement: float, expected: str
) -> None:
    assert with_interval(earlier(agreement, 20.0, 1.0), "agreement") == expected


def test_standard_errors_of_other_figures_are_made_intervals_and_marked() -> None:
    assert with_interval(earlier(90.0, 20.0, -1.0), "sqnr_db") == f"20.0 [19.0, 21.0]{MARK}"
    assert with_interval(earlier(90.0, 20.0, -1.0), "top1_drop") == f"-1.0 [-2.0, 0.0]{MARK}"


def test_intervals_that_were_measured_stay_as_they_are() -> None:
    assert with_interval(figures(90.0, 20.0, 1.0), "sqnr_db") == "20.0 [19.0, 21.0]"
    assert not has_marks([figures(90.0, 20.0, 1.0)])


def test_draws_and_images_both_widen_the_interval_of_a_mean() -> None:
    """Of values 1 apart: deviation 1, Student's quantile with two degrees of freedom 4.303."""
    runs = [run("int8", figures(90, 20 + i, 1)) for i in range(3)]
    reach = np.hypot(1, 4.3027 / np.sqrt(3))
    found = over_draws(runs, "sqnr_db")
    assert found.value == 21
    np.testing.assert_allclose([found.low, found.high], [21 - reach, 21 + reach], rtol=1e-4)
    assert over_draws(runs[:1], "sqnr_db").text(1) == "20.0 [19.0, 21.0]"


def test_no_rate_is_above_all() -> None:
    runs = [run("int8", figures(agreement, 20, 1)) for agreement in (98.5, 99.5)]
    assert over_draws(runs, "agreement").high == 100


def test_the_page_has_means_and_every_draw() -> None:
    second = {**run("int7", figures(82, 16, 2)), "draw": 1}
    text = accuracy_page.render([run("int7", figures(80, 15, 2)), second])
    assert "| a (1000, 70.0) | 81.0 / 15.5 / 2.0 |" in text
    line = "| a | INT7 | 1 | 82.0 [81.0, 83.0] | 16.0 [15.0, 17.0] | 2.0 [1.0, 3.0] | 1 |  |"
    assert line in text


def test_what_is_spent_on_precision_is_what_was_kept_of_it() -> None:
    kept = "5 layers with 9.0 % of the multiplications keep 8-bit inputs, which cause 87 % of"
    split = (
        "channels of 1 layer are written twice, half a step apart, for 7.8 % more multiplications"
    )
    assert accuracy_page.spent([kept, f"{split} and 2.2 KiB"]) == "split +7.8 %, 8 bits 9.0 %"
    assert accuracy_page.spent([f"not kept, for it gains nothing beyond chance: {split}"]) == ""
