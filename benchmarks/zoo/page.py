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
`tf.lite.TFLiteConverter` does with a representative data set) with the same samples. The latter
takes neither float16 nor sparse weights; these are unpacked for it. Where it still does not take a
model, or makes one that does not run, it is given what tflite_eq's normalisation makes of it
(*normalised* behind its time and memory). Samples are photographs with the preprocessing of the
model, squeezed to its input, or, for other inputs, made up: chords for audio, smooth noise for
features. Others, *n* of them, tell how far each output is from the float model's: signal over noise
in dB, computed by {runtime} with its default kernels. The difference is ours minus TensorFlow's, by
sample, with its 95 % interval. *Everywhere* is on
{runtimes}, each with XNNPACK and without. All times are CPU seconds.

"""

_HEADER = (
    *("model", "what it brings", "output", "tflite_eq dB", "TensorFlow dB", "difference", "n"),
    *("in float", "runs on", "CPU s, MiB", "TensorFlow's"),
)


def render(rows: Rows) -> str:
    """The whole page."""
    done = [row for row in rows if row["outputs"]]
    first = done[0] if done else rows[0]
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER))]
    for row in rows:
        lines += _rows_of(row)
    told = ("calibration", "runtime")
    text = _INTRODUCTION.format(
        runtimes=", ".join(first["runtimes"]), **{name: first[name] for name in told}
    )
    return text + "\n".join(lines) + "\n" + _verdict(rows)


def _rows_of(row: dict[str, Any]) -> list[str]:
    if not row["outputs"]:
        message = row["refusal"].replace("|", "\\|")
        seconds = "" if row["refused_in"] is None else f" in {row['refused_in']:.1f} s"
        return [_line([row["model"], row["brings"], f"refused{seconds}: {message}", *[""] * 8])]
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
                    str(row["evaluation"]) if first else "",
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
        f"{name} ({output['name']}) by {output['stock'] - output['ours']:.1f} dB{_bounds(output)}"
        for name, output in compared
        if output["ours"] < output["stock"] - ALLOWED_DB
    ]
    quantized = sum(bool(row["outputs"]) for row in rows)
    refused = [row for row in rows if not row["outputs"]]
    rightly = [row for row in refused if row["is_to_be_refused"]]
    good = len(compared) - len(below)
    text = (
        f"\n{quantized} of the {len(rows)} models are quantized; {len(rightly)} are refused "
        f"rightly, {len(refused) - len(rightly)} wrongly. Of {len(compared)} outputs that "
        f"TensorFlow quantizes, too, {good} are at least as close to float, to within "
        f"{ALLOWED_DB} dB.\n"
    )
    unexpected = [row["model"] for row in rows if row["outputs"] and row["is_to_be_refused"]]
    if unexpected:
        text += (
            "Said to be quantized already, and quantized all the same since its activations are "
            f"float: {', '.join(unexpected)}.\n"
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
    if low is None:  # the same for every sample
        return f"{output['mean']:+.1f}"
    return f"{output['mean']:+.1f} ({low:+.1f} to {high:+.1f})"


def _bounds(output: dict[str, Any]) -> str:
    """What the difference of all samples together may be on others, as a loss."""
    low, high = output["pooled"]
    if low is None:
        return ""
    return f" ({-high:+.1f} to {-low:+.1f} on other samples, by 95 % of bootstrapped ones)"


def _usage(usage: dict[str, float] | None) -> str:
    if usage is None:
        return ""
    form = f" ({usage['form']})" if usage.get("form") else ""
    return f"{usage['cpu_seconds']:.0f}, {usage['peak_memory_mib']:.0f}{form}"
