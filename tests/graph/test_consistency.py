"""Tables of a model that contradict each other, each kind refused before a runtime sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import built_models
from tests.graph.broken import operator_of, refused
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph


def test_networks_of_the_tests_are_consistent() -> None:
    for model in (
        built_models.conv_net(),
        built_models.unusual_net(),
        built_models.float_island_net(),
    ):
        Graph.from_bytes(model)


@pytest.mark.parametrize("index", [-2, 1000, -(1 << 31), (1 << 31) - 1])
@pytest.mark.parametrize("field", ["inputs", "outputs", "intermediates"])
def test_operator_with_a_tensor_that_is_not_there(field: str, index: int) -> None:
    def change(model: Any) -> None:
        setattr(model.subgraphs[0].operators[2], field, np.array([index], np.int32))

    refused(change, "operator 2", f"tensor {index}", field, "download it again")


def test_operator_without_a_place_for_its_result() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].outputs = np.array([-1], np.int32)

    refused(change, "operator 0 (CONV_2D)", "outputs")


def test_operator_of_a_kind_that_is_not_there() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].opcodeIndex = 99

    refused(change, "kind 99")


@pytest.mark.parametrize("number", [1000, (1 << 31) - 1])
def test_unknown_operator_code(number: int) -> None:
    def change(model: Any) -> None:
        model.operatorCodes[0].builtinCode = number

    refused(change, f"code {number}", "install a newer")


@pytest.mark.parametrize("field", ["inputs", "outputs"])
def test_end_of_the_graph_that_is_not_there(field: str) -> None:
    def change(model: Any) -> None:
        setattr(model.subgraphs[0], field, np.array([1000], np.int32))

    refused(change, f"an {field[:-1]} of the graph is tensor 1000")


def test_graph_without_outputs() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].outputs = None

    refused(change, "has no output", "convert the model again")


def test_constant_for_an_input() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.inputs = np.array([graph.inputs[0], graph.operators[0].inputs[1]], np.int32)

    refused(change, "input 'filter_1' holds constants")


def test_constant_for_an_output() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.outputs = np.array([graph.outputs[0], graph.operators[0].inputs[1]], np.int32)

    refused(change, "output 'filter_1' is a constant", "without that output")


def test_input_that_is_listed_twice() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].inputs = np.array([0, 0], np.int32)

    refused(change, "input 'image_0' is listed twice")


def test_operators_in_another_order() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators.reverse()

    refused(change, "before anything has written it")


def test_operator_that_reads_its_own_result() -> None:
    def change(model: Any) -> None:
        operator = operator_of(model, "ADD")
        operator.inputs = np.array([operator.outputs[0], operator.inputs[1]], np.int32)

    refused(change, "before anything has written it")


def test_two_operators_that_write_one_tensor() -> None:
    def change(model: Any) -> None:
        operators = model.subgraphs[0].operators
        operators[1].outputs = operators[0].outputs

    refused(change, "operator 1 (DEPTHWISE_CONV_2D)", "operator 0 (CONV_2D) gives already")


@pytest.mark.parametrize("target", ["input", "constant"])
def test_operator_that_writes_what_is_given(target: str) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        source = graph.inputs[0] if target == "input" else graph.operators[0].inputs[1]
        graph.operators[1].outputs = np.array([source], np.int32)

    refused(change, "operator 1", "the graph itself gives already")


def test_operator_that_writes_a_variable() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].isVariable = True

    refused(change, "which is a variable", "inference-only")


def test_output_that_nothing_writes() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators.pop()

    refused(change, "nothing writes the graph's output")


@pytest.mark.parametrize("buffer", [1000, (1 << 32) - 1])
def test_tensor_in_a_buffer_that_is_not_there(buffer: int) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[1].buffer = buffer

    refused(change, f"is in buffer {buffer}")


@pytest.mark.parametrize("kind", [-1, 99])
def test_unknown_element_type(kind: int) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].type = kind

    refused(change, f"element type {kind}", "install a newer")


@pytest.mark.parametrize(
    "shape", [[1, -1, 12, 3], [-(1 << 31)], [1] * 9, [(1 << 31) - 1] * 4, [1 << 16, 1 << 16]]
)
def test_impossible_shape(shape: list[int]) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].shape = np.array(shape, np.int32)

    refused(change, "tensor 0 ('image_0')")


def test_signature_of_a_shape_that_is_of_another() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 13, 12, 3], np.int32)

    refused(change, "the signature of its shape is [-1, 13, 12, 3]")


@pytest.mark.parametrize("change_of_size", [-4, 4, -1])
def test_constant_of_another_size_than_its_shape(change_of_size: int) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        buffer = model.buffers[graph.tensors[graph.operators[0].inputs[1]].buffer]
        size = len(buffer.data) + change_of_size
        buffer.data = np.resize(buffer.data, size)

    refused(change, "filter_1", "truncated or corrupt")


def test_name_that_is_no_text() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[3].name = b"\xff\xfe"

    refused(change, "the name of tensor 3 is not UTF-8")


def test_name_with_a_line_end_stays_in_one_line() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].name = b"a\nerror: b"
        model.subgraphs[0].tensors[0].shape = np.array([-1], np.int32)

    refused(change, "error: b")


def with_scales(*scales: float, zero_points: list[int], axis: int = 0) -> Any:
    """Turns a weight of the network into codes."""

    def change(model: Any) -> None:
        generated = schema.schema()
        graph = model.subgraphs[0]
        tensor = graph.tensors[graph.operators[0].inputs[1]]
        tensor.type = generated.TensorType.INT8
        model.buffers[tensor.buffer].data = np.zeros(int(np.prod(tensor.shape)), np.uint8)
        tensor.quantization = generated.QuantizationParametersT()
        tensor.quantization.scale = np.array(scales, np.float32)
        tensor.quantization.zeroPoint = np.array(zero_points, np.int64)
        tensor.quantization.quantizedDimension = axis

    return change


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e-38, 1e35])
def test_scale_that_kernels_cannot_compute_with(scale: float) -> None:
    refused(with_scales(scale, zero_points=[0]), "scale", "quantize the float model again")


@pytest.mark.parametrize("axis", [-1, 3, 4, 1 << 30])
def test_scales_along_a_dimension_of_another_size(axis: int) -> None:
    refused(with_scales(*[0.1] * 8, zero_points=[0] * 8, axis=axis), f"along dimension {axis}")


@pytest.mark.parametrize("zero_points", [[128], [-129], [1 << 40], [0, 0]])
def test_zero_point_that_is_no_code(zero_points: list[int]) -> None:
    refused(with_scales(0.1, zero_points=zero_points), "zero points", "[-128, 127]")


def test_quantization_in_blocks() -> None:
    def change(model: Any) -> None:
        generated = schema.schema()
        quantization = generated.QuantizationParametersT()
        quantization.detailsType = 1
        model.subgraphs[0].tensors[1].quantization = quantization

    refused(change, "quantized in blocks or by a custom scheme")


@pytest.mark.parametrize("part", ["inputs", "outputs"])
@pytest.mark.parametrize("index", [5, 1000, (1 << 32) - 1])
def test_signature_of_a_tensor_that_is_no_end(part: str, index: int) -> None:
    def change(model: Any) -> None:
        generated = schema.schema()
        definition, entry = generated.SignatureDefT(), generated.TensorMapT()
        definition.signatureKey, entry.name, entry.tensorIndex = b"serve", b"x", index
        setattr(definition, part, [entry])
        model.signatureDefs = [definition]

    refused(change, "signature 'serve'", f"tensor {index}", part)


def test_metadata_in_a_buffer_that_is_not_there() -> None:
    def change(model: Any) -> None:
        entry = schema.schema().MetadataT()
        entry.name, entry.buffer = b"tflite_eq", 1000
        model.metadata = [entry]

    refused(change, "metadata 'tflite_eq' are in buffer 1000")


def test_second_subgraph_is_checked_too() -> None:
    def change(model: Any) -> None:
        other = schema.parse(built_models.unusual_net())
        graph = other.subgraphs[0]
        graph.operators[0].inputs = np.array([1000], np.int32)
        model.subgraphs.append(graph)

    refused(change, "subgraph 1")


def test_missing_lists_are_empty_ones() -> None:
    model = schema.parse(built_models.conv_net())
    graph = model.subgraphs[0]
    graph.operators = None
    graph.outputs = graph.inputs
    found = Graph.from_bytes(schema.serialize(model))
    assert found.operators == []
