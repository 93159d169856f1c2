from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Config, calibrate, quantize
from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.data.dataset import SampleReader
from tflite_eq.data.store import ActivationStore
from tflite_eq.errors import ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.simulation.twins import TwinActivations


def ranges_of(model: bytes, data: Any) -> dict[int, tuple[float, float]]:
    graph = Graph.from_bytes(model)
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        observers = observe_ranges(graph, SampleReader(graph, data), twins, seed=0)
        assert twins.samples == len(data)
    return {i: (o.minimum, o.maximum) for i, o in observers.items()}


def ranges_by_recomputation(model: bytes, data: Any) -> dict[int, tuple[float, float]]:
    """Each tensor as the only output of a network cut off behind it."""
    graph = Graph.from_bytes(model)
    found = {}
    for index in edit.computed_tensors(graph):
        cut = Graph.from_bytes(model)
        cut.model.signatureDefs = None
        cut.subgraph.outputs = [index]
        producer = graph.producer(index)
        assert producer is not None
        cut.subgraph.operators = cut.subgraph.operators[: producer.index + 1]
        single = edit.schema.serialize(cut.model)
        values = [running.run(single, x)[0] for x in data]
        found[index] = (min(float(v.min()) for v in values), max(float(v.max()) for v in values))
    return found


@pytest.mark.parametrize("name", ["residual_net", "concat_pool_net"])
def test_ranges_are_the_networks_own(name: str) -> None:
    """In-place ADDs overwrite their inputs, which TensorFlow's own calibrator then reads."""
    model, data = models.build(name), models.data(name)
    found = ranges_of(model, data)
    for index, expected in ranges_by_recomputation(model, data).items():
        np.testing.assert_allclose(found[index], expected, rtol=1e-4, atol=1e-5)
    graph = Graph.from_bytes(model)
    for index in graph.inputs:
        values = np.stack([x[graph.inputs.index(index)] for x in data])
        assert found[index] == (values.min(), values.max())


def test_integer_tensors_are_left_out() -> None:
    graph = Graph.from_bytes(models.keras_net())
    found = ranges_of(models.keras_net(), models.data("keras_net"))
    assert {graph.tensors[i].type_name for i in found} == {"FLOAT32"}


@pytest.mark.filterwarnings("error")
def test_network_that_computes_nan_is_refused() -> None:
    model = models.convert(lambda x: models.conv(tf.math.log(x), 4), models.IMAGE)
    with pytest.raises(ModelError, match=r"sample 0 the FP32 network itself goes wrong.*'Log'"):
        calibrate(model, models.samples(models.IMAGE))


@pytest.mark.filterwarnings("error")
def test_network_that_overflows_is_refused() -> None:
    model = models.convert(lambda x: models.conv(tf.exp(x * 1000.0), 4), models.IMAGE)
    with pytest.raises(ModelError, match=r"FP32 network itself goes wrong.*infinite"):
        calibrate(model, models.samples(models.IMAGE))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("equalization", ["none", "activations", "cross_layer"])
def test_layers_that_overflow_are_refused(equalization: str) -> None:
    data = [[np.full((1, 20), 1e15, np.float32)]]
    with pytest.raises(ModelError, match=r"'MatMul.*' reaches .* on calibration sample 0"):
        calibrate(models.dense_net(), data, Config(equalization=equalization))


@pytest.mark.parametrize("value", [1e16, 3e38])
def test_huge_values_are_refused_before_they_crash_the_process(value: float) -> None:
    with pytest.raises(ModelError, match=r"tensor .x0. reaches|itself goes wrong"):
        calibrate(models.conv_net(), [[np.full(models.IMAGE, value, np.float32)]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e-30, 1e-10, 1e4])
def test_unusual_but_usable_values_are_quantized(value: float) -> None:
    data = [[x[0] * np.float32(value)] for x in models.data("conv_net")]
    result = quantize(models.conv_net(), data)
    exact, found = (running.run(m, data[0])[0] for m in (models.conv_net(), result.model))
    assert running.sqnr_db(exact, found) > 25
