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
Activations are the bound in all of these: each layer behind inherits the errors of the first ones,
and those of the last one, the logits, nothing makes up for. Biases count as weights, with their
corrections for what the activations do, and so do refitted weights: together they make up for part
of it, which is why both parts quantized can be better than the activations alone.

## Layer by layer

SQNR in dB on the last 50 calibration images, which calibration does not see, where only one
layer's weights, its input, or both are quantized; *noise* is that of the last in % of the noise
with everything quantized. Layers that read the same tensor (conv2_1 and conv3_1 of
squeezenet1_1_gluon) have its noise each, and later layers make up for what earlier ones get wrong,
so that the parts can add up to more than 100 %; a layer whose weights look bad by themselves is
often one that does so. A layer is named after its output. The layers with most noise:
"""


_TIES = """
## Ties of the logits

The codes of the logits, too, are 8 bits, and of two classes that are closer than a step both may
have the largest one. Then the first of the list counts, which is the float model's by chance.
*Tied* are images with several largest logits in the integer file, *lost* those of them whose first
class in FP32 is among these and does not count, in % of all validation images. That is the most
that finer codes of the logits could bring back, since errors from inside the network decide close
pairs by chance, too. What they do bring back is the difference between *both* and *both, logits as
they are* above, where the tensor in front of the softmax, and no other, stays unrounded.
"""


def render(results: Sequence[dict[str, Any]]) -> str:
    """The whole page."""
    rows = [["Quantized", *(_title(r) for r in results)]]
    named = [{part["part"]: part for part in result["whole"]} for result in results]
    fullest = max(named, key=len)  # earlier runs lack a part
    for name in fullest:
        rows.append([name, *(_figures(parts[name]) if name in parts else "" for parts in named)])
    figures = [part for result in results for part in result["whole"]]
    marked = _MARKED if has_marks(figures) else ""
    parts = [_INTRODUCTION.format(marked=marked), markdown(rows)]
    if all("ties" in result for result in results):
        parts += [_TIES, ties_table(results)]
    parts.append(_LAYERS)
    for result in results:
        if "layers" in result:
            parts += [f"**{_title(result)}**\n", layer_table(result["layers"][:_MOST_LAYERS]), ""]
    return "\n".join(parts)


def ties_table(results: Sequence[dict[str, Any]]) -> str:
    """How often the logits' codes leave several classes, and what that loses."""
    rows = [["", "tied", "lost", "agreement", "agreement and lost"]]
    for result in results:
        whole = next(p for p in result["whole"] if p["part"] == "integer file")["agreement"]
        tied, lost = (result["ties"].get(name) for name in ("tied", "lost"))
        rows.append(
            [
                _title(result),
                shown(tied, 1) if tied else "",
                shown(lost, 1),
                shown(whole, 1),
                f"{whole['value'] + lost['value']:.1f}",
            ]
        )
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
