"""Figures for Google's Model Explorer, which overlays them on the graph of either model.

One file per figure in the viewer's custom node data format: values by the name of a node's output
tensor, which our files share with the float model, and a gradient or thresholds for the colours.
The viewer takes what belongs to the graph it shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from tflite_eq.report.model import LayerReport, Report

_GOOD, _FAIR, _BAD = "#7fc8ad", "#f2d479", "#e58a7b"
_UP = [{"stop": 0, "bgColor": _BAD}, {"stop": 0.5, "bgColor": _FAIR}, {"stop": 1, "bgColor": _GOOD}]
_DOWN = [
    {"stop": 0, "bgColor": _GOOD},
    {"stop": 0.5, "bgColor": _FAIR},
    {"stop": 1, "bgColor": _BAD},
]
_BITS = [{"value": 7, "bgColor": _FAIR}, {"value": 8, "bgColor": _GOOD}]

Figure = Callable[[LayerReport], float]


def node_data(report: Report) -> dict[str, str]:
    """Content of the files by name; figures that were not measured have none."""
    figures: dict[str, tuple[Figure, dict[str, Any]]] = {
        "sqnr_db": (_sqnr, {"gradient": _UP}),
        "sqnr_db_default": (
            lambda x: x.comparison.sqnr_db_default if x.comparison else math.nan,
            {"gradient": _UP},
        ),
        "added_noise_percent": (
            lambda x: 100 * x.comparison.added_noise if x.comparison else math.nan,
            {"gradient": _DOWN},
        ),
        "cosine": (
            lambda x: x.comparison.cosine_final if x.comparison else math.nan,
            {"gradient": _UP},
        ),
        "mssr_before_correction": (lambda x: x.mssr_before, {"gradient": _DOWN}),
        "mssr_after_correction": (lambda x: x.mssr_after, {"gradient": _DOWN}),
        "input_bits": (lambda x: x.input_bits, {"thresholds": _BITS}),
        "f43_headroom_bits": (_headroom, {"gradient": _UP}),
    }
    files = {}
    for name, (figure, style) in figures.items():
        values = {layer.name: figure(layer) for layer in report.layers}
        results = {
            key: {"value": float(f"{value:.5g}")}
            for key, value in values.items()
            if math.isfinite(value)
        }
        if results:
            files[f"{name}.json"] = json.dumps({"results": results, **style}, indent=1)
    return files


def _sqnr(layer: LayerReport) -> float:
    return layer.comparison.sqnr_db_final if layer.comparison else layer.sqnr_db_after


def _headroom(layer: LayerReport) -> float:
    if layer.detail is not None:
        for certificate in layer.detail.certificates:
            if certificate.kernel == "winograd_f43":
                return certificate.headroom_bits
    return math.nan
