"""The page of peers side by side, as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.registry import PEERS, Peer
from benchmarks.tables import (
    MARK,
    Results,
    figures_cell,
    has_marks,
    markdown,
    model_title,
    models_of,
    value,
    with_interval,
)
from tflite_eq.errors import TfliteEqError

_INTRODUCTION = """# Beside other quantizers

Written by `python -m benchmarks.peers`. Every quantizer gets the same float model and the same
calibration images, the first {samples} of the list unless its name says otherwise, and runs with
the settings that it recommends or has by default, in a process and an environment of its own. The
`.tflite` files that come out are measured alike, on the validation images, computed by {runtime}.
A final softmax is left out of the comparison. What tflite_eq reaches today, its preset `best` with
channel splitting among it, is in [accuracy.md](accuracy.md): the rows here are as old as the
others.

Versions: {versions}.

## Accuracy

A cell holds the agreement with the FP32 top-1 in %, the logit SQNR in dB and the drop in top-1 in
points. In the heading: number of validation images, FP32 top-1. "In float" are operators that the
quantizer left in float: such a file is not an integer model, and is not to be compared with those
that are. 95 % intervals are below: of the agreement Wilson's, of the SQNR by the delta method, of
the drop Bonett and Price's, image by image.{marked}
"""

_MARKED = f""" Those with {MARK} are 1.96
standard errors wide on either side, rounded to a tenth, which is all that an earlier version of the
evaluator gave."""

_AHEAD = """
### Where another quantizer is ahead

Every cell in which a peer's figure is better than tflite_eq's, by how much; "top-1" is the drop.
Differences in agreement and top-1 of less than a point are mostly within the intervals.
"""

_COST = """
## Time and memory

Of the whole process, from reading the float model to the file written, start-up and import of
TensorFlow included: wall seconds / CPU seconds / peak resident memory in MiB. The machine has
{cores} cores; its load average when a run started was between {least:.1f} and {most:.1f}, and what
else it does lengthens wall times, not CPU times.
"""

_REMARKS = """
## Settings and remarks

- *TFLite default*: `tf.lite.TFLiteConverter`, `Optimize.DEFAULT` and a representative data set.
- *LiteRT Quantizer*: its recipe `static_wi8_ai8` with the algorithm named. OCTAV and MSE choose
  the scales of weights; the ranges of activations are moving averages of minima and maxima in all
  three, so they clip the extremes that were seen, those of the logits too. It has no leaky ReLU, no
  Keras input (it gets the float `.tflite`), and its files have int8 inputs and outputs where the
  others' are float.
- *Sony MCT*: `keras_post_training_quantization` with its defaults, exported as an int8 `.tflite`.
  Its default platform, IMX500, has activation scales that are powers of two. *Uniform* is the same
  platform with activations of any scale and zero point, and quantized in front of a leaky ReLU,
  too, as TFLite needs it: no setting of the toolkit's own, but closer to what TFLite can do. The
  toolkit's platform for TFLite is refused by release 2.6.1 itself ("can't have both
  enable_activation_quantization and quantization_preserving enabled"). Its gradient-based GPTQ is
  not here: five epochs over 50 images had not ended after 15 minutes on the smallest MobileNet, on
  two cores that did other work as well.
- *tflite_eq*: `tflite-eq quantize` with its defaults, `--preset best`, `--bits 7`, and `--bits auto
  --target armv8.2-dotprod`; seed 0.
- Keras models are read from the same `.h5` files. Sony MCT needs Keras 2, so descriptions that
  Keras 3 wrote are rewritten for it; the weights are the same.
