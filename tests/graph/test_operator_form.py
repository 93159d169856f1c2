"""Operators that their kernels would crash on: options, ranks, channels, scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import built_models
from tests.built_models import NetworkBuilder
from tests.graph.broken import broken, operator_of, refused
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

_STEPS = ["strideH", "strideW", "dilationHFactor", "dilationWFactor"]


@pytest.mark.parametrize("field", _STEPS)
@pytest.mark.parametrize("value", [0, -1, 1 << 20])
def test_step_of_a_convolution(field: str, value: int) -> None:
    def change(model: Any) -> None:
        setattr(operator_of(model, "CONV_2D").builtinOptions, field, value)

    refused(change, "operator 0 (CONV_2D)", f"{field} {value}")


@pytest.mark.parametrize("field", ["strideH", "strideW", "filterHeight", "filterWidth"])
def test_window_of_a_pool(field: str) -> None:
    def change(model: Any) -> None:
        setattr(operator_of(model, "MAX_POOL_2D").builtinOptions, field, 0)

    refused(change, "MAX_POOL_2D", f"{field} 0")


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "MEAN", "ADD"])
def test_absent_options(kind: str) -> None:
    def change(model: Any) -> None:
        operator = operator_of(model, kind)
        operator.builtinOptions, operator.builtinOptionsType = None, 0

    refused(change, kind, "none for options")


def test_options_of_another_operator() -> None:
    def change(model: Any) -> None:
        source, target = operator_of(model, "ADD"), operator_of(model, "CONV_2D")
        target.builtinOptions = source.builtinOptions
        target.builtinOptionsType = source.builtinOptionsType

    refused(change, "AddOptions for options, expected Conv2DOptions")


@pytest.mark.parametrize("kind", ["CONV_2D", "ADD"])
def test_unknown_fused_activation(kind: str) -> None:
    def change(model: Any) -> None:
        operator_of(model, kind).builtinOptions.fusedActivationFunction = 77

    refused(change, kind, "activation function 77")


@pytest.mark.parametrize(("kind", "count"), [("MAX_POOL_2D", 1), ("ADD", 2)])
def test_more_inputs_than_the_kernel_takes(kind: str, count: int) -> None:
    def change(model: Any) -> None:
        operator = operator_of(model, kind)
        operator.inputs = [*operator.inputs, operator.inputs[0]]

    refused(change, kind, f"it takes {count};")


def test_text_among_numbers() -> None:
    def change(model: Any) -> None:
        operator = operator_of(model, "ADD")
        text = schema.schema().TensorType.STRING
        model.subgraphs[0].tensors[operator.outputs[0]].type = text

    refused(change, "ADD", "which is text")


def test_unknown_padding() -> None:
    def change(model: Any) -> None:
        operator_of(model, "CONV_2D").builtinOptions.padding = 5

    refused(change, "padding 5")


@pytest.mark.parametrize("inputs", [[], [0], [0, -1, 2], [-1, 1, 2]])
def test_inputs_of_a_convolution(inputs: list[int]) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].inputs = np.array(inputs, np.int32)

    refused(change, "operator 0 (CONV_2D)", "needs 2 or more")


def test_convolution_without_a_bias_is_whole() -> None:
    def change(model: Any) -> None:
        operator = model.subgraphs[0].operators[0]
        operator.inputs = np.array([*operator.inputs[:2], -1], np.int32)

    Graph.from_bytes(broken(change))


@pytest.mark.parametrize(
    ("place", "shape"),
    [
        ("filter", [3, 3, 3, 8]),
        ("filter", [8, 27]),
        ("bias", [4, 2]),
        ("output", [1, 12, 12, 9]),
        ("output", [1, 12, 96]),
        ("input", [12, 12, 3]),
        ("input", [1, 12, 9, 4]),
    ],
)
def test_shapes_of_a_convolution(place: str, shape: list[int]) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        operator = graph.operators[0]
        index = {
            "input": operator.inputs[0],
            "filter": operator.inputs[1],
            "bias": operator.inputs[2],
            "output": operator.outputs[0],
        }[place]
        graph.tensors[index].shape = np.array(shape, np.int32)

    refused(change, "operator 0 (CONV_2D)", "convert the model again")


def test_shapes_of_a_depthwise_convolution() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[operator_of(model, "DEPTHWISE_CONV_2D").inputs[1]].shape = np.array(
            [3, 1, 3, 8], np.int32
        )

    refused(change, "DEPTHWISE_CONV_2D", "do not fit")


def test_shapes_of_a_dense_layer() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[operator_of(model, "FULLY_CONNECTED").inputs[1]].shape = np.array(
            [16, 10], np.int32
        )

    refused(change, "FULLY_CONNECTED", "do not fit")


def test_more_results_than_the_kernel_gives() -> None:
    def change(model: Any) -> None:
        operator = operator_of(model, "ADD")
        tensors = model.subgraphs[0].tensors
        tensors.append(tensors[operator.outputs[0]])
        operator.outputs = np.array([operator.outputs[0], len(tensors) - 1], np.int32)

    refused(change, "ADD", "2 outputs, expected one")


def test_split_into_another_number_of_results() -> None:
    """A kernel asks for as many results as the option says."""
    net = NetworkBuilder(1, 4, 4, 2)
    made = net.elementwise("RELU", net.conv(net.input, 4))
    model = schema.parse(net.finished(made))
    generated = schema.schema()
    operator = model.subgraphs[0].operators[1]
    code = model.operatorCodes[operator.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.SPLIT_V
    operator.builtinOptions = generated.SplitVOptionsT()
    operator.builtinOptions.numSplits = 2
    operator.builtinOptionsType = generated.BuiltinOptions.SplitVOptions
    operator.inputs = np.array([operator.inputs[0]] * 3, np.int32)
    refused(lambda _: None, "1 outputs, but numSplits 2", model=schema.serialize(model))


def softmax_net(beta: float, scale: float | None = None) -> bytes:
    net = NetworkBuilder(1, 4, 4, 2)
    made = net.elementwise("SOFTMAX", net.conv(net.input, 4))
    model = schema.parse(net.finished(made))
    generated = schema.schema()
    graph = model.subgraphs[0]
    softmax = graph.operators[1]
    softmax.builtinOptions.beta = beta
    if scale is not None:
        for index in (*softmax.inputs, *softmax.outputs, *graph.operators[0].inputs):
            tensor = graph.tensors[index]
            tensor.quantization = generated.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.zeros(1, np.int64)
        for index in (*softmax.inputs, *softmax.outputs):
            graph.tensors[index].type = generated.TensorType.INT8
    return schema.serialize(model)


@pytest.mark.parametrize("beta", [0.0, -1.0, 1e9, float("nan")])
def test_softmax_with_a_beta_that_reference_kernels_end_the_process_at(beta: float) -> None:
    refused(lambda _: None, "SOFTMAX", "beta", model=softmax_net(beta))


def test_softmax_of_codes_that_are_too_fine_for_it() -> None:
    Graph.from_bytes(softmax_net(1.0, 2e-8))
    refused(lambda _: None, "too small to compute with", model=softmax_net(1.0, 1e-8))


def test_codes_without_a_scale() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[operator_of(model, "ADD").outputs[0]].type = schema.schema().TensorType.INT8

    refused(change, "ADD", "INT8 without a scale", model=built_models.conv_net())


@pytest.mark.parametrize("field", ["builtinOptions", "builtinOptions2"])
def test_type_of_options_that_are_not_there(field: str) -> None:
    """TensorFlow's converter looks at the type and follows the offset."""

    def change(model: Any) -> None:
        operator = operator_of(model, "ADD")
        setattr(operator, field, None)
        setattr(operator, f"{field}Type", 8)

    refused(change, "ADD", "options of type 8, but none are there")


