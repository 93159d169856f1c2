"""Operators without an int8 form stay in float by themselves."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.running import run
from tflite_eq import Config, QuantizationResult, quantize
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.islands import sentences
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels
from tflite_eq.selection import skipped_operators

SAMPLES = models.samples(models.IMAGE)


@functools.cache
def wavy_net() -> bytes:
    """conv -> SIN -> RESHAPE -> COS -> RESHAPE -> conv, and a CEIL at the end."""

    def network(x: Any) -> Any:
        y = tf.nn.relu(models.conv(x, 8, seed=1))
        y = tf.reshape(tf.math.sin(y), (1, 144, 8))
        y = tf.reshape(tf.math.cos(y), (1, 12, 12, 8))
        y = tf.nn.relu(models.conv(y, 6, seed=2))
        return tf.math.ceil(10 * models.conv(y, 4, seed=3))

    return models.convert(network, models.IMAGE)


def with_custom_operator(data: bytes, kind: str, name: str) -> bytes:
    """The same with the first operator of a kind as a custom operator."""
    model = schema.parse(data)
    operator = next(o for o in Graph(model).operators if o.kind == kind)
    code = schema.schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.schema().BuiltinOperator.CUSTOM
    code.customCode = name.encode()
    model.operatorCodes.append(code)
    stored = model.subgraphs[0].operators[operator.index]
    stored.opcodeIndex = len(model.operatorCodes) - 1
    stored.builtinOptions, stored.builtinOptionsType = None, 0
    return schema.serialize(model)


def float_kinds(result: QuantizationResult) -> list[str]:
    graph = Graph.from_bytes(result.model)
    return sorted(
        operator.kind
        for operator in graph.operators
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE")
        and any(graph.tensors[i].is_float for i in operator.outputs)
    )


def test_islands_are_as_small_as_possible() -> None:
    result = quantize(wavy_net(), SAMPLES)
    # The reshape between two operators in float moves real values, the one behind them codes.
    assert float_kinds(result) == ["CEIL", "COS", "RESHAPE", "SIN"]
    [sentence] = result.report.summary["in_float"]
    assert sentence.startswith("3 operators without an int8 form stay in float: SIN, COS, CEIL")
    assert "and 1 chosen or between them" in sentence
    # Into SIN, out of COS, into CEIL.
    assert re.search(r"price: 3 conversions of 2,880 values", sentence)


def test_result_is_close_to_the_float_network() -> None:
    model = quantize(wavy_net(), SAMPLES).model
    for sample in SAMPLES[:2]:
        (exact,), (found,) = (
            run(wavy_net(), sample, Kernels.DEFAULT),
            run(model, sample, Kernels.DEFAULT),
        )
        assert np.corrcoef(exact.ravel(), found.ravel())[0, 1] > 0.99


def test_networks_without_such_operators_say_nothing() -> None:
    result = quantize(models.conv_net(), models.data("conv_net"))
    assert result.report.summary["in_float"] == []


def test_strict_names_one_expression_for_all_which_works() -> None:
    with pytest.raises(ModelError, match=r"3 operators without an int8 form: SIN, COS") as caught:
        quantize(wavy_net(), SAMPLES, Config(strict=True))
    expression = re.search(r"--skip '(.*)'$", str(caught.value))
    assert expression is not None
    result = quantize(wavy_net(), SAMPLES, Config(strict=True, skip=expression[1]))
    assert float_kinds(result) == ["CEIL", "COS", "RESHAPE", "SIN"]
    assert result.report.summary["in_float"] == []


def test_unknown_custom_operator_at_the_tail_is_kept_as_it_is() -> None:
    given = with_custom_operator(wavy_net(), "CEIL", "MakersOwn")
    result = quantize(given, SAMPLES)
    graph = Graph.from_bytes(result.model)
    assert graph.operators[-1].kind == "CUSTOM:MakersOwn"
    assert [graph.tensors[i].name for i in graph.outputs] == [
        Graph.from_bytes(given).tensors[i].name for i in Graph.from_bytes(given).outputs
    ]
    # What it reads are real values, those that the network without it gives.
    source = graph.tensors[graph.operators[-1].inputs[0]]
    assert source.is_float
    assert "does not have CUSTOM:MakersOwn" in result.report.summary["in_float"][1]
    without = schema.parse(result.model)
    without.subgraphs[0].outputs = [source.index]
    without.subgraphs[0].operators.pop()
    without.signatureDefs = None
    (exact,) = run(wavy_net(), SAMPLES[0], Kernels.DEFAULT)
    (found,) = run(schema.serialize(without), SAMPLES[0], Kernels.DEFAULT)
    assert np.corrcoef(exact.ravel(), np.ceil(found).ravel())[0, 1] > 0.99


def test_layers_behind_an_unknown_operator_stay_in_float() -> None:
    network = prepared(with_custom_operator(wavy_net(), "COS", "MakersOwn"), "m")
    kinds = [network.whole.operators[index].kind for index in sorted(network.tail)]
    assert kinds == ["CUSTOM:MakersOwn", "RESHAPE", "CONV_2D", "CONV_2D", "CEIL"]
    assert len(network.front.operators) == len(network.whole.operators) - len(kinds)


def test_nothing_in_front_of_an_unknown_operator_is_refused() -> None:
    def network(x: Any) -> Any:
        return models.conv(tf.math.sin(x), 4)

    given = with_custom_operator(models.convert(network, models.IMAGE), "SIN", "MakersOwn")
    with pytest.raises(ModelError, match=r"operator 0 \(CUSTOM:MakersOwn.*no convolution or dense"):
        quantize(given, SAMPLES)


def test_reason_is_said_where_others_of_the_kind_have_an_int8_form() -> None:
    """A product of 18 values, which kernels compute inexactly."""

    def network(x: Any) -> Any:
        y = tf.reshape(models.conv(x, 8, seed=1), (1, 8, 18, 8))
        return models.conv(tf.reduce_prod(y, axis=2, keepdims=True), 4, size=1, seed=2)

    found = prepared(models.convert(network, models.IMAGE), "model")
    skipped = skipped_operators(found.front, Config())
    said = sentences(found, skipped, Config())
    assert any(sentence.startswith("REDUCE_PROD of more than 16") for sentence in said)