"""

# Figures of a cell, and whether more is better.
_FIGURES = {"agreement": ("agreement", 1), "sqnr_db": ("SQNR", 1), "top1_drop": ("top-1", -1)}


def render(results: Results) -> str:
    """The whole page.

    Raises:
        TfliteEqError: There are results of a peer that is not known.
    """
    unknown = {r["peer"] for r in results} - set(PEERS)
    if unknown:
        raise TfliteEqError(
            f"results of {', '.join(sorted(unknown))}: unknown peers; take them out of the file"
        )
    measured = [r for r in results if "failed" not in r]
    samples = min((r["samples"] for r in results), default=0)
    cores = sorted({str(r["cores"]) for r in measured})
    loads = [r["load"] for r in measured] or [0.0]
    return "\n".join(
        [
            _INTRODUCTION.format(
                samples=samples,
                runtime=", ".join(sorted({r["runtime"] for r in measured})) or "no runtime yet",
                versions=_versions(measured) or "nothing was measured yet",
                marked=_MARKED if has_marks([r["quantized"] for r in measured]) else "",
            ),
            _table(results, _accuracy_cell),
            _AHEAD,
            _ahead(measured),
            _COST.format(cores=" or ".join(cores), least=min(loads), most=max(loads)),
            _table(results, _cost_cell),
            _REMARKS,
            "## Every run\n",
            _every_run(results),
        ]
    )


def _versions(measured: Results) -> str:
    """Of every quantizer, in the order of the table."""
    found = [
        " with ".join(f"{name} {version}" for name, version in r["versions"].items())
        for peer in _peers(measured)
        for r in measured
        if r["peer"] == peer.name
    ]
    return "; ".join(dict.fromkeys(found))


def _table(results: Results, cell: Callable[[Results], str]) -> str:
    """One row per peer, one column per model."""
    models = {name: [r for r in results if r["model"] == name] for name in models_of(results)}
    rows = [["Quantizer", *(_model_title(found) for found in models.values())]]
    for peer in _peers(results):
        of_peer = [[r for r in found if r["peer"] == peer.name] for found in models.values()]
        rows.append([peer.title, *(_cell(runs, cell) for runs in of_peer)])
    return markdown(rows)


def _cell(runs: Results, cell: Callable[[Results], str]) -> str:
    """A cell's figures, or why there are none."""
    if not runs:
        return ""
    (run,) = runs
    return f"failed: {_short(run['failed'])}" if "failed" in run else cell(runs)


def _accuracy_cell(runs: Results) -> str:
    (run,) = runs
    in_float = sum(run["float_operators"].values())
    return figures_cell(runs) + (f", {in_float} in float" if in_float else "")


def _cost_cell(runs: Results) -> str:
    (run,) = runs
    return f"{run['wall_seconds']:.0f} / {run['cpu_seconds']:.0f} / {run['peak_memory_mib']:.0f}"


def _ahead(measured: Results) -> str:
    """By model, what is better than each of our results."""
    lines = []
    for own in _peers(measured):
        if not own.ours:
            continue
        found = [
            f"{r['model']}: {by}"
            for r in measured
            if r["peer"] == own.name and (by := _better(r, measured))
        ]
        lines.append(f"- {own.title}: {'; '.join(found) or 'nowhere'}.")
    return "\n".join(lines)


def _better(own: dict[str, Any], measured: Results) -> str:
    """The peers that are ahead of one of our results, with their leads."""
    ahead = []
    for other in measured:
        peer = PEERS[other["peer"]]
        if other["model"] != own["model"] or peer.ours:
            continue
        leads = []
        for key, (name, sign) in _FIGURES.items():
            lead = round(sign * (value(other["quantized"], key) - value(own["quantized"], key)), 1)
            if lead > 0:
                leads.append(f"{name} +{lead:.1f}")
        if leads:
            ahead.append(f"{peer.title} ({', '.join(leads)})")
    return ", ".join(ahead)


def _every_run(results: Results) -> str:
    """All figures with 95 % confidence intervals."""
    rows = [
        [
            *("Model", "Quantizer", "Agreement %", "SQNR dB", "Top-1 drop"),
            *("Wall s", "CPU s", "Peak MiB", "File KiB", "In float"),
        ]
    ]
    for r in results:
        title = PEERS[r["peer"]].title
        if "failed" in r:
            rows.append([r["model"], title, f"failed: {_short(r['failed'])}", *[""] * 7])
            continue
        rows.append(
            [
                r["model"],
                title,
                *(with_interval(r["quantized"], key) for key in _FIGURES),
                f"{r['wall_seconds']:.1f}",
                f"{r['cpu_seconds']:.1f}",
                f"{r['peak_memory_mib']:.0f}",
                f"{r['bytes'] / 1024:.0f}",
                ", ".join(f"{n} {kind}" for kind, n in r["float_operators"].items()) or "nothing",
            ]
        )
    return markdown(rows)


def _model_title(results: Results) -> str:
    measured = [r for r in results if "failed" not in r]
    return model_title(measured) if measured else str(results[0]["model"])


def _peers(results: Results) -> list[Peer]:
    """The peers that were measured, in the order of the registry."""
    names = {r["peer"] for r in results}
    return [peer for peer in PEERS.values() if peer.name in names]


def _short(reason: str) -> str:
    """A reason that fits a cell and does not end it."""
    text = reason if len(reason) <= 120 else reason[:117] + "..."
    return text.replace("|", "\\|")
