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
from tflite_eq import Config, QuantizationResult, SearchSettings, quantize
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.report.model import Report

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
