"""Figures of earlier evaluators, which had standard errors, stand beside those with intervals."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import accuracy_page
from benchmarks.tables import MARK, has_marks, with_interval
from tests.benchmarks.entries import figures

MARKED = "Those with †"


def earlier(agreement: float, sqnr_db: float, top1_drop: float, n: int = 1000) -> dict[str, Any]:
    """What an earlier evaluator measured."""
    values = {"agreement": agreement, "sqnr_db": sqnr_db, "top1_drop": top1_drop}
    return {"n": n, **{k: {"value": v, "standard_error": 0.5} for k, v in values.items()}}


def run(variant: str, quantized: dict[str, Any]) -> dict[str, Any]:
    """One entry of a file of results."""
    return {
        **{"model": "a", "variant": variant, "seed": 0, "cpu_seconds": 1.0},
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


def test_the_page_says_what_is_marked_where_something_is() -> None:
    anew = [run("int8", figures(90, 20, 1))]
    assert MARKED not in accuracy_page.render(anew)
    text = accuracy_page.render([*anew, run("int7", earlier(80, 15, 2))])
    assert " ".join(text.split()).count(MARKED) == 1
    assert "| a | INT7 | 0 | 80.0 [77.4, 82.4] | 15.0 [14.0, 16.0]† | 2.0 [1.0, 3.0]† | 1 |" in text
