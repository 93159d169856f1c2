"""The page of networks that no setting was chosen on."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.tables import Results, markdown, models_of, over_draws, value
from tflite_eq.evaluation.intervals import Estimate, paired_difference, student_quantile

TITLES = {
    "default": "TensorFlow's INT8",
    "int8": "INT8",
    "int7": "INT7",
    "int8 min-max + IBC": "INT8, min-max scales and bias correction",
    "best int8": "best: INT8",
    "best int7": "best: INT7",
}

_STOCK = "default"

METHODS = {"trt": "TRT", "easyquant-paper": "EQ, paper", "ours": "ours"}

_PAPER = """
## The paper's methods

As in [paper.md](paper.md), which has its table 3 of the embedder on faces: SQNR in dB, mean of as
many draws as above. *Ours* is what is called INT8 and INT7 there.
"""

_INTRODUCTION = """# Networks that no setting was chosen on

Written by `python -m benchmarks.held_back`. Trained networks that packages ship, converted to float
`.tflite` files without a change of their weights; no default of tflite_eq was chosen on any of
them, and none may be: whoever chooses by these figures has to look for others. Calibration sees 50
photographs, with the preset `best` 200, drawn as in [accuracy.md](accuracy.md); TensorFlow's own
quantizer sees the same 50. {n} other photographs judge, the same ones for all that is made of a
network, squeezed: whole scenes, also where a network expects a face cut out. Agreement is the share
of them with the float model's first class, in %; SQNR that of the values in front of a final
softmax, in dB; computed by {runtime}. Brackets hold 95 % intervals for other photographs and, where
there are several draws, for other calibration images; those of a single draw leave these out.
"""


def render(results: Results) -> str:
    """The whole page."""
    runtimes = sorted({r["runtime"] for r in results})
    n = sorted({int(value(r["quantized"], "n")) for r in results})
    text = _INTRODUCTION.format(n=" or ".join(map(str, n)), runtime=", ".join(runtimes))
    parts = [text, main_table(results), "", ahead(results)]
    paper = paper_table(results)
    if paper:
        parts += [_PAPER, paper]
    return "\n".join(parts)


def paper_table(results: Results) -> str:
    """SQNR of the paper's methods in draw 0, a row per network and number of bits."""
    rows = [["network", "bits", *METHODS.values()]]
    for model in models_of(results):
        for bits in ("8", "7", "6"):
            runs = [
                [r for r in results if (r["model"], r["variant"]) == (model, f"{method} {bits}")]
                for method in METHODS
            ]
            if any(runs):
                cells = [over_draws(run, "sqnr_db").text(1) if run else "" for run in runs]
                rows.append([model, bits, *cells])
    return markdown(rows) if len(rows) > 1 else ""


def main_table(results: Results) -> str:
    """One row per model and variant."""
    heading = [
        "network",
        "quantized",
        "draws",
        "agreement %",
        "SQNR dB",
        "agreement - TensorFlow's",
    ]
    rows = [[*heading, "CPU s"]]
    for model in models_of(results):
        found = [r for r in results if r["model"] == model]
        first = f"{model}: {found[0]['brings']}"
        for variant, title in TITLES.items():
            runs = [r for r in found if r["variant"] == variant]
            if not runs:
                continue
            ranks = _ranks_classes(runs[0])
            stock = [r for r in found if r["variant"] == _STOCK]
            rows.append(
                [
                    first,
                    title,
                    str(len(runs)),
                    over_draws(runs, "agreement").text(1) if ranks else "",
                    over_draws(runs, "sqnr_db").text(1),
                    _gain(runs, stock) if ranks and variant != _STOCK else "",
                    f"{sum(r['cpu_seconds'] for r in runs) / len(runs):.0f}",
                ]
            )
            first = ""
    return markdown(rows)


def _ranks_classes(row: dict[str, Any]) -> bool:
    """Whether the largest value of an output means anything: that of an embedding does not."""
    has_classes = row.get("task", "") in ("", "classification")
    return has_classes and row["quantized"]["agreement"] is not None


def gain(ours: Results, stock: Results) -> Estimate | None:
    """Points of agreement more than TensorFlow's, over the draws that both have.

    The half width is that of one draw, image by image, and that of Student's interval for the mean
    of the draws, added in squares; see ``tables.over_draws``.
    """
    pairs = [(a, b) for a in ours for b in stock if a["draw"] == b["draw"]]
    if not pairs:
        return None
    draws = [_draw_gain(a, b) for a, b in pairs]
    values = [d.value for d in draws]
    centre = sum(values) / len(values)
    reach = sum((d.high or 0.0) - (d.low or 0.0) for d in draws) / 2 / len(draws)
    if len(values) > 1:
        variance = sum((v - centre) ** 2 for v in values) / (len(values) - 1)
        error = math.sqrt(variance / len(values))
        reach = math.hypot(reach, student_quantile(len(values) - 1) * error)
    return Estimate(centre, centre - reach, centre + reach)


def _draw_gain(ours: dict[str, Any], stock: dict[str, Any]) -> Estimate:
    mine, theirs = set(ours["lost"]), set(stock["lost"])
    count = int(value(ours["quantized"], "n"))
    return paired_difference(len(theirs - mine), len(mine - theirs), count)


def _gain(ours: Results, stock: Results) -> str:
    found = gain(ours, stock)
    return "" if found is None else found.text(1)


def ahead(results: Results) -> str:
    """What the table says of INT8 with default options beside TensorFlow's."""
    behind, count = [], 0
    for model in models_of(results):
        by_variant = {
            v: [r for r in results if (r["model"], r["variant"]) == (model, v)]
            for v in (_STOCK, "int8")
        }
        if not all(by_variant.values()):
            continue
        count += 1
        for key in ("agreement", "sqnr_db"):
            if key == "agreement" and not _ranks_classes(by_variant["int8"][0]):
                continue
            mine, theirs = (over_draws(by_variant[v], key).value for v in ("int8", _STOCK))
            if mine < theirs:
                behind.append(f"{model} ({key} {mine:.1f} against {theirs:.1f})")
    told = "; ".join(behind) or "none"
    return f"INT8 with default options behind TensorFlow's, of {count} networks: {told}."
