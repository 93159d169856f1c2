"""How well classifiers do by labels, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_eq.evaluation.evaluator import Evaluation, ModelResult
from tflite_eq.evaluation.intervals import Estimate

_HEADER = ("model", "MB", "top-1 %", "drop", "top-5 %", "agreement %", "cosine", "SQNR dB", "n")
_NOTHING = "-"


def label_table(result: Evaluation) -> str:
    """One line per model, values with their intervals, and how it was measured."""
    lines = aligned([_HEADER, *(_row(model) for model in result.models)])
    lines.append(
        f"Judged as classifiers, by the labels: one output, a vector of {result.classes} classes. "
        f"Logits on {result.runtime}, {result.kernels.value} kernels; [95 % interval]."
    )
    if any(model.is_reference for model in result.models):
        lines.append(
            "Drop is top-1 of the reference (*) minus top-1, in points; agreement, cosine and "
            "SQNR compare with the reference."
        )
    return "\n".join(lines)


def _row(model: ModelResult) -> tuple[str, ...]:
    figures = model.metrics
    return (
        f"{model.name}{' *' if model.is_reference else ''}",
        f"{model.size_bytes / 1e6:.2f}",
        _shown(figures.top1, 1),
        _NOTHING if model.is_reference else _shown(figures.top1_drop, 1),
        _shown(figures.top5, 1),
        _NOTHING if model.is_reference else _shown(figures.agreement, 1),
        _NOTHING if model.is_reference else _shown(figures.cosine, 4),
        _NOTHING if model.is_reference else _shown(figures.sqnr_db, 1),
        str(figures.n),
    )


def _shown(figure: Estimate | None, digits: int) -> str:
    return _NOTHING if figure is None else figure.text(digits)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to equal width, all but the first to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    ]
