"""Weights stored as codes in float networks; TensorFlow's converter writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import built_models, models, running
from tests.built_models import NetworkBuilder
from tests.graph.broken import broken, refused
from tests.normalization.compared import after, inputs_of, kinds
from tests.running import run
from tests.shared_data import zoo
from tflite_eq import Config, quantize
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.checks import check_float_network
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.stored_codes import unpacked


def network(x: Any) -> Any:
    x = tf.nn.relu(models.conv(x, 32, seed=1))
    x = tf.nn.relu(models.conv(x, 32, seed=2))
    return models.dense(tf.reduce_mean(x, [1, 2]), 64, seed=3)


def dynamic_range() -> bytes:
    traced = tf.function(network, input_signature=[tf.TensorSpec(models.IMAGE)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def test_dynamic_range_weights_are_taken_as_they_are() -> None:
    data = dynamic_range()
    assert any(t.type_name == "INT8" for t in Graph.from_bytes(data).tensors)
    check_float_network(Graph.from_bytes(data))
    # Hybrid kernels round activations, which this does not.
    graph, change = after(data, unpacked, within=0.03)
    assert change is not None
    assert change.startswith("2 constants stored as int8")
    assert all(t.is_float or t.type_name == "INT32" for t in graph.tensors)
    reference = Graph.from_bytes(models.convert(network, models.IMAGE))
    (x,) = inputs_of(reference)
    (expected,) = run(schema.serialize(reference.model), [x])
    (found,) = run(schema.serialize(graph.model), [x])
    assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max()


def test_dynamic_range_network_is_quantized_and_says_so() -> None:
    result = quantize(dynamic_range(), models.samples(models.IMAGE))
    assert "taken as they are" in result.report.summary["normalized"][0]
    assert not any(t.is_float and t.is_constant for t in Graph.from_bytes(result.model).tensors)


def embedding() -> bytes:
    """A text model whose table the converter stores as codes, too."""
    table = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)

    def text(words: Any) -> Any:
        return models.dense(tf.reduce_mean(tf.gather(table, words), 1), 64, seed=1)

    traced = tf.function(text, input_signature=[tf.TensorSpec((1, 20), tf.int32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def words(seed: int) -> list[Any]:
    return [np.random.default_rng(seed).integers(0, 500, (1, 20)).astype(np.int32)]


def test_rows_that_are_looked_up_among_codes() -> None:
    data = embedding()
    given = Graph.from_bytes(data)
    assert kinds(given)[:2] == ["GATHER", "DEQUANTIZE"]
    assert given.tensors[given.operators[0].outputs[0]].type_name == "INT8"
    check_float_network(given)
    graph, _ = after(data, unpacked, within=0.03, inputs=words(1))
    assert kinds(graph) == ["GATHER", "MEAN", "FULLY_CONNECTED"]
    result = quantize(data, [words(seed) for seed in range(8)])
    assert kinds(Graph.from_bytes(result.model))[0] == "GATHER"


def test_codes_that_are_computed_with_or_given_out_are_quantized() -> None:
    """Another scale behind the lookup, or none that reads real values, is no storage."""

    def other_scale(model: Any) -> None:
        graph = model.subgraphs[0]
        result = graph.tensors[int(graph.operators[0].outputs[0])]
        result.quantization.scale = np.float32([9.0])

    def given_out(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.outputs = [*graph.outputs, int(graph.operators[0].outputs[0])]

    for change in (other_scale, given_out):
        graph = Graph.from_bytes(broken(change, embedding()))
        with pytest.raises(ModelError, match="already quantized"):
            check_float_network(graph)


def with_codes(kind: str, axis: int | None, zero_point: int = 0) -> bytes:
    """A network that adds its input to codes behind a DEQUANTIZE."""
    low, high = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-900, 900)}[
        kind
    ]
    codes = np.random.default_rng(3).integers(low, high + 1, (3, 5))
    net = NetworkBuilder(3, 5)
    made = net.elementwise("DEQUANTIZE", net.constant(codes.astype(np.int32)))
    model = schema.parse(net.finished(net.elementwise("ADD", net.input, made)))
    stored = model.subgraphs[0].tensors[int(model.subgraphs[0].operators[0].inputs[0])]
    stored.type = getattr(schema.schema().TensorType, kind)
    data = codes.reshape(-1).astype(np.int16 if kind == "INT16" else np.uint8).view(np.uint8)
    if kind == "INT4":
        pairs = np.append(data, 0).reshape(-1, 2) & 15
        data = pairs[:, 0] | pairs[:, 1] << 4
    model.buffers[stored.buffer].data = data
    stored.quantization = schema.schema().QuantizationParametersT()
    count = 1 if axis is None else codes.shape[axis]
    stored.quantization.scale = np.linspace(0.013, 0.4, count).astype(np.float32)
    stored.quantization.zeroPoint = np.full(count, zero_point, np.int64)
    stored.quantization.quantizedDimension = axis or 0
    return schema.serialize(model)


@pytest.mark.parametrize(
    ("kind", "axis", "zero_point"),
    [
        ("INT4", None, 0),
        ("INT8", None, 7),
        ("INT8", 0, 0),
        ("INT8", 1, 0),
        ("INT16", None, 0),
        ("UINT8", None, 128),
    ],
)
def test_codes_behind_dequantize(kind: str, axis: int | None, zero_point: int) -> None:
    data = with_codes(kind, axis, zero_point)
    # Optimised kernels subtract what the zero point stands for.
    graph, change = after(data, unpacked, within=1e-6 if zero_point else 0.0)
    assert kinds(graph) == ["ADD"]
    assert change is not None
    assert f"stored as {kind.lower()} " in change


def test_quantized_models_stay_refused() -> None:
    for config in (None, Config(input_type="int8", output_type="int8")):
        graph = Graph.from_bytes(running.quantized("conv_net", config).model)
        with pytest.raises(ModelError, match="already quantized"):
            check_float_network(graph)


@pytest.mark.parametrize("name", ["okay_nabu", "yamnet", "ssd_mnv2_fpnlite"])
def test_quantized_models_of_the_zoo_stay_refused(name: str) -> None:
    graph = Graph.from_bytes(zoo(f"{name}.tflite").read_bytes())
    with pytest.raises(ModelError, match=r"already quantized|keeps state outside"):
        check_float_network(graph)


def test_codes_in_blocks_are_refused() -> None:
    def change(model: Any) -> None:
        stored = model.subgraphs[0].tensors[int(model.subgraphs[0].operators[0].inputs[1])]
        generated = schema.schema()
        stored.quantization = generated.QuantizationParametersT()
        stored.quantization.detailsType = generated.QuantizationDetails.BlockwiseQuantization
        stored.quantization.details = generated.BlockwiseQuantizationT()

    refused(change, "quantized in blocks", "a scale per tensor or per channel")


def test_leaves_other_networks_alone() -> None:
    after(built_models.conv_net(), unpacked)
