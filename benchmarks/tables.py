"""What the pages of measured accuracy share: Markdown tables and their cells.

A result is an object with the names of the model and of what was done to it, and the evaluator's
figures of the float and of the quantized model, ``float`` and ``quantized``. Earlier versions of
the evaluator gave standard errors in place of intervals; what they measured is shown with these,
too, and marked where these are made of standard errors.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from tflite_eq.evaluation.intervals import Estimate, around, rate, shown, student_quantile

Results = Sequence[dict[str, Any]]

# Behind intervals that are made of standard errors.
MARK = "†"

# Shares of the samples, in percent.
_RATES = ("agreement", "top1", "top5")


def models_of(results: Results) -> list[str]:
    """The models that were measured, in order."""
    return list(dict.fromkeys(r["model"] for r in results))


def model_title(results: Results) -> str:
    """Name, number of validation images and top-1 of the float model of some results."""
    metrics = results[0]["float"]
    n, top1 = value(metrics, "n"), value(metrics, "top1")
    return f"{results[0]['model']} ({n:.0f}, {top1:.1f})"


def figures_cell(runs: Results) -> str:
    """Agreement, SQNR and drop of top-1, of several runs the mean; empty without any."""
    if not runs:
        return ""

    def mean(key: str) -> float:
        return statistics.fmean(value(r["quantized"], key) for r in runs)

    return f"{mean('agreement'):.1f} / {mean('sqnr_db'):.1f} / {mean('top1_drop'):.1f}"


def over_draws(runs: Results, key: str) -> Estimate:
    """The mean of several draws of calibration images, for other draws and validation images.

    All draws are judged on the same validation images, so that what these leave open does not
    become less with the number of draws: its half width is the mean of the draws' own, and the
    half width of Student's interval for the mean of the draws is added to it in squares. A single
    draw keeps its interval.
    """
    return mean_of_draws([r["quantized"][key] for r in runs], 100.0 if key in _RATES else math.inf)


def mean_of_draws(figures: Results, largest: float = math.inf) -> Estimate:
    """The same of the figures themselves, each with its ``value``, ``low`` and ``high``.

    Args:
        figures: One per draw.
        largest: No interval ends above it.
    """
    if len(figures) == 1:
        [only] = figures
        return Estimate(only["value"], only["low"], only["high"])
    values = [figure["value"] for figure in figures]
    images = statistics.fmean((figure["high"] - figure["low"]) / 2 for figure in figures)
    error = statistics.stdev(values) / math.sqrt(len(values))
    draws = student_quantile(len(values) - 1) * error
    centre, reach = statistics.fmean(values), math.hypot(images, draws)
    return Estimate(centre, centre - reach, min(centre + reach, largest))


def with_interval(metrics: dict[str, Any], key: str) -> str:
    """A figure with its 95 % confidence interval.

    A rate and the number of samples give it exactly; of other figures with a standard error it is
    Student's, and marked.
    """
    entry = metrics[key]
    if "standard_error" not in entry:
        return shown(entry, 1)
    count = int(value(metrics, "n"))
    if key in _RATES:
        return rate(round(entry["value"] * count / 100), count).text(1)
    return around(entry["value"], entry["standard_error"], count).text(1) + MARK


def has_marks(metrics: Sequence[dict[str, Any]]) -> bool:
    """Whether intervals of some figures are made of standard errors."""
    return any(
        isinstance(entry, dict) and "standard_error" in entry
        for figures in metrics
        for key, entry in figures.items()
        if key not in _RATES
    )


def value(metrics: dict[str, Any], key: str) -> float:
    """A figure of the evaluator's."""
    entry = metrics[key]
    return float(entry["value"] if isinstance(entry, dict) else entry)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the heading."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(rows[0]), line(["---"] * len(rows[0])), *map(line, rows[1:])])
