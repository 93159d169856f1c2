from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Config
from tflite_eq.errors import VerificationError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import available_runtimes
from tflite_eq.verify import check_fully_int8, check_runs_everywhere


@pytest.mark.parametrize("name", ["conv_net", "two_input_net", "keras_net"])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_good_models_pass(name: str, kind: str) -> None:
    model = running.quantized(name, Config(input_type=kind, output_type=kind)).model
    check_fully_int8(Graph.from_bytes(model), [])
    assert len(check_runs_everywhere(model, seed=0)) == len(available_runtimes())


def test_float_model_is_not_fully_int8() -> None:
    with pytest.raises(VerificationError, match=r"6 operators .*--skip '\^"):
        check_fully_int8(Graph.from_bytes(models.conv_net(), "m"), [])


def test_operators_kept_on_purpose_are_accepted_by_name() -> None:
    graph = Graph.from_bytes(models.conv_net())
    names = [graph.tensors[o.outputs[0]].name for o in graph.operators]
    check_fully_int8(graph, names)
    with pytest.raises(VerificationError, match=r"1 operator "):
        check_fully_int8(graph, names[1:])


def test_looking_at_the_shape_of_a_float_tensor_is_no_arithmetic() -> None:
    graph = Graph.from_bytes(models.keras_net())
    assert "SHAPE" in {o.kind for o in graph.operators}
    kept = [graph.tensors[o.outputs[0]].name for o in graph.operators if o.kind != "SHAPE"]
    check_fully_int8(graph, kept)


def damaged(change: Callable[[Any], None]) -> bytes:
    model = schema.parse(running.quantized("concat_pool_net").model)
    change(model)
    return schema.serialize(model)


def scale_of(model: Any, kind: str) -> Any:
    """Quantization of the output of the first operator of a kind."""
    graph = Graph(model)
    operator = next(o for o in graph.operators if o.kind == kind)
    return model.subgraphs[0].tensors[operator.outputs[0]].quantization


def double_pool_scale(model: Any) -> None:
    stored = scale_of(model, "MAX_POOL_2D")
    stored.scale = np.asarray(stored.scale) * np.float32(2)


def shift_weights(model: Any) -> None:
    graph = Graph(model)
    operator = next(o for o in graph.operators if o.kind == "CONV_2D")
    stored = model.subgraphs[0].tensors[operator.inputs[1]].quantization
    stored.zeroPoint = np.asarray(stored.zeroPoint) + 3


@pytest.mark.parametrize("change", [double_pool_scale, shift_weights])
def test_models_that_a_runtime_rejects_are_refused(change: Callable[[Any], None]) -> None:
    with pytest.raises(VerificationError, match="does not run on"):
        check_runs_everywhere(damaged(change), seed=0)
