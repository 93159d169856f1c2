"""The report as one HTML page that needs nothing else: no network, no fonts, no library."""

from __future__ import annotations

import collections
import dataclasses
import math
import shlex
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from tflite_eq.config import Config
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.report import charts
from tflite_eq.report.build import fine_tuning_text
from tflite_eq.report.guard_view import guard_view
from tflite_eq.report.model import LayerDetail, LayerReport, Report, TargetSummary
from tflite_eq.report.table import short_names

_OBJECTIVES = {"mse": "noise / signal", "cosine": "1 − cosine"}

_KERNELS = {
    "int32": ("int32 accumulator", "no input can overflow the accumulator"),
    "winograd_f43": ("Winograd F(4×4,3×3)", "exact in int16, modulo 2³²"),
    "winograd_f23": ("Winograd F(2×2,3×3)", "exact in int16, modulo 2³²"),
    "winograd_1d": ("Winograd F(2,3) along the width", "transformed weights fit int8"),
    "direct_int7": ("4 or 8 products per int16 lane", "no weight of −128"),
}


@dataclasses.dataclass(frozen=True)
class LayerView:
    """A layer with its figures ready to print.

    Attributes:
        number: Position in execution order, from 1.
        anchor: Id of its details.
        short: Name as people read it.
        report: The figures.
        damage: What the table is sorted by; larger is worse.
        before: SQNR of the default model, or before bias correction, dB.
        after: SQNR of the written model, or after correction, dB.
    """

    number: int
    anchor: str
    short: str
    report: LayerReport
    damage: float
    before: float
    after: float


def report_html(report: Report) -> str:
    """The page; tensor names and everything else from outside is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tflite_eq", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        db=decibels,
        ratio=ratio,
        cosine=cosine,
        percent=percent,
        size=size,
        count=short_count,
        quoted=shlex.quote,
    )
    views = _views(report)
    return environment.get_template("report.html").render(
        report=report,
        summary=report.summary,
        config=report.summary["config"],
        options=_options(report.summary),
        views=views,
        worst=sorted(views, key=lambda view: -view.damage),
        is_compared=any(view.report.comparison is not None for view in views),
        has_default=any(not math.isnan(view.before) for view in views),
        has_details=any(view.report.detail is not None for view in views),
        kernels=_KERNELS,
        reasons=_reasons(views),
        overview=_overview(views),
        charts={view.anchor: _charts(view, report) for view in views},
        largest_damage=max((view.damage for view in views), default=0.0),
        supported=[target for target in report.targets if target.supported],
        unsupported=_unsupported(report.targets),
        guard=guard_view(report),
    )


def _read_as(plain: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """What files went through; nothing where samples were taken as they are."""
    if plain is None:
        return []
    flags = Preprocessing.from_plain(plain).flags()
    return [("files read with", " ".join(flags) or "no preprocessing", "")]


def _options(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was chosen, in words: text before the value, value, text behind it.

    Options that are not spelled out here are shown by name where they differ from the default.
    """
    config = dict(summary["config"])
    config.pop("input_type")
    bits, method = config.pop("bits"), config.pop("method")
    objective = config.pop("objective")
    found = [
        ("", bits, "bits, 7 where the target gains" if bits == "auto" else "bits"),
        ("target", config.pop("target"), ""),
        ("scales", method, objective if method == "easyquant" else ""),
        ("", config.pop("activation_mode"), "activations"),
        ("bias correction", config.pop("bias_correction"), fine_tuning_text(summary)),
        ("weights per", "tensor" if config.pop("per_tensor") else "channel", ""),
        ("inputs and outputs", config.pop("output_type"), ""),
        ("", str(summary["samples"]), "calibration samples"),
        ("seed", str(config.pop("seed")), ""),
        *_read_as(summary.get("preprocessing")),
    ]
    default = Config().as_dict()
    for name, value in config.items():
        if value != default.get(name):
            found.append((name.replace("_", " "), _shown(value), ""))
    return found


def _shown(value: Any) -> str:
    """An option in words: lists hold names, or pairs of an input's name and shape."""
    if isinstance(value, dict):
        return "not the default"
    if not isinstance(value, list):
        return str(value)
    entries = [entry if isinstance(entry, str) else _shape(*entry) for entry in value]
    return ", ".join(entries)


def _shape(name: str, shape: Sequence[int]) -> str:
    return f"{name} {'x'.join(map(str, shape))}".lstrip()


def _views(report: Report) -> list[LayerView]:
    names = short_names([layer.name for layer in report.layers], length=60)
    found = []
    for number, (name, layer) in enumerate(zip(names, report.layers), start=1):
        before, after = layer.sqnr_db_before, layer.sqnr_db_after
        damage = 10 ** (-after / 10)
        if layer.comparison is not None:
            before = layer.comparison.sqnr_db_default
            after = layer.comparison.sqnr_db_final
            damage = layer.comparison.added_noise
        found.append(LayerView(number, f"layer-{number}", name, layer, damage, before, after))
    return found


