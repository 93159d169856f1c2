from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.built_models import NetworkBuilder
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.checks import check_float_network, check_quantizable
from tflite_eq.graph.model import Graph


def edited(change: Callable[[Any], None], model: bytes | None = None) -> Graph:
    """A network after a change of its object API, read back from bytes."""
    parsed = schema.parse(model or models.conv_net())
    change(parsed)
    return Graph.from_bytes(schema.serialize(parsed), "net.tflite")


def check(graph: Graph) -> None:
    check_float_network(graph)
    check_quantizable(graph)


def refused(graph: Graph, *messages: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(graph)
    for message in ("net.tflite: ", *messages):
        assert message in str(caught.value)


@pytest.mark.parametrize("name", sorted(models.SHAPES))
def test_plain_float_networks_pass(name: str) -> None:
    check(Graph.from_bytes(models.build(name)))


def test_quantized_model_is_refused() -> None:
    for config in (None, running.Config(input_type="int8", output_type="int8")):
        graph = Graph.from_bytes(running.quantized("conv_net", config).model, "net.tflite")
        refused(graph, "already quantized", "Pass the")


def test_quantization_aware_model_is_refused() -> None:
    def network(x: Any) -> Any:
        x = tf.quantization.fake_quant_with_min_max_args(models.conv(x, 4), -3, 3)
        return models.conv(x, 4)

    graph = Graph.from_bytes(models.convert(network, models.IMAGE), "net.tflite")
    refused(graph, "quantization-aware training", "strip the quantization wrappers")


def test_variables_in_subgraphs_are_refused() -> None:
    """A loop is run as it is, but what its body keeps would be shared by parts run one by one."""

    def network(x: Any) -> Any:
        x = models.conv(x, 3)
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: [y * 2.0 + 1.0], [x])[0]

    model = schema.parse(models.convert(network, models.IMAGE))
    check_float_network(Graph(model))
    body = model.subgraphs[2].operators[0]
    code = schema.schema().OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = schema.schema().BuiltinOperator.VAR_HANDLE, 127
    model.operatorCodes.append(code)
    body.opcodeIndex = len(model.operatorCodes) - 1
    refused(Graph(model, "net.tflite"), "subgraph 2", "(WHILE", "VAR_HANDLE", "without variables")


def test_stateful_operator_is_refused() -> None:
    def change(model: Any) -> None:
        code = model.operatorCodes[model.subgraphs[0].operators[4].opcodeIndex]
        code.builtinCode = schema.schema().BuiltinOperator.READ_VARIABLE
        code.deprecatedBuiltinCode = 127

    refused(edited(change), "operator 4 (READ_VARIABLE", "keeps state")


def test_network_without_operators_is_refused() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.operators, graph.outputs = [], graph.inputs

    refused(edited(change), "no operators")


def test_network_without_weights_is_refused() -> None:
    model = models.convert(tf.nn.softmax, (1, 8))
    refused(Graph.from_bytes(model, "net.tflite"), "no convolution or dense layer")


def set_weight(value: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        subgraph = model.subgraphs[0]
        filters = subgraph.tensors[subgraph.operators[1].inputs[1]]
        data = np.array(model.buffers[filters.buffer].data, np.uint8)
        data.view(np.float32)[3] = value
        model.buffers[filters.buffer].data = data

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    refused(edited(set_weight(value)), "NaN or infinity")


@pytest.mark.parametrize("value", [3.4e38, -2e30])
def test_huge_weights_are_refused(value: float) -> None:
    refused(edited(set_weight(value)), "above 1e30", "-1e4")


def test_bad_constant_that_nothing_reads_is_harmless() -> None:
    def change(model: Any) -> None:
        subgraph = model.subgraphs[0]
        buffer = schema.schema().BufferT()
        buffer.data = np.full(4, np.nan, np.float32).view(np.uint8)
        model.buffers.append(buffer)
        tensor = schema.schema().TensorT()
        tensor.name, tensor.shape = b"left over", np.array([4], np.int32)
        tensor.buffer = len(model.buffers) - 1
        subgraph.tensors.append(tensor)

    check(edited(change))


@pytest.mark.parametrize("kind", ["BFLOAT16", 22])
def test_type_that_older_converters_crash_at_is_refused(kind: str | int) -> None:
    names = schema.tensor_type_names()
    code = next(c for c, name in names.items() if kind in (c, name))

    def change(model: Any) -> None:
        tensor = schema.schema().TensorT()
        tensor.name, tensor.type, tensor.shape = b"new", code, np.array([4], np.int32)
        model.subgraphs[0].tensors.append(tensor)

    refused(edited(change), f"'new' has element type {names[code]}")


def test_fused_activation_without_int8_kernel_is_refused() -> None:
    model = schema.parse(models.conv_net())
    operator = next(o for o in model.subgraphs[0].operators if o.builtinOptions is not None)
    operator.builtinOptions.fusedActivationFunction = schema.schema().ActivationFunctionType.TANH
    with pytest.raises(ModelError, match="fuses the activation function TANH"):
        check(Graph(model))


@pytest.mark.parametrize("kind", ["CONV_2D", "MAX_POOL_2D"])
def test_window_larger_than_the_image_is_refused(kind: str) -> None:
    def network(x: Any) -> Any:
        y = models.conv(x, 4, size=3, padding="VALID")
        return models.conv(tf.nn.max_pool2d(y, 2, 2, "VALID"), 4)

    model = schema.parse(models.convert(network, models.IMAGE))
    graph = Graph(model, "net.tflite")
    operator = next(o for o in graph.operators if o.kind == kind)
    if kind == "CONV_2D":
        operator.options.dilationHFactor = 9
    else:
        operator.options.filterWidth = 11
    refused(graph, f"({kind}, output", "on an image of", "give a larger input")


@pytest.mark.parametrize("is_input", [True, False], ids=["input", "computed"])
def test_float16_values_that_are_no_weights_are_not_called_such(is_input: bool) -> None:
    net = NetworkBuilder(1, 4, 4, 3)
    half = net.input
    if not is_input:
        casts = ("CastOptions", {"inDataType": 0, "outDataType": 1})
        half = net.operator("CAST", [net.conv(net.input, 3)], (1, 4, 4, 3), casts, "FLOAT16")
    model = net.finished(net.conv(net.operator("DEQUANTIZE", [half], (1, 4, 4, 3)), 2))

    def change(parsed: Any) -> None:
        parsed.subgraphs[0].tensors[half].type = schema.schema().TensorType.FLOAT16

    origin = "an input" if is_input else "computed inside the network"
    refused(edited(change, model), f"{origin} and of type FLOAT16", "computations in float32")


def test_weights_without_an_int8_form_are_named() -> None:
    net = NetworkBuilder(1, 4, 4, 4, 2)
    filters = net.constant(np.ones((2, 2, 2, 2, 3), np.float32))
    options = ("Conv3DOptions", {"strideD": 1, "strideH": 1, "strideW": 1, "padding": 0})
    model = net.finished(net.operator("CONV_3D", [net.input, filters], (1, 4, 4, 4, 3), options))
    refused(Graph.from_bytes(model, "net.tflite"), "nothing to quantize", "1 CONV_3D have no")
