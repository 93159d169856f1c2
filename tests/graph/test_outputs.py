from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation import classifiers
from tests.evaluation.classifiers import IMAGES
from tests.running import parameters, run
from tflite_eq.errors import ModelError
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import logits_view

X = IMAGES[:1].astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max())
    return exponents / exponents.sum()


def kinds(model: bytes) -> list[str]:
    return [operator.kind for operator in Graph.from_bytes(model).operators]


@pytest.mark.parametrize("kind", ["softmax", "softmax reshaped", "dynamic batch"])
def test_float_logits_are_what_softmax_was_applied_to(kind: str) -> None:
    model = classifiers.float_classifier() if kind == "softmax" else classifiers.other(kind)
    view = logits_view(model)
    (logits,) = run(view, [X])
    (probabilities,) = run(model, [X])
    np.testing.assert_allclose(softmax(logits.ravel()), probabilities.ravel(), atol=1e-6)
    (expected,) = run(classifiers.float_classifier(softmax=False), [X])
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert "SOFTMAX" not in kinds(view)
    assert len(Graph.from_bytes(view).tensors) < len(Graph.from_bytes(model).tensors)


@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_int8_logits_are_what_softmax_was_applied_to(io: str) -> None:
    model = classifiers.int8_classifier(io)
    view = logits_view(model)
    assert "SOFTMAX" not in kinds(view)
    graph = Graph.from_bytes(view)
    assert graph.tensors[graph.outputs[0]].type_name == "INT8"
    scale, zero_point = parameters(graph, graph.outputs[0])
    for image in IMAGES[:5]:
        fed = [image[np.newaxis].astype(io)]
        if io == "int8":
            fed = [(image[np.newaxis].astype(int) - 128).astype(np.int8)]
        (codes,) = run(view, fed)
        (scores,) = run(model, fed)
        expected = softmax((codes.astype(np.float64) - zero_point) * scale)
        if io != "float32":
            scores = (scores.astype(np.float64) + (128 if io == "int8" else 0)) / 256
        np.testing.assert_allclose(scores, expected, atol=1.01 / 256)


@pytest.mark.parametrize("io", [None, "float32", "int8"])
def test_a_model_without_softmax_stays_as_it_is(io: str | None) -> None:
    model = (
        classifiers.float_classifier(softmax=False)
        if io is None
        else classifiers.int8_classifier(io, softmax=False)
    )
    assert logits_view(model) is model


def test_softmax_on_the_input_stays() -> None:
    model = classifiers.other("softmax only")
    assert logits_view(model) is model


def test_several_outputs_are_refused() -> None:
    with pytest.raises(ModelError, match=r"m\.tflite: has 2 outputs .*with that output alone"):
        logits_view(classifiers.other("two outputs"), "m.tflite")
