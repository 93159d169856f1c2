"""Full reports of small networks, each made once."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from tests import models
from tests.guard import networks
from tflite_eq import (
    Config,
    Guard,
    QuantizationResult,
    SearchSettings,
    Validation,
    quantize,
    quantize_guarded,
)
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.graph import schema
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.model import Graph
from tflite_eq.report.guard_record import GuardRecord, Price, Sensitivity, Step
from tflite_eq.report.model import Report, TargetSummary
from tflite_eq.report.write import write_report

QUICK = SearchSettings(rows=200, steps=20, max_rounds=2)
CONFIG = Config(bits="auto", target="x86-vnni", search=QUICK)

# What a tensor name could do to a page, a table and a script.
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>"\',=1+1'

DEEP_LAYERS = 60


@dataclasses.dataclass(frozen=True)
class Made:
    """A report with its folder and what it is about."""

    folder: pathlib.Path
    result: QuantizationResult
    model: bytes
    comparison: ComparisonSet

    @property
    def report(self) -> Report:
        return self.result.report

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")


@functools.cache
def conv_net() -> Made:
    """Every kind of layer, compared on samples of its own with made-up labels."""
    comparison = ComparisonSet(
        models.samples(models.IMAGE, count=5, seed=9), "5 random samples", (0, 1, 2, 3, 4)
    )
    return _make(models.conv_net(), models.data("conv_net"), comparison)


@functools.cache
def hostile() -> Made:
    """A network whose names try to break out of the page."""
    model = schema.parse(models.conv_net(), "conv_net")
    graph = Graph(model)
    for operator in graph.operators[:3]:
        stored = graph.subgraph.tensors[operator.outputs[0]]
        stored.name = f"{HOSTILE}{operator.index}".encode()
    return _make(schema.serialize(model), models.data("conv_net"), None)


@functools.cache
def deep() -> Made:
    """A network of 60 layers."""

    def network(x: Any) -> Any:
        for index in range(DEEP_LAYERS - 1):
            x = tf.nn.relu(models.conv(x, 8, seed=index))
        return models.dense(tf.reduce_mean(x, [1, 2]), 10, seed=99)

    samples = models.samples((1, 10, 10, 8), count=3)
    return _make(models.convert(network, (1, 10, 10, 8)), samples, None)


@functools.cache
def guarded() -> Made:
    """The planted network within a bound that takes a layer at 8 bits and others in float."""
    model, samples = networks.planted(), [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
    folder = pathlib.Path(_temporary().name) / "guarded" / "report"
    validation = Validation.from_arrays(networks.arrays(200, seed=5))
    found = quantize_guarded(
        model,
        samples,
        Guard(4.0, validation),
        Config(bits="7", method="minmax", search=QUICK),
        report_dir=folder,
        origin="net.tflite",
    )
    return Made(folder, found.result, model, validation.comparison(model))


@functools.cache
def hopeless() -> Made:
    """Sixty layers with hostile names in a guard's record, none of whose models keeps the bound."""
    names = tuple(f"{HOSTILE}{index}/a_rather_long_scope/conv;fused{index}" for index in range(60))
    targets = (
        TargetSummary("armv8.0", True, "", 3, 9, 1e6, 1.3),
        TargetSummary("x86-vnni", True, "", 2, 9, 1e6, 1.1),
        TargetSummary("x86-avx2", False, "not built"),
    )
    steps = tuple(
        Step(
            names[:n],
            names[: n // 3],
            Estimate(9 - n / 30, 8.5 - n / 30, 9.5 - n / 30),
            False,
            Price(10_000, n / 200, targets),
        )
        for n in (0, 60, 1, 2, 4)
    )
    ranking = tuple(Sensitivity(names[i : i + 2], 0.1 / (i + 1), i < 4) for i in range(59))
    record = GuardRecord(
        bound=0.5,
        measure="top-1 drop",
        images=900,
        description=f"900 labelled samples of {'very_' * 30}long",
        steps=steps,
        chosen=1,
        int8_ranking=ranking,
        float_ranking=ranking[::2],
        keep_int8=matching(names),
        skip=matching(names[:20]),
        notes=("So few images tell little.",),
    )
    report = dataclasses.replace(conv_net().report, guard=record, suggestions=())
    folder = pathlib.Path(_temporary().name) / "hopeless" / "report"
    write_report(report, folder)
    result = dataclasses.replace(conv_net().result, report=report)
    return dataclasses.replace(conv_net(), folder=folder, result=result)


def _make(model: bytes, samples: Any, comparison: ComparisonSet | None) -> Made:
    folder = pathlib.Path(_temporary().name) / f"{len(model)}" / "report"
    result = quantize(
        model, samples, CONFIG, report_dir=folder, comparison=comparison, origin="net.tflite"
    )
    return Made(folder, result, model, comparison or ComparisonSet(samples, ""))


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tflite_eq_reports_")


def decibels(exact: models.Array, values: models.Array) -> float:
    """SQNR as the documentation defines it."""
    noise = np.square(values.astype(np.float64) - exact).sum()
    return float(10 * np.log10(np.square(exact.astype(np.float64)).sum() / noise))
