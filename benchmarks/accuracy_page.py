"""Tables of the accuracy benchmark as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.tables import (
    Results,
    figures_cell,
    markdown,
    model_title,
    models_of,
    over_draws,
    with_interval,
)

TITLES = {
    "default": "TFLite default INT8",
    "default 200": "TFLite default INT8, 200 images",
    "int8": "INT8",
    "int7": "INT7",
    "lattice": "7 bits at 3x3 inputs, even triplets",
    "best int8": "best: INT8",
    "best int7": "best: INT7",
    "best lattice": "best: 7 bits at 3x3 inputs, even triplets",
}

# Variants of interest only beside each other, for the models they were measured on.
_PER_TENSOR = {
    "int8 per tensor, not equalized": "INT8, `--equalization none`",
    "int8 per tensor": "INT8",
    "best int8 per tensor": "best: INT8",
}

_INTRODUCTION = """# Accuracy

Written by `benchmarks/accuracy.py`; figures are those of the real `.tflite` files on the validation
images, computed by {runtime}. Calibration sees 50 calibration images, with the preset `best` 200:
in draw 0 the first ones of the list, in others a random choice of its 300. The number of the draw
is also the seed of what the searches sample. A cell holds the agreement with the FP32 top-1 in %,
the logit SQNR in dB and the drop in top-1 in points, the mean of all draws. The softmax is left out
of the comparison: its 1/256 grid makes ties.

- *INT8* and *INT7* are `tflite-eq quantize` with `--bits 8` and `--bits 7`; *7 bits at
  3x3 inputs* is `--bits auto --target armv8.2-dotprod`.
- *best* is the same with `--preset best`, which may write channels several times for up to 25 %
  more multiplications, and with fewer than 8 bits keep 8 at layers that have up to 10 % of them,
  where trials on calibration images show a gain. What it did is the last column of *Every run*.
- *TFLite default* is `tf.lite.TFLiteConverter` with the same images.

Other quantizers on the same models and images: [peers.md](peers.md).
"""

_REMARKS = """
What bounds the accuracy of some of the models: [ablation.md](ablation.md).

The mobilenet_v2 probe has linear bottlenecks: half of its activations are signed and have no least
value, so that nothing ends them at a 7-bit window, and one that every calibration code must fit
cannot clip outliers. `--bits 8` and `--bits auto` lose much less there.
"""

_OTHER_IMAGES = """
## What other images would give

The same means with 95 % intervals for other validation images *and* other calibration images: the
root of the sum of the squares of two half widths, that of one draw's interval below and that of
Student's for the mean of the draws (with three of them 2.5 standard deviations of one draw). For
comparing two columns they are too wide, as all columns saw the same images.
"""

_EVERY_RUN = """
## Every run

Brackets hold 95 % confidence intervals for other validation images, n being in the table above: of
the agreement Wilson's, of the SQNR by the delta method, of the drop Bonett and Price's, image by
image. *Split* is what writing channels several times adds to the multiplications, *8 bits* the
share of them at layers that kept these.
"""

# What a sentence about more precision means for a table, by what it says.
_SPENT = {
    "split +{} %": re.compile(r"for ([\d.]+) % more multiplications"),
    "8 bits {} %": re.compile(r"with ([\d.]+) % of the multiplications keep 8-bit inputs"),
}

_PER_TENSOR_INTRODUCTION = """
## One weight scale per tensor

With cross-layer equalization unless it says otherwise.
"""


def render(results: Results) -> str:
    """The whole page."""
    runtimes = sorted({r["runtime"] for r in results})
    parts = [
        _INTRODUCTION.format(runtime=", ".join(runtimes)),
        main_table(results),
        _REMARKS,
        _OTHER_IMAGES,
        interval_table(results),
        _EVERY_RUN,
        draw_table(results),
    ]
    per_tensor = per_tensor_table(results)
    if per_tensor:
        parts += [_PER_TENSOR_INTRODUCTION, per_tensor, ""]
    comparison = comparison_table(results)
    if comparison:
        parts += ["\n## Methods compared\n", comparison]
    return "\n".join(parts)


def main_table(results: Results) -> str:
    """One row per model, one column per main variant."""
    variants = [v for v in TITLES if any(r["variant"] == v for r in results)]
    rows = [["Model (n, FP32 top-1)", *(TITLES[v] for v in variants)]]
    for model in models_of(results):
        found = [r for r in results if r["model"] == model]
        cells = [figures_cell([r for r in found if r["variant"] == v]) for v in variants]
        rows.append([model_title(found), *cells])
    return markdown(rows)


def interval_table(results: Results) -> str:
    """Agreement and SQNR of every model and main variant with what other images would change."""
    rows = [["Model", "Variant", "Agreement %", "SQNR dB"]]
    for model in models_of(results):
        for variant, title in TITLES.items():
            runs = [r for r in results if (r["model"], r["variant"]) == (model, variant)]
            if runs:
                figures = [over_draws(runs, key) for key in ("agreement", "sqnr_db")]
                rows.append([model, title, *(figure.text(1) for figure in figures)])
    return markdown(rows)


def per_tensor_table(results: Results) -> str:
    """What equalization does for one weight scale per tensor."""
    models = models_of([r for r in results if r["variant"] in _PER_TENSOR])
    if not models:
        return ""
    rows = [["`--per_tensor`", *models]]
    for variant, title in _PER_TENSOR.items():
        found = [r for r in results if r["variant"] == variant]
        rows.append([title, *(figures_cell([r for r in found if r["model"] == m]) for m in models)])
    return markdown(rows)


def draw_table(results: Results) -> str:
    """Agreement and SQNR of every draw, with their intervals."""
    rows = [["Model", "Variant", "Draw", "Agreement %", "SQNR dB", "Top-1 drop", "CPU s", "Spent"]]
    for r in results:
        if r["variant"] not in TITLES:
            continue
        rows.append(
            [
                r["model"],
                TITLES[r["variant"]],
                str(r["draw"]),
                *(
                    with_interval(r["quantized"], key)
                    for key in ("agreement", "sqnr_db", "top1_drop")
                ),
                f"{r['cpu_seconds']:.0f}",
                spent(r.get("allocations", ())),
            ]
        )
    return markdown(rows)


def spent(allocations: Sequence[str]) -> str:
    """What a model spends on more precision, by the sentences that told it."""
    kept = [sentence for sentence in allocations if not sentence.startswith("not kept")]
    found = [
        form.format(match[1])
        for form, pattern in _SPENT.items()
        for sentence in kept
        if (match := pattern.search(sentence))
    ]
    return ", ".join(found)


def comparison_table(results: Results) -> str:
    """Methods against each other, for the models they were measured on."""
    extra = [r for r in results if r["variant"] not in {**TITLES, **_PER_TENSOR}]
    models = models_of(extra)
    if not models:
        return ""
    variants = [v for v in dict.fromkeys(r["variant"] for r in results) if v not in _PER_TENSOR]
    rows = [["Method", *models]]
    for variant in variants:
        cells = [
            figures_cell([r for r in results if r["variant"] == variant and r["model"] == m])
            for m in models
        ]
        if any(cells):
            rows.append([TITLES.get(variant, variant), *cells])
    return markdown(rows)
