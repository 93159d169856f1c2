"""Comparing models layer by layer: inputs of every type, several outputs, names that repeat."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Config, quantize
from tflite_eq.errors import DatasetError
from tflite_eq.evaluation.layerwise import (
    ComparedModel,
    ComparisonSet,
    ErrorSums,
    compare,
    corresponding_tensors,
)
from tflite_eq.graph import schema
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph


def compared(name: str, model: bytes, labels: tuple[int, ...] | None = None) -> object:
    graph = with_biases(Graph.from_bytes(models.build(name)))
    outputs = [layer.output for layer in linear_layers(graph).values()]
    samples = ComparisonSet(models.data(name), "samples", labels)
    return compare(graph, [ComparedModel("q", model)], samples, outputs), outputs


def test_sums_against_numpy() -> None:
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((4, 3, 5)).astype(np.float32)
    values = exact + rng.standard_normal(exact.shape).astype(np.float32) * 0.1
    sums = ErrorSums()
    for a, b in zip(exact, values):
        sums.add(a, b)
    codes = np.array([-70, 3, 64, 120], np.int8)
    sums.add_codes(codes[:2], (-64, 63))
    sums.add_codes(codes[2:], (-64, 63))
    found = sums.result()
    noise = np.square((values - exact).astype(np.float64)).sum()
    signal = np.square(exact.astype(np.float64)).sum()
    assert found.sqnr_db == pytest.approx(10 * math.log10(signal / noise))
    assert found.noise == pytest.approx(noise / signal)
    cosine = np.vdot(exact, values) / np.linalg.norm(exact) / np.linalg.norm(values)
    assert found.cosine == pytest.approx(cosine, abs=1e-6)
    assert (found.codes, found.outside) == ((-70, 120), 0.75)


def test_equal_and_dead_tensors() -> None:
    sums = ErrorSums()
    sums.add(np.ones(3, np.float32), np.ones(3, np.float32))
    assert (sums.result().sqnr_db, sums.result().cosine) == (math.inf, pytest.approx(1))
    dead = ErrorSums()
    dead.add(np.zeros(3, np.float32), np.zeros(3, np.float32))
    assert (dead.result().sqnr_db, dead.result().cosine) == (math.inf, 1.0)


@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_types_of_inputs_and_outputs_make_no_difference(kind: str) -> None:
    config = Config(input_type=kind, output_type=kind)
    result = quantize(models.conv_net(), models.data("conv_net"), config)
    found, outputs = compared("conv_net", result.model)
    plain, _ = compared("conv_net", running.quantized("conv_net").model)
    for index in outputs[:-1]:
        assert found.models[0].tensors[index] == plain.models[0].tensors[index]
    assert found.models[0].output.sqnr_db == pytest.approx(plain.models[0].output.sqnr_db)


def test_softmax_is_left_out() -> None:
    found, outputs = compared("softmax_net", running.quantized("softmax_net").model)
    assert found.models[0].output == found.models[0].tensors[outputs[-1]]


def test_several_inputs_and_outputs_have_no_agreement() -> None:
    found, outputs = compared("two_input_net", running.quantized("two_input_net").model)
    assert found.models[0].figures is None
    assert found.models[0].output is not None
    assert set(outputs) <= set(found.models[0].tensors)


def test_layers_kept_in_float_are_compared_too() -> None:
    graph = Graph.from_bytes(models.conv_net())
    name = graph.tensors[graph.operators[1].outputs[0]].name
    result = quantize(models.conv_net(), models.data("conv_net"), Config(skip=name[:6]))
    found, outputs = compared("conv_net", result.model)
    assert set(outputs) == set(found.models[0].tensors) & set(outputs)
    assert found.models[0].tensors[outputs[1]].codes is None


def test_names_that_are_not_unique_stand_for_nothing() -> None:
    model = schema.parse(models.conv_net(), "net")
    graph = Graph(model)
    first, second = (o.outputs[0] for o in graph.operators[:2])
    graph.subgraph.tensors[second].name = graph.subgraph.tensors[first].name
    graph = Graph(model)
    third = graph.operators[2].outputs[0]
    found = corresponding_tensors(graph, graph, [first, second, third])
    assert found == {third: third}


def test_label_that_is_no_class() -> None:
    labels = (0, 1, 2, 3, 4, 10)
    with pytest.raises(DatasetError, match=r"sample 5 is 10, outside 0\.\.9"):
        compared("conv_net", running.quantized("conv_net").model, labels)


def test_no_samples() -> None:
    graph = with_biases(Graph.from_bytes(models.conv_net()))
    with pytest.raises(DatasetError, match="empty"):
        compare(graph, [], ComparisonSet([], "nothing"), [])
