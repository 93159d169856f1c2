"""Inputs and outputs as float32, int8 and uint8: the same codes at the ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Calibration, Config, quantize
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize
from tflite_eq.numerics.affine import quantize as to_codes

TYPES = ["float32", "int8", "uint8"]


def with_ends(name: str, input_type: str, output_type: str) -> bytes:
    record: Calibration = running.quantized(name).calibration
    ends = Config(input_type=input_type, output_type=output_type)
    return quantize(models.build(name), record, ends).model


@pytest.mark.parametrize("name", ["conv_net", "two_input_net", "softmax_net"])
@pytest.mark.parametrize(("input_type", "output_type"), list(itertools.product(TYPES, TYPES)))
def test_all_combinations_compute_the_same_codes(
    name: str, input_type: str, output_type: str
) -> None:
    model = with_ends(name, input_type, output_type)
    graph, float_graph = Graph.from_bytes(model), Graph.from_bytes(models.build(name))
    params = {
        t.index: AffineParams(t.scale, t.zero_point)
        for t in running.quantized(name).calibration.tensors
    }
    assert {graph.tensors[i].type_name.lower() for i in graph.inputs} == {input_type}
    assert {graph.tensors[i].type_name.lower() for i in graph.outputs} == {output_type}
    sample = models.data(name)[0]
    feeds = []
    for value, index in zip(sample, float_graph.inputs):
        codes = to_codes(value, params[index])
        feeds.append({
            "float32": dequantize(codes, params[index]),
            "int8": codes,
            "uint8": (codes.astype(np.int16) + 128).astype(np.uint8),
        }[input_type])  # fmt: skip
    expected = running.run(with_ends(name, "int8", "int8"), [
        to_codes(value, params[index]) for value, index in zip(sample, float_graph.inputs)
    ])  # fmt: skip
    for found, codes, index in zip(running.run(model, feeds), expected, float_graph.outputs):
        np.testing.assert_array_equal(
            found,
            {
                "float32": dequantize(codes, params[index]),
                "int8": codes,
                "uint8": codes.astype(np.int16) + 128,
            }[output_type],
        )


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_ends_carry_scale_zero_point_and_name(kind: str) -> None:
    graph = Graph.from_bytes(with_ends("two_input_net", kind, kind))
    float_graph = Graph.from_bytes(models.two_input_net())
    tensors = {t.index: t for t in running.quantized("two_input_net").calibration.tensors}
    for ends, originals in (
        (graph.inputs, float_graph.inputs),
        (graph.outputs, float_graph.outputs),
    ):
        for index, original in zip(ends, originals):
            assert graph.tensors[index].name == float_graph.tensors[original].name
            scales, zero_points = running.parameters(graph, index)
            assert scales.tolist() == [tensors[original].scale]
            offset = 128 if kind == "uint8" else 0
            assert zero_points.tolist() == [tensors[original].zero_point + offset]


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_no_float_is_left(kind: str) -> None:
    graph = Graph.from_bytes(with_ends("residual_net", kind, kind))
    assert not any(t.is_float for t in graph.tensors)
    kinds = {o.kind for o in graph.operators}
    assert "DEQUANTIZE" not in kinds
    assert ("QUANTIZE" in kinds) == (kind == "uint8")


@pytest.mark.parametrize("kind", TYPES)
def test_signatures_follow_the_ends(kind: str) -> None:
    model = with_ends("keras_net", kind, kind)
    graph = Graph.from_bytes(model)
    definition = graph.model.signatureDefs[0]
    assert definition.signatureKey == b"serving_default"
    assert [(e.name, e.tensorIndex) for e in definition.inputs] == [(b"image", graph.inputs[0])]
    assert [(e.name, e.tensorIndex) for e in definition.outputs] == [
        (b"output_0", graph.outputs[0])
    ]
    from tflite_eq.runtimes import preferred_runtime

    runner = preferred_runtime().interpreter(model).get_signature_runner("serving_default")
    details = runner.get_input_details()["image"]
    zeros = np.zeros(details["shape"], details["dtype"])
    assert runner(image=zeros)["output_0"].shape == (1, 6)


def test_input_with_two_readers_is_converted_once() -> None:
    def network(x: object) -> object:
        return {"a": models.conv(x, 4), "b": models.conv(x, 4, seed=3) + models.conv(x, 4)}

    model = models.convert(network, models.IMAGE)
    result = quantize(model, models.samples(models.IMAGE), Config(input_type="uint8"))
    graph = Graph.from_bytes(result.model)
    assert [graph.tensors[i].type_name for i in graph.inputs] == ["UINT8"]
