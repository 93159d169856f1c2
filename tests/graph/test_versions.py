"""Versions of int8 operators that depend on more than their kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.built_models import NetworkBuilder
from tests.writing.records import image_net, written
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import CONVERSIONS, INT8_KERNELS
from tflite_eq.graph.versions import MIN_RUNTIME_VERSION, int8_version
from tflite_eq.runtimes import available_runtimes


def version_of(graph: Graph, kind: str) -> int:
    operator = next(o for o in graph.operators if o.kind == kind)
    version = int8_version(graph, operator)
    assert version is not None
    position = graph.subgraph.operators[operator.index].opcodeIndex
    assert graph.model.operatorCodes[position].version == version
    return version


@pytest.mark.parametrize(("product", "version"), [(0.0025, 3), (0.0024, 3), (0.0026, 2)])
def test_products_worth_a_code_of_the_output(product: float, version: int) -> None:
    net = image_net()
    x, y = net.conv(net.input, 4), net.conv(net.input, 4)
    z = net.elementwise("MUL", x, y)
    graph = written(net.finished(z), scales={x: 0.05, y: 0.05, z: product})
    assert version_of(graph, "MUL") == version


def transposed(rank: int) -> bytes:
    net = image_net()
    x = net.conv(net.input, 4)
    deep = net.reshape(x, *[1] * (rank - 4), 1, 6, 6, 4)
    return net.finished(net.reshape(net.transpose(deep, *range(rank)), 1, 6, 6, 4))


@pytest.mark.parametrize(("rank", "version"), [(4, 2), (5, 4), (6, 6)])
def test_ranks_that_early_kernels_do_not_take(rank: int, version: int) -> None:
    graph = written(transposed(rank))
    assert version_of(graph, "TRANSPOSE") == version
    for runtime in available_runtimes():
        runtime.interpreter(schema.serialize(graph.model)).allocate_tensors()


@pytest.mark.parametrize(("keep", "version"), [(False, 4), (True, 5)])
def test_dense_layers_that_keep_their_dimensions(keep: bool, version: int) -> None:
    net = NetworkBuilder(1, 6, 8)
    data = net.finished(net.dense(net.input, 4))
    model = schema.parse(data)
    model.subgraphs[0].operators[0].builtinOptions.keepNumDims = keep
    assert version_of(written(schema.serialize(model)), "FULLY_CONNECTED") == version


def test_grouped_convolutions() -> None:
    net = NetworkBuilder(1, 6, 6, 4)
    x = net.conv(net.input, 4)
    model = schema.parse(net.finished(x))
    subgraph = model.subgraphs[0]
    filters = subgraph.tensors[subgraph.operators[0].inputs[1]]
    buffer = model.buffers[filters.buffer]
    buffer.data, filters.shape = buffer.data[: 4 * 3 * 3 * 2 * 4], np.array([4, 3, 3, 2], np.int32)
    assert version_of(written(schema.serialize(model)), "CONV_2D") == 6


def test_float_operators_keep_their_version() -> None:
    net = image_net()
    data = net.finished(net.elementwise("SIN", net.conv(net.input, 4)))
    graph = written(data, {1})
    sine = next(o for o in graph.operators if o.kind == "SIN")
    assert int8_version(graph, sine) is None


def test_every_version_that_a_rule_can_give_has_its_runtime() -> None:
    for kind, kernel in INT8_KERNELS.items():
        assert kernel.version in kernel.runtimes, kind
        order = [_comparable(runtime) for _, runtime in sorted(kernel.runtimes.items())]
        assert order == sorted(order), kind
    assert CONVERSIONS.keys() == {"QUANTIZE", "DEQUANTIZE"}


def _comparable(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize(
    ("claimed", "expected"), [(b"1.5.0", b"2.12.0"), (b"2.13.1", b"2.13.1"), (b"", b"2.12.0")]
)
def test_least_runtime_is_raised_where_it_is_claimed(claimed: bytes, expected: bytes) -> None:
    assert claimed_by(written(with_claim(claimed))) == expected.ljust(16, b"\0")


def test_least_runtime_is_not_claimed_where_it_was_not() -> None:
    assert not written(with_claim(None)).model.metadata


def with_claim(claimed: bytes | None) -> bytes:
    net = image_net()
    model = schema.parse(net.finished(net.elementwise("EXP", net.conv(net.input, 4))))
    if claimed is not None:
        generated = schema.schema()
        entry, buffer = generated.MetadataT(), generated.BufferT()
        buffer.data = np.frombuffer(claimed.ljust(16, b"\0"), np.uint8)
        model.buffers.append(buffer)
        entry.name, entry.buffer = MIN_RUNTIME_VERSION, len(model.buffers) - 1
        model.metadata = [entry]
    return schema.serialize(model)


def claimed_by(graph: Graph) -> Any:
    [entry] = graph.model.metadata
    return bytes(bytearray(graph.model.buffers[entry.buffer].data))