def test_custom_options_behind_the_flatbuffer() -> None:
    def change(model: Any) -> None:
        operator_of(model, "ADD").largeCustomOptionsOffset = 1 << 40

    refused(change, "ADD", "behind the flatbuffer")


def test_sum_whose_codes_are_too_fine() -> None:
    """Kernels check it and end the process."""

    def sum_net(scale: float) -> bytes:
        net = NetworkBuilder(1, 4, 4, 2)
        model = schema.parse(net.finished(net.elementwise("ADD", net.input, net.input)))
        for tensor, own in zip(model.subgraphs[0].tensors, (1.0, scale)):
            tensor.type = schema.schema().TensorType.INT8
            tensor.quantization = schema.schema().QuantizationParametersT()
            tensor.quantization.scale = np.array([own], np.float32)
            tensor.quantization.zeroPoint = np.zeros(1, np.int64)
        return schema.serialize(model)

    Graph.from_bytes(sum_net(1e-5))
    refused(lambda _: None, "ADD", "too small to compute with", model=sum_net(1e-6))


@pytest.mark.parametrize("kind", ["ADD", "DIV", "MUL", "SQUARED_DIFFERENCE", "SUB"])
def test_arithmetic_with_scales_per_channel(kind: str) -> None:
    """Kernels take no scale at all then, and end the process."""

    def codes_net(scales: int) -> bytes:
        net = NetworkBuilder(1, 4, 4, 2)
        other = net.constant(np.ones((1, 4, 4, 2), np.float32))
        net_output = net.elementwise(kind, net.input, other)
        model = schema.parse(net.finished(net_output))
        for tensor in model.subgraphs[0].tensors:
            tensor.type = schema.schema().TensorType.INT8
            tensor.quantization = schema.schema().QuantizationParametersT()
            count = scales if tensor.buffer else 1
            tensor.quantization.scale = np.full(count, 0.5, np.float32)
            tensor.quantization.zeroPoint = np.zeros(count, np.int64)
            tensor.quantization.quantizedDimension = 3
            if tensor.buffer:
                model.buffers[tensor.buffer].data = np.ones(32, np.uint8)
        return schema.serialize(model)

    Graph.from_bytes(codes_net(1))
    refused(lambda _: None, kind, "which has 2 scales, expected one", model=codes_net(2))
