"""Random networks, islands, ends and scales: what is written is consistent and runs everywhere."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.built_models import NetworkBuilder
from tests.writing.records import SCALE, image_net, written
from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import CONVERSIONS, INT8_KERNELS, Scales
from tflite_eq.runtimes import Kernels, available_runtimes

TYPES = ["float32", "int8", "uint8"]
UNARY = ["RELU", "RELU6", "LOGISTIC", "TANH", "SIN", "ABS"]
BINARY = ["ADD", "MUL", "SUB", "MAXIMUM", "MINIMUM"]


def grow(net: NetworkBuilder, data: st.DataObject) -> list[int]:
    """Operators on whatever there is, all of one shape; the tensors that nothing reads."""
    tensors = [net.conv(net.input, 4)]
    read = set()
    for _ in range(data.draw(st.integers(1, 7))):
        kind = data.draw(st.sampled_from(["CONV_2D", "SPLIT", "CONSTANT", *UNARY, *BINARY]))
        x, y = (data.draw(st.sampled_from(tensors)) for _ in range(2))
        read.add(x)
        if kind == "CONV_2D":
            tensors.append(net.conv(x, 4))
        elif kind == "SPLIT":
            parts = net.split(net.conv(x, 8), 2)
            tensors.extend(parts)
        elif kind == "CONSTANT":
            values = net.constant(np.linspace(-1, 2, 4).astype(np.float32))
            tensors.append(net.elementwise(data.draw(st.sampled_from(BINARY)), x, values))
        elif kind in UNARY:
            tensors.append(net.elementwise(kind, x))
        else:
            read.add(y)
            tensors.append(net.elementwise(kind, x, y))
    return [tensor for tensor in tensors if tensor not in read]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_random_networks(data: st.DataObject) -> None:
    net = image_net()
    ends = grow(net, data)
    also = data.draw(st.lists(st.sampled_from([*ends, net.input]), max_size=2))
    model = net.finished(*ends, *also)
    graph = Graph.from_bytes(model)
    unknown = {o.index for o in graph.operators if o.kind not in INT8_KERNELS}
    skipped = unknown | data.draw(st.sets(st.sampled_from(range(len(graph.operators)))))
    scales = {
        tensor.index: SCALE * data.draw(st.sampled_from([1.0, 1.0, 0.7]))
        for tensor in graph.tensors
        if tensor.is_float and not tensor.is_constant
    }
    input_type, output_type = (data.draw(st.sampled_from(TYPES)) for _ in range(2))
    result = written(model, skipped, input_type, output_type, scales)
    check_types(graph, result, skipped)
    assert len(result.outputs) == len(graph.outputs)
    run_everywhere(schema.serialize(result.model))


def check_types(graph: Graph, result: Graph, skipped: set[int]) -> None:
    """Operators are those of the float network in order, each all in codes or all in float."""
    own = [o for o in result.operators if o.kind not in CONVERSIONS]
    assert [o.kind for o in own] == [o.kind for o in graph.operators]
    for before, operator in zip(graph.operators, own):
        touched = [i for i in (*operator.inputs, *operator.outputs) if i >= 0]
        types = {result.tensors[i].type_name for i in touched}
        if before.index in skipped:
            assert types <= {"FLOAT32", "INT32"}
            continue
        assert types <= {"INT8", "INT32"}
        kernel = INT8_KERNELS[operator.kind]
        of_codes = [i for i in touched if result.tensors[i].type_name == "INT8"]
        parameters = [result.subgraph.tensors[i].quantization for i in of_codes]
        scales = [float(p.scale[0]) for p in parameters]
        if kernel.scales is Scales.SHARED:
            assert len(set(scales)) == 1
        elif kernel.fixed is not None:
            assert scales[-1] == kernel.fixed.scale
        elif properties.linear_kind(operator) is not None:
            bias = result.subgraph.tensors[operator.inputs[2]].quantization.scale
            expected = np.float32(scales[0]) * np.asarray(parameters[1].scale, np.float32)
            np.testing.assert_array_equal(bias, expected)


def run_everywhere(model: bytes) -> None:
    for runtime in available_runtimes():
        for kernels in (Kernels.DEFAULT, Kernels.BUILTIN):
            interpreter = runtime.interpreter(model, kernels)
            interpreter.allocate_tensors()
            interpreter.invoke()