def _overview(views: list[LayerView]) -> Markup | None:
    if not views:
        return None
    worst = min(views, key=lambda view: view.after)
    description = (
        f"SQNR of {len(views)} layers in execution order, before and after; the lowest is "
        f"{decibels(worst.after)} dB at layer {worst.number}. The table below has all values."
    )
    return charts.along_network(
        [charts.Along(view.short, view.anchor, view.before, view.after) for view in views],
        description,
    )


def _charts(view: LayerView, report: Report) -> list[tuple[str, str, Markup]]:
    """Title, note and chart of everything there is to draw of a layer."""
    detail = view.report.detail
    if detail is None:
        return []
    found = []
    name = f"layer {view.number}, {view.short}"
    if detail.activation is not None:
        zeros = detail.activation.zeros
        total = zeros + sum(detail.activation.counts)
        note = f"FP32 values on the calibration data; {percent(zeros / max(total, 1))} are 0"
        found.append(
            (
                "Input",
                note,
                charts.histogram(
                    detail.activation,
                    detail.clip,
                    detail.window,
                    "value of the input",
                    f"Histogram of the input of {name}. {_window_text(detail)}",
                ),
            )
        )
    limit = detail.weight_limit
    found.append(
        (
            "Weights",
            "float weights in steps of their channel's scale",
            charts.histogram(
                detail.weight_codes,
                (-limit, limit),
                (-limit, limit),
                "weight / scale of its channel",
                f"Histogram of the weights of {name} in code units; codes go from -{limit} to "
                f"{limit}.",
            ),
        )
    )
    objective = _OBJECTIVES[str(report.summary["config"]["objective"])]
    if detail.activation_search:
        factor = view.report.input_factor
        found.append(
            (
                "Search: input scale",
                f"started from {view.report.input_start}, took ×{factor:.3g}",
                charts.search_curve(
                    detail.activation_search,
                    factor,
                    objective,
                    f"Objective of {name} over the scale of its input; the search took "
                    f"{factor:.3g} times the initial scale.",
                ),
            )
        )
    if detail.weight_search:
        low, middle, high = detail.weight_factors
        found.append(
            (
                "Search: weight scales",
                f"all channels together; each then took its own, ×{low:.2f} to ×{high:.2f}, "
                f"median ×{middle:.2f}",
                charts.search_curve(
                    detail.weight_search,
                    (low, high),
                    objective,
                    f"Objective of {name} over a common multiple of its weight scales; channels "
                    f"took from {low:.2f} to {high:.2f} times the initial scale.",
                ),
            )
        )
    return found


def _window_text(detail: LayerDetail) -> str:
    low, high = detail.window
    return f"Codes {low} to {high} hold {detail.clip[0]:.4g} to {detail.clip[1]:.4g}."


def _reasons(views: list[LayerView]) -> dict[str, list[tuple[str, list[LayerView]]]]:
    """By target: why layers are left to the runtime, the most frequent reason first."""
    found: dict[str, dict[str, list[LayerView]]] = collections.defaultdict(dict)
    for view in views:
        for claim in view.report.detail.claims if view.report.detail is not None else ():
            if not claim.claimed:
                found[claim.target].setdefault(claim.reason, []).append(view)
    return {
        target: sorted(reasons.items(), key=lambda entry: -len(entry[1]))
        for target, reasons in found.items()
    }


def _unsupported(targets: tuple[TargetSummary, ...]) -> list[tuple[str, list[str]]]:
    """Why nothing is known of some targets, each reason once, with the targets it holds for."""
    found: dict[str, list[str]] = {}
    for target in targets:
        if not target.supported:
            reason = target.note.replace(f"target {target.target}: ", "")
            found.setdefault(reason, []).append(target.target)
    return list(found.items())


def decibels(value: float | None) -> str:
    """One decimal; a dash for what was not measured."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.1f}" if math.isfinite(value) else "∞"


def ratio(value: float) -> str:
    """Two significant digits, however small."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.2g}"


def cosine(value: float) -> str:
    """Enough digits to tell good from very good."""
    return "–" if math.isnan(value) else f"{value:.5f}"


def percent(value: float) -> str:
    """A share in [0, 1]."""
    shown = 100 * value
    if shown == 0:
        return "0\u00a0%"
    if abs(shown) < 0.01:
        return "< 0.01\u00a0%"
    return f"{shown:.2f}\u00a0%" if abs(shown) < 1 else f"{shown:.1f}\u00a0%"


def size(value: int) -> str:
    """Bytes in decimal units."""
    return f"{value / 1e6:.2f}\u00a0MB" if value >= 1e6 else f"{value / 1e3:.1f}\u00a0kB"


def short_count(value: float) -> str:
    """A number with M or k behind it."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g} {letter}"
    return f"{value:.3g}"
