"""What the pages of measured accuracy share: Markdown tables and their cells.

A result is an object with the names of the model and of what was done to it, and the evaluator's
figures of the float and of the quantized model, ``float`` and ``quantized``.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tflite_eq.evaluation.intervals import shown

Results = Sequence[dict[str, Any]]


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


def with_interval(metrics: dict[str, Any], key: str) -> str:
    """A figure with its 95 % confidence interval."""
    return shown(metrics[key], 1)


def value(metrics: dict[str, Any], key: str) -> float:
    """A figure of the evaluator's."""
    entry = metrics[key]
    return float(entry["value"] if isinstance(entry, dict) else entry)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the heading."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(rows[0]), line(["---"] * len(rows[0])), *map(line, rows[1:])])
