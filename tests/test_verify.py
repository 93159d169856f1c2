from __future__ import annotations

import dataclasses
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import built_models, mediapipe, models, running
from tflite_eq import Config, quantize, verify
from tflite_eq.errors import BackendError, VerificationError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.quantizer import apply_calibration
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes
from tflite_eq.verify import check_fully_int8, check_runs_everywhere


@pytest.mark.parametrize("name", ["conv_net", "two_input_net", "keras_net"])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_good_models_pass(name: str, kind: str) -> None:
    model = running.quantized(name, Config(input_type=kind, output_type=kind)).model
    check_fully_int8(Graph.from_bytes(model), [])
    ran = check_runs_everywhere(model, models.data(name)[0], lambda: models.build(name))
    assert ran == dict.fromkeys(available_runtimes(), (Kernels.DEFAULT, Kernels.BUILTIN))


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
    name = "concat_pool_net"
    with pytest.raises(VerificationError, match=r"does not run on .*; the float model does"):
        check_runs_everywhere(damaged(change), models.data(name)[0], lambda: models.build(name))


def without_pooling(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an operator from a runtime, as old ones lack those that are newer."""
    plain, ran = Runtime.interpreter, verify.has_run

    def interpreter(self: Runtime, model: bytes, *rest: Any, **options: Any) -> Any:
        kinds = {operator.kind for operator in Graph.from_bytes(model).operators}
        if self == runtime and "MAX_POOL_2D" in kinds:
            raise BackendError("Didn't find op for builtin opcode 'MAX_POOL_2D'")
        return plain(self, model, *rest, **options)

    monkeypatch.setattr(Runtime, "interpreter", interpreter)
    # The process apart has that operator still.
    monkeypatch.setattr(verify, "has_run", lambda r, job: r != runtime and ran(r, job))


def test_runtimes_that_lack_an_operator_of_the_float_model_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *others, old = available_runtimes()
    without_pooling(old, monkeypatch)
    name = "concat_pool_net"
    result = quantize(models.build(name), models.data(name), Config(seed=3))
    assert result.report.summary["runtimes"] == [runtime.description for runtime in others]
    said = capsys.readouterr().err
    assert (
        "left out, for they run neither the float model nor the quantized one: "
        f"{old.description} (Didn't find op for builtin opcode 'MAX_POOL_2D')" in said
    )


def test_kernels_that_lack_an_operator_of_the_float_model_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """XNNPACK has MediaPipe's pooling, no runtime's own kernels have it; that is said once."""
    result = quantize(mediapipe.unpooling_net(), built_models.samples())
    able = [f"{runtime.description} with default kernels" for runtime in available_runtimes()]
    assert result.report.summary["runtimes"] == able
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    for runtime in available_runtimes():
        assert f"{runtime.description} with builtin kernels" in said
    assert "with default kernels" not in said
    assert "unresolved custom op: MaxPoolingWithArgmax2D)" in said


def test_a_model_that_no_runtime_can_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "available_runtimes", lambda: ())
    with pytest.raises(VerificationError, match="no installed runtime runs the float model"):
        check_runs_everywhere(b"", [], lambda: b"")


def test_networks_that_look_up_tables_are_checked_on_what_they_were_made_for() -> None:
    """A position that is no index of the table makes the runtime fail: random normals are none."""

    def network(tokens: Any) -> Any:
        table = models.weights(6, 8, seed=1)
        found = tf.gather(table, tf.cast(tokens, tf.int32))
        return models.dense(tf.reshape(found, [1, 24]), 3)

    model = models.convert(network, (1, 3))
    assert "GATHER" in {o.kind for o in Graph.from_bytes(model).operators}
    samples = [[np.array([[n % 3, 5, 4 - n % 5]], np.float32)] for n in range(6)]
    result = quantize(model, samples, Config(skip="(?i)cast|gather"))
    for seed in range(4):  # of a record that comes without samples
        config = dataclasses.replace(result.calibration.config, seed=seed)
        again = dataclasses.replace(result.calibration, config=config)
        apply_calibration(model, again)
