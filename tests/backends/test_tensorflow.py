from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_eq.backends import make_backend
from tflite_eq.backends.tensorflow import TensorFlowBackend

from tests import models, running
from tflite_eq.errors import BackendError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.windows import MIN_SPAN


def float_graph(name: str = "dense_net") -> Graph:
    return edit.with_biases(Graph.from_bytes(models.build(name)))


def activations(graph: Graph) -> list[int]:
    return [t.index for t in graph.tensors if t.is_float and not t.is_constant]


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_parameters_are_honoured_whatever_they_are(data: st.DataObject) -> None:
    graph = float_graph()
    params = {
        index: AffineParams(
            data.draw(st.floats(MIN_SPAN / 255, 2.0**20)), data.draw(st.integers(-128, 127))
        )
        for index in activations(graph)
    }
    result = Graph.from_bytes(TensorFlowBackend().quantize(graph, params, set()))
    operators = [o for o in result.operators if o.kind == "FULLY_CONNECTED"]
    originals = [o for o in graph.operators if o.kind == "FULLY_CONNECTED"]
    for operator, original in zip(operators, originals):
        for index, source in (
            (operator.inputs[0], original.inputs[0]),
            (operator.outputs[0], original.outputs[0]),
        ):
            scales, zero_points = running.parameters(result, index)
            assert scales[0] == pytest.approx(params[source].scale, rel=1e-5)
            assert zero_points[0] == params[source].zero_point


def test_ends_stay_float() -> None:
    graph = float_graph("two_input_net")
    params = {i: AffineParams(0.1, 0) for i in activations(graph)}
    result = Graph.from_bytes(TensorFlowBackend().quantize(graph, params, set()))
    assert {result.tensors[i].type_name for i in (*result.inputs, *result.outputs)} == {"FLOAT32"}


def test_float_network_is_left_alone() -> None:
    graph = float_graph()
    before = graph.subgraph.tensors[0].quantization
    TensorFlowBackend().quantize(
        graph, {i: AffineParams(0.1, 0) for i in activations(graph)}, set()
    )
    assert graph.subgraph.tensors[0].quantization is before


def test_ranges_beyond_float32_never_reach_the_native_code() -> None:
    """They abort the process there."""
    graph = float_graph()
    params = {i: AffineParams(3e37, 100) for i in activations(graph)}
    with np.errstate(over="ignore"), pytest.raises(BackendError, match="which float32 cannot hold"):
        TensorFlowBackend().quantize(graph, params, set())


def test_native_failure_is_reported_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = TensorFlowBackend()

    def fail(*args: Any, **kwargs: Any) -> bytes:
        os.write(2, b"loc(unknown): bad operator\n")
        raise RuntimeError("quantization failed")

    monkeypatch.setattr(backend, "_mlir_quantize", fail)
    graph = float_graph()
    with pytest.raises(BackendError, match=r"quantization failed loc\(unknown\): bad operator"):
        backend.quantize(graph, {}, set())
    assert "bad operator" not in capfd.readouterr().err


def test_name_says_which_tensorflow() -> None:
    import tensorflow as tf

    assert make_backend().name == f"tensorflow {tf.__version__}"


def test_without_tensorflow_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find(n, *a)
    )
    with pytest.raises(
        BackendError, match=r"pip install 'tflite-eq\[tensorflow\]', or use --backend litert"
    ):
        TensorFlowBackend()


def test_tensorflow_without_the_quantizer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.lite.python import convert

    monkeypatch.delattr(convert, "mlir_quantize")
    with pytest.raises(BackendError, match=r"no mlir_quantize .* 2\.14 to 2\.21"):
        TensorFlowBackend()
