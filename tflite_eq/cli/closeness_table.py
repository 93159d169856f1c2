"""How close outputs are to a reference's, as a table for the terminal."""

from __future__ import annotations

import math

from tflite_eq.evaluation.comparison import ComparedModel, OutputComparison, OutputResult
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.report.table import align, short_names

_NOTHING = "-"
_ALWAYS = ("model", "MB", "output", "SQNR dB", "cosine", "max error", "of", "in sample")
# Shown where any output has something to say in them.
_EQUAL, _SHAPE, _AGREEMENT = "equal %", "same shape %", "agreement %"


def closeness_table(result: OutputComparison) -> str:
    """One line per output of every model, values with their intervals, and how to read them."""
    outputs = [output for model in result.models for output in model.outputs]
    extra = [
        heading
        for heading, is_told in (
            (_EQUAL, any(output.closeness.sqnr_db is None for output in outputs)),
            (_SHAPE, any(output.closeness.same_shape.value < 100 for output in outputs)),
            (_AGREEMENT, any(output.closeness.agreement is not None for output in outputs)),
        )
        if is_told
    ]
    names = short_names([output.name for output in result.models[0].outputs])
    rows = [(*_ALWAYS, *extra)]
    for model in result.models:
        for number, (name, output) in enumerate(zip(names, model.outputs)):
            rows.append(_row(model, number, name, output, extra))
    count = outputs[0].closeness.n
    size = len(result.reference.data) / 1e6
    lines = [
        align(rows),
        f"Compared with {result.reference.name} ({size:.2f} MB) on {count} sample"
        f"{'s' if count > 1 else ''}; outputs as they are given, codes as the real values they "
        f"stand for; on {result.runtime}, {result.kernels.value} kernels; [95 % interval].",
        "Max error is the largest difference, 'of' the reference's largest magnitude; samples "
        "count from 0.",
    ]
    if _EQUAL in extra:
        lines.append("Integers that are no codes are equal or not: share of values that are.")
    if _SHAPE in extra:
        lines.append(
            "The other figures are those of the samples in which an output has the reference's "
            "shape."
        )
    if _AGREEMENT in extra:
        lines.append(
            "Agreement is the share of samples with the largest value at the same place, which "
            "tells of classifiers only; whether that is the right place, --labels would tell."
        )
    return "\n".join(lines)


def _row(
    model: ComparedModel, number: int, name: str, output: OutputResult, extra: list[str]
) -> tuple[str, ...]:
    figures, error = output.closeness, output.closeness.max_error
    shape = "x".join(map(str, output.shape))
    told = {
        _EQUAL: _shown(figures.equal, 1),
        _SHAPE: _shown(figures.same_shape, 1),
        _AGREEMENT: _shown(figures.agreement, 1),
    }
    return (
        model.name if number == 0 else "",
        f"{model.size_bytes / 1e6:.2f}" if number == 0 else "",
        f"{name} ({shape or 'scalar'})",
        _decibels(figures.sqnr_db),
        _shown(figures.cosine, 4),
        _NOTHING if error is None else f"{error.value:.4g}",
        _NOTHING if error is None else f"{error.peak:.4g}",
        _NOTHING if error is None else str(error.sample),
        *(told[heading] for heading in extra),
    )


def _decibels(figure: Estimate | None) -> str:
    """Infinity in words: it is the best or the worst there is."""
    if figure is None or math.isfinite(figure.value):
        return _shown(figure, 1)
    return "identical" if figure.value > 0 else "no signal"


def _shown(figure: Estimate | None, digits: int) -> str:
    return _NOTHING if figure is None else figure.text(digits)
