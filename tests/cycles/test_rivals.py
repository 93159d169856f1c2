"""Networks in other runtimes' formats; that they compute the same is in tests/arm64."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.delegate import networks
from tflite_eq.graph.model import Graph
from tools.arm64.cores import CORES
from tools.arm64.rivals.ncnn import ncnn_files
from tools.arm64.rivals.network import Network, RivalError, network_of
from tools.arm64.rivals.onnx import onnx_file
from tools.arm64.rivals.published import NCNN_MILLISECONDS


@functools.cache
def model() -> bytes:
    return networks.quantized("int8")


@pytest.fixture(scope="module")
def network() -> Network:
    return network_of(model())


def test_every_convolution_is_there_with_its_weights(network: Network) -> None:
    graph = Graph.from_bytes(model())
    filters = [o.inputs[1] for o in graph.operators if "CONV" in o.kind]
    layers = [layer for layer in network.layers if layer.kind == "conv"]
    assert len(layers) == len(filters)
    for layer, index in zip(layers, filters):
        assert layer.weights is not None
        codes = graph.constant(index)
        order = (3, 0, 1, 2) if layer.groups > 1 else (0, 3, 1, 2)
        np.testing.assert_array_equal(layer.weights.codes, codes.transpose(order))


def test_layers_read_what_others_write(network: Network) -> None:
    known = {network.input}
    for layer in network.layers:
        assert set(layer.inputs) <= known
        known.add(layer.output)


@pytest.mark.parametrize("int8", [False, True])
def test_ncnn_counts_its_layers_and_blobs(network: Network, int8: bool) -> None:
    text, weights = ncnn_files(network, int8=int8)
    magic, counts, *lines = text.decode().splitlines()
    blobs: list[str] = []
    for line in lines:
        _, _, inputs, outputs, *rest = line.split()
        read, written = rest[: int(inputs)], rest[int(inputs) :][: int(outputs)]
        # Each is read once, so that it is behind a Split where several layers read it.
        for name in read:
            blobs.remove(name)
        blobs += written
    assert blobs == [network.output]
    assert magic == "7767517"
    written_blobs = sum(int(line.split()[3]) for line in lines)
    assert [int(count) for count in counts.split()] == [len(lines), written_blobs]
    sizes = [layer.weights.codes.size for layer in network.layers if layer.weights is not None]
    assert len(weights) > sum(sizes) * (1 if int8 else 4)


def test_onnx_is_a_protocol_buffer(network: Network) -> None:
    found = fields(onnx_file(network, int8=True))
    assert [number for number, _ in found] == [1, 7, 8]
    graph = fields(dict(found)[7])
    nodes = [dict(fields(content)) for number, content in graph if number == 1]
    kinds = [node[4].decode() for node in nodes]
    assert kinds.count("Conv") == sum(layer.kind == "conv" for layer in network.layers)
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(kinds)


def fields(content: bytes) -> list[tuple[int, bytes]]:
    """Numbers and contents of a message's fields; a number's content is its bytes as stored."""
    found, place = [], 0

    def varint() -> tuple[int, bytes]:
        nonlocal place
        begin, value, shift = place, 0, 0
        while True:
            byte = content[place]
            value, shift, place = value | (byte & 0x7F) << shift, shift + 7, place + 1
            if byte < 0x80:
                return value, content[begin:place]

    while place < len(content):
        key, _ = varint()
        size, stored = varint()
        if key & 7 == 2:
            stored, place = content[place : place + size], place + size
        found.append((key >> 3, stored))
    return found


def test_what_rivals_are_not_given_is_named() -> None:
    with pytest.raises(RivalError, match="float32 weights"):
        network_of(networks.float_network())


def test_published_times_are_of_boards_that_cycles_are_estimated_for() -> None:
    assert set(NCNN_MILLISECONDS) == {name for name, core in CORES.items() if core.error}
