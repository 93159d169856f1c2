"""The zoo's table as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Rows = Sequence[dict[str, Any]]

# Decibels by which an output may be further from float than TensorFlow's.
ALLOWED_DB = 0.5

_INTRODUCTION = """# Models from the wild

Written by `python -m benchmarks.zoo`. Each model goes through `tflite-eq quantize` with default
options and {calibration} calibration samples, and through TensorFlow's own quantizer (what
`tf.lite.TFLiteConverter` does with a representative data set) with the same samples; float16
weights are unpacked for the latter, which cannot do it. Samples are photographs with the
preprocessing of the model, squeezed to its input, or, for other inputs, made up: chords for audio,
smooth noise for features. Another {evaluation} samples tell how far each output is from the float
model's: signal over noise in dB, computed by {runtime} with its default
kernels. The difference is ours minus TensorFlow's, by sample, with its 95 % interval.

"""

_HEADER = (
    *("model", "what it brings", "output", "tflite_eq dB", "TensorFlow dB", "difference"),
    *("in float", "runs on", "CPU s, MiB", "TensorFlow's"),
)


def render(rows: Rows) -> str:
    """The whole page."""
    done = [row for row in rows if row["outputs"]]
    first = done[0] if done else rows[0]
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER))]
    for row in rows:
        lines += _rows_of(row)
    text = _INTRODUCTION.format(**{k: first[k] for k in ("calibration", "evaluation", "runtime")})
    return text + "\n".join(lines) + "\n" + _verdict(rows)


def _rows_of(row: dict[str, Any]) -> list[str]:
    if not row["outputs"]:
        message = row["refusal"].replace("|", "\\|")
        return [_line([row["model"], row["brings"], f"not quantized: {message}", *[""] * 7])]
    lines = []
    for number, output in enumerate(row["outputs"]):
        first = number == 0
        lines.append(
            _line(
                [
                    row["model"] if first else "",
                    row["brings"] if first else "",
                    output["name"],
                    _db(output["ours"]),
                    _db(output["stock"]),
                    _difference(output),
                    (row["in_float"] or "nothing") if first else "",
                    row["runs_on"] if first else "",
                    _usage(row["usage"]) if first else "",
                    (_usage(row["stock_usage"]) or row["stock_refusal"]) if first else "",
                ]
            )
        )
    return lines


def _verdict(rows: Rows) -> str:
    outputs = [(row["model"], output) for row in rows for output in row["outputs"]]
    compared = [(name, o) for name, o in outputs if o["stock"] is not None]
    below = [
        f"{name} ({output['name']}) by {output['stock'] - output['ours']:.1f} dB"
        for name, output in compared
        if output["ours"] < output["stock"] - ALLOWED_DB
    ]
    refused = [row["model"] for row in rows if not row["outputs"]]
    good = len(compared) - len(below)
    text = (
        f"\n{len(rows) - len(refused)} of the {len(rows)} models measured are quantized. Of "
        f"{len(compared)} outputs that TensorFlow quantizes, too, {good} are at least as close to "
        f"float, to within {ALLOWED_DB} dB.\n"
    )
    if below:
        text += f"Further away: {'; '.join(below)}.\n"
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _db(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if math.isfinite(value) else "exact"


def _difference(output: dict[str, Any]) -> str:
    if output["stock"] is None:
        return ""
    low, high = output["interval"]
    return f"{output['mean']:+.1f} ({low:+.1f} to {high:+.1f})"


def _usage(usage: dict[str, float] | None) -> str:
    if usage is None:
        return ""
    return f"{usage['cpu_seconds']:.0f}, {usage['peak_memory_mib']:.0f}"
