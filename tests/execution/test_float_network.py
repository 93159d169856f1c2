"""The float network as calibration runs it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.built_models import NetworkBuilder
from tflite_eq.errors import ModelError
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.model import Graph


def padded(columns: int, *, declared: int) -> Graph:
    """A network that pads its image, with a number of columns that the file may be wrong about."""
    net = NetworkBuilder(1, 4, 4, 3)
    wide = net.constant(np.array([[0, 0], [0, 0], [0, columns], [0, 0]], np.int32))
    pad = net.operator(
        "PAD", [net.conv(net.input, 2), wide], (1, 4, declared, 2), ("PadOptions", {})
    )
    return Graph.from_bytes(net.finished(net.spatial("MEAN", pad)), "model")


def test_shapes_are_compared_before_anything_of_that_size_is_computed() -> None:
    """Padding by 2^20 columns costs gigabytes in a network of some size."""
    graph = padded(1 << 20, declared=6)
    with pytest.raises(ModelError, match=r"\[1, 4, 6, 2\] in the file.* \[1, 4, 1048580, 2\]"):
        FloatNetwork(graph)


def test_a_file_that_is_right_about_its_shapes_runs() -> None:
    graph = padded(2, declared=6)
    image = np.ones((1, 4, 4, 3), np.float32)
    values = dict(FloatNetwork(graph).run({graph.inputs[0]: image}, 0))
    assert [values[o.outputs[0]].shape for o in graph.operators][1] == (1, 4, 6, 2)
