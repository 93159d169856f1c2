"""All passes together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import models
from tests.built_models import IMAGE, NetworkBuilder
from tests.normalization.compared import Pass, after
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.passes import normalized


def once(graph: Graph) -> tuple[Graph, str | None]:
    result = normalized(graph)
    return result.graph, "; ".join(result.changes) or None


def assert_settled(data: bytes, within: float, normalize: Pass = once) -> None:
    """A network computes the same in its normal form, in which nothing is left to do."""
    graph, _ = after(data, normalize, within)
    _, again = normalize(Graph.from_bytes(schema.serialize(graph.model)))
    assert again is None


@pytest.mark.parametrize("name", sorted(models.SHAPES))
def test_networks_have_one_normal_form(name: str) -> None:
    assert_settled(models.build(name), 1e-5)


_UNARY = ["ABS", "LOGISTIC", "NEG", "RELU", "RELU6", "SQUARE", "TANH"]
_BINARY = ["ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SUB"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_networks_have_one_normal_form(data: st.DataObject) -> None:
    """Layers with what passes look for behind, between and around them."""
    net = NetworkBuilder(*IMAGE)
    shape = (*IMAGE[:3], 4)
    known = [net.conv(net.input, 4)]
    for _ in range(data.draw(st.integers(1, 8))):
        x = data.draw(st.sampled_from(known[-3:]))
        what = data.draw(st.sampled_from(["unary", "constant", "binary", "layer", "move"]))
        if what == "unary":
            x = net.elementwise(data.draw(st.sampled_from(_UNARY)), x)
        elif what == "constant":
            kind = data.draw(st.sampled_from(_BINARY))
            size = data.draw(st.sampled_from([(), (4,)]))
            values = np.full(size, data.draw(st.sampled_from([-1.0, 0.5, 1.0, 3.0, 6.0])))
            x = net.elementwise(kind, x, net.constant(values.astype(np.float32)))
        elif what == "binary":
            other = data.draw(st.sampled_from(known))
            x = net.elementwise(data.draw(st.sampled_from(["ADD", "MUL", "SUB"])), x, other)
        elif what == "layer":
            x = net.conv(x, 4) if data.draw(st.booleans()) else net.depthwise(x)
        else:
            x = net.transpose(net.transpose(x, 0, 2, 1, 3), 0, 2, 1, 3)
            x = net.reshape(net.reshape(x, 1, int(np.prod(shape))), *shape)
        known.append(x)
    assert_settled(net.finished(known[-1]), 1e-4)
