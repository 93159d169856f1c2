"""Judging values as if models had given them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.evaluation.tasks.base import NetworkTask


def entries(task: NetworkTask, found: Sequence[Any], truth: Sequence[Any]) -> list[Any]:
    """Entries of what models give against ground truth."""
    return [task.scored(task.form(f), task.truth(t)) for f, t in zip(found, truth)]


def figures(task: NetworkTask, found: Sequence[Any], truth: Sequence[Any]) -> dict[str, Estimate]:
    """All figures against ground truth, by name."""
    made = entries(task, found, truth)
    return {f.name: f.statistic.estimate(made) for f in task.figures(True)}


def figures_beside(
    task: NetworkTask, found: Sequence[Any], reference: Sequence[Any]
) -> dict[str, Estimate]:
    """All figures against what the float model gives, by name."""
    made = [
        task.scored(task.form(f), task.expected(task.form(r))) for f, r in zip(found, reference)
    ]
    return {f.name: f.statistic.estimate(made) for f in task.figures(False)}
