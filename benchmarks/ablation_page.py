"""The page of what bounds the accuracy, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy_page import TITLES
from benchmarks.tables import MARK, has_marks, markdown, with_interval
from tflite_eq.evaluation.intervals import shown
from tflite_eq.report.table import short_names

_MOST_LAYERS = 5

_INTRODUCTION = """# What bounds the accuracy

Written by `python -m benchmarks.ablation`, which quantizes a model and builds float models out of
parts of the result: the quantized weights and biases alone, the quantized activations alone, both,
and one layer at a time. Variants are those of [accuracy.md](accuracy.md), seed 0. Agreement with
the FP32 top-1 in % / SQNR of the logits in dB on the validation images, 95 % confidence intervals
in brackets, Wilson's of the agreement and by the delta method of the SQNR.{marked}
"""

_MARKED = f""" Those with {MARK} are 1.96
standard errors wide on either side, rounded to a tenth, which is all that an earlier version of the
evaluator gave."""

_LAYERS = """
Activations are the bound in all of these, most of all the first ones, which every layer behind
inherits. Biases count as weights, with their corrections for what the activations do, and so do
refitted weights: together they make up for part of it, which is why both parts quantized can be
better than the activations alone.

## Layer by layer

SQNR in dB on the last 50 calibration images, which calibration does not see, where only one
layer's weights, its input, or both are quantized; *noise* is that of the last in % of the noise
with everything quantized. Layers that read the same tensor (conv2_1 and conv3_1 of
squeezenet1_1_gluon) have its noise each, and later layers make up for what earlier ones get wrong,
so that the parts can add up to more than 100 %; a layer whose weights look bad by themselves is
often one that does so. A layer is named after its output. The layers with most noise:
"""


_SMALLER = """
## What agreement would take

Agreement with FP32 in % on the same images if the errors of all logits of the integer file were as
many decibels smaller and otherwise the same, with Wilson's intervals. Where two classes are all but
alike in FP32, no practical precision keeps the first one first.
"""


def render(results: Sequence[dict[str, Any]]) -> str:
    """The whole page."""
    rows = [["Quantized", *(_title(r) for r in results)]]
    rows += [
        [part["part"], *(_figures(r["whole"][position]) for r in results)]
        for position, part in enumerate(results[0]["whole"])
    ]
    figures = [part for result in results for part in result["whole"]]
    marked = _MARKED if has_marks(figures) else ""
    parts = [_INTRODUCTION.format(marked=marked), markdown(rows)]
    if all("smaller" in result for result in results):
        parts += [_SMALLER, smaller_table(results)]
    parts.append(_LAYERS)
    for result in results:
        parts += [f"**{_title(result)}**\n", layer_table(result["layers"][:_MOST_LAYERS]), ""]
    return "\n".join(parts)


def smaller_table(results: Sequence[dict[str, Any]]) -> str:
    """Agreement with errors that are smaller."""
    first = results[0]["smaller"]
    rows = [["", *("as measured" if not e["decibels"] else f"-{e['decibels']} dB" for e in first)]]
    for result in results:
        cells = [shown(entry["agreement"], 1) for entry in result["smaller"]]
        rows.append([_title(result), *cells])
    return markdown(rows)


def layer_table(entries: Sequence[dict[str, Any]]) -> str:
    """Noise and SQNR of single layers."""
    rows = [["Layer", "Noise %", "SQNR dB", "its weights", "its input"]]
    for name, entry in zip(short_names([e["layer"] for e in entries]), entries):
        figures = (f"{entry[part]['sqnr_db']:.1f}" for part in ("both", "weights", "input"))
        rows.append([name, f"{entry['noise_percent']:.1f}", *figures])
    return markdown(rows)


def _title(result: dict[str, Any]) -> str:
    return f"{result['model']}, {TITLES.get(result['variant'], result['variant'])}"


def _figures(part: dict[str, Any]) -> str:
    return " / ".join(with_interval(part, key) for key in ("agreement", "sqnr_db"))
