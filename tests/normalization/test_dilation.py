"""Convolutions on phases become dilated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.normalization.networks import Builder, check_same, kinds, opened
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.dilation import dilated
from tflite_eq.normalization.padding import fused
from tflite_eq.normalization.shapes import settled

SHAPE = (1, 11, 13, 4)


def multiples(size: int, block: int, before: int, least: int) -> tuple[int, int]:
    """Padding behind an axis up to a multiple of the block, and how much of it is too much."""
    extra = -(size + before + least) % block
    return least + extra, extra


@given(
    block=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    before=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    behind=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    cropped=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    depthwise=st.booleans(),
    inner=st.sampled_from(["SAME", "VALID"]),
    between=st.sampled_from(["", "RELU", "PRELU", "ADD"]),
)
@settings(max_examples=60, deadline=None)
def test_computes_the_same(block, size, before, behind, cropped, depthwise, inner, between) -> None:
    net = Builder(*SHAPE)
    pads, crops = [], []
    for axis in range(2):
        after, extra = multiples(SHAPE[1 + axis], block[axis], before[axis], behind[axis])
        pads.append((before[axis], after))
        crops.append((min(cropped[axis], before[axis]), extra))
    x = net.space_to_batch(net.input, block, pads)
    if any(n < k for n, k in zip(net.shape_of(x)[1:3], size)) and inner == "VALID":
        return
    x = net.convolution(x, size, padding=inner, depthwise=depthwise)
    if between == "RELU":
        x = net.elementwise("RELU", x)
    elif between == "PRELU":
        x = net.elementwise("PRELU", x, net.constant(np.full((1, 1, 4), 0.2, np.float32)))
    elif between == "ADD":
        x = net.elementwise("ADD", x, net.constant(np.arange(4, dtype=np.float32)))
    if any(n * b <= sum(c) for n, b, c in zip(net.shape_of(x)[1:3], block, crops)):
        return
    data = net.finished(net.batch_to_space(x, block, crops))
    graph, change = dilated(Graph.from_bytes(data))
    assert change == (
        "SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND around 1 convolution made its dilation"
    )
    assert not {"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"} & set(kinds(graph))
    check_same(data, graph, SHAPE)


def test_same_padding_of_a_dilated_convolution_is_found_behind() -> None:
    net = Builder(*SHAPE)
    x = net.space_to_batch(net.input, (2, 2), [(2, 3), (2, 3)])
    x = net.convolution(x, (3, 3))
    data = net.finished(net.batch_to_space(x, (2, 2), [(0, 1), (0, 1)]))
    graph, _ = fused(dilated(Graph.from_bytes(data))[0])
    assert kinds(graph) == ["CONV_2D"]
    options = graph.operators[0].options
    assert (options.dilationHFactor, options.dilationWFactor, options.padding) == (2, 2, 0)
    check_same(data, graph, SHAPE)


def test_an_open_batch_stays_open() -> None:
    net = Builder(*SHAPE)
    x = net.space_to_batch(net.input, (2, 2), [(2, 3), (2, 3)])
    x = net.elementwise("RELU", net.convolution(x, (3, 3)))
    data = opened(net.finished(net.batch_to_space(x, (2, 2), [(0, 1), (0, 1)])), 0)
    graph, _ = dilated(Graph.from_bytes(data))
    assert kinds(graph) == ["PAD", "CONV_2D", "RELU"]
    for operator in graph.operators:
        assert graph.signature(operator.outputs[0])[0] == -1
    check_same(data, graph, (3, *SHAPE[1:]))


def another_reader(net: Builder) -> int:
    x = net.convolution(net.space_to_batch(net.input, (2, 2), [(0, 1), (0, 1)]))
    net.convolution(x, (1, 1))
    net.extra = net.elementwise("RELU", x)
    return net.batch_to_space(x, (2, 2), [(0, 1), (0, 1)])


def another_block(net: Builder) -> int:
    x = net.convolution(net.space_to_batch(net.input, (2, 2), [(0, 1), (0, 1)]))
    return net.batch_to_space(x, (4, 1), [(0, 1), (0, 0)])


def strided(net: Builder) -> int:
    x = net.convolution(net.space_to_batch(net.input, (2, 2), [(0, 1), (0, 1)]), stride=2)
    return net.batch_to_space(x, (2, 2), [(0, 0), (0, 0)])


def cropped_beyond_its_padding(net: Builder) -> int:
    x = net.convolution(net.space_to_batch(net.input, (2, 2), [(0, 1), (0, 1)]))
    return net.batch_to_space(x, (2, 2), [(1, 0), (0, 1)])


def told_apart_by_phase(net: Builder) -> int:
    x = net.convolution(net.space_to_batch(net.input, (2, 2), [(0, 1), (0, 1)]))
    phases = net.constant(np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1))
    return net.batch_to_space(net.elementwise("ADD", x, phases), (2, 2), [(0, 1), (0, 1)])


@pytest.mark.parametrize(
    "make",
    [another_reader, another_block, strided, cropped_beyond_its_padding, told_apart_by_phase],
)
def test_leaves_others_alone(make) -> None:
    net = Builder(*SHAPE)
    net.extra = None
    result = make(net)
    outputs = [result] if net.extra is None else [result, net.extra]
    graph = Graph.from_bytes(net.finished(*outputs))
    assert dilated(graph) == (graph, None)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize(("block", "pads", "crops"), [(2, (2, 3), (0, 1)), (3, (0, 2), (0, 2))])
@pytest.mark.parametrize("is_open", [False, True])
def test_signals_of_one_dimension(axis, block, pads, crops, is_open) -> None:
    length = 13
    net = Builder(1, length, 4)
    phase = (length + sum(pads)) // block
    blocks = [net.constant(np.array(values, np.int32)) for values in ([block], [pads])]
    x = net.of("SPACE_TO_BATCH_ND", [net.input, *blocks], (block, phase, 4), "FLOAT32")
    wide = [block, phase, 4]
    wide.insert(axis, 1)
    x = net.of("EXPAND_DIMS", [x, net.constant(np.array(axis, np.int32))], wide, "FLOAT32")
    x = net.elementwise("RELU", net.convolution(x, (1, 3) if axis == 1 else (3, 1)))
    narrow = (block, phase - 2, 4)
    wanted = net.constant(np.array([-1, *narrow[1:]], np.int32))
    x = net.of("RESHAPE", [x, wanted], narrow, "FLOAT32")
    x = net.elementwise("ADD", x, net.constant(np.arange(4, dtype=np.float32)))
    blocks = [net.constant(np.array(values, np.int32)) for values in ([block], [crops])]
    made = (1, (phase - 2) * block - sum(crops), 4)
    data = net.finished(net.of("BATCH_TO_SPACE_ND", [x, *blocks], made, "FLOAT32"))
    graph, _ = settled(Graph.from_bytes(opened(data, 0) if is_open else data))
    graph, change = dilated(graph)
    assert change is not None
    middle = ["PAD", "CONV_2D"] if pads[0] else ["CONV_2D"]
    assert kinds(graph) == ["EXPAND_DIMS", *middle, "RELU", "SQUEEZE", "ADD"]
    assert graph.tensors[graph.outputs[0]].shape == made
    check_same(data, graph, (1, length, 4))
    if is_open:
        check_same(opened(data, 0), graph, (3, length, 4))
