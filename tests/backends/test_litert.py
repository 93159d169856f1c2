"""LiteRT Quantizer as the backend, with TensorFlow's quantizer for an oracle."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_eq.backends import make_backend
from tflite_eq.backends.tensorflow import TensorFlowBackend

from tests import built_models, models, running, shared_data
from tflite_eq import Config, calibrate, quantize
from tflite_eq.errors import BackendError, ConfigError, VerificationError
from tflite_eq.graph import edit, properties, schema
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.windows import MIN_SPAN

pytest.importorskip("litert_quantizer", reason="needs LiteRT Quantizer: tflite-eq[litert]")

CONFIGS = {
    "int8": Config(),
    "int7": Config(bits="7"),
    "per tensor": Config(per_tensor=True),
    "symmetric": Config(activation_mode="symmetric", method="minmax", bias_correction="none"),
}


def both(model: bytes, calibration: Any, **changes: Any) -> tuple[bytes, bytes]:
    """One record written through TensorFlow and through LiteRT Quantizer."""
    results = [quantize(model, calibration, backend=b, **changes) for b in ("tensorflow", "litert")]
    assert not results[1].report.warnings
    return results[0].model, results[1].model


def assert_same(reference: bytes, result: bytes) -> None:
    """Equal in everything that decides what is computed; operators may be in another order."""
    expected, found = (sorted(map(repr, operators(model))) for model in (reference, result))
    assert found == expected


def operators(data: bytes) -> list[Any]:
    """Kind, version, activation and tensors of every operator."""
    graph = Graph.from_bytes(data)
    return [
        [
            operator.kind,
            graph.model.operatorCodes[graph.subgraph.operators[operator.index].opcodeIndex].version,
            properties.fused_activation(operator),
            *(describe_tensor(graph, i) for i in (*operator.inputs, *operator.outputs)),
        ]
        for operator in graph.operators
    ]


def describe_tensor(graph: Graph, index: int) -> Any:
    tensor = graph.tensors[index]
    scales, zero_points = running.parameters(graph, index)
    values = graph.constant(index).tolist() if tensor.is_constant else None
    # They call what they add as they like.
    is_added = tensor.is_constant or (tensor.is_float and index not in graph.inputs + graph.outputs)
    name = "" if is_added else tensor.name
    return name, tensor.type_name, tensor.shape, scales.tolist(), zero_points.tolist(), values


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", models.SHAPES)
def test_same_codes_and_scales_as_with_tensorflow(name: str, config: Config) -> None:
    calibration = running.quantized(name, config).calibration
    assert_same(*both(models.build(name), calibration))


@shared_data.needs_shared_data
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_0.25_224",
        "resnet8_cifar10_mlperftiny",
        "resnet8_large_cifar10_mlperftiny",
        "squeezenet1_1_gluon",
        "tiny_darknet",
    ],
)
def test_trained_models_come_out_the_same(name: str) -> None:
    """Whatever the samples are; these are quickly made and spread over all codes."""
    model = shared_data.path(f"models/{name}_float.tflite").read_bytes()
    graph = Graph.from_bytes(model)
    shape = graph.tensors[graph.inputs[0]].shape
    samples = models.samples(shape, count=3)
    config = Config(bits="7", method="minmax", bias_correction="none")
    reference, result = both(model, calibrate(model, samples[:2], config))
    assert_same(reference, result)
    expected, found = (running.run(written, samples[2])[0] for written in (reference, result))
    assert np.ptp(expected) > 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["conv_net", "unusual_net"])
def test_operators_it_does_not_know_are_quantized_all_the_same(name: str) -> None:
    model = getattr(built_models, name)()
    reference, result = both(model, calibrate(model, built_models.samples()))
    found = {o.kind for o in Graph.from_bytes(result).operators}
    assert found >= {o.kind for o in Graph.from_bytes(model).operators}
    for sample in built_models.samples(3, seed=1):
        for expected, found in zip(running.run(reference, sample), running.run(result, sample)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("io", ["int8", "uint8"])
@pytest.mark.parametrize("name", ["two_input_net", "softmax_net"])
def test_same_results_with_every_kind_of_ends(name: str, io: str) -> None:
    calibration = running.quantized(name).calibration
    config = Config(input_type=io, output_type=io)
    reference, result = both(models.build(name), calibration, config=config)
    rng = np.random.default_rng(0)
    info = np.iinfo(io)
    inputs = [
        rng.integers(info.min, info.max, x.shape, io, endpoint=True) for x in models.data(name)[0]
    ]
    for expected, found in zip(running.run(reference, inputs), running.run(result, inputs)):
        assert found.dtype == io
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "skip"),
    [("conv_net", "^Mean$"), ("conv_net", "^Relu;"), ("leaky_net", "^LeakyRelu_1$")],
)
def test_operators_can_be_kept_in_float(name: str, skip: str) -> None:
    calibration = running.quantized(name, Config(skip=skip)).calibration
    assert_same(*both(models.build(name), calibration))


def test_operator_with_several_results_can_be_kept_in_float() -> None:
    data = models.data("split_net")
    result = quantize(models.split_net(), data, Config(skip="^split$"), backend="litert")
    graph = Graph.from_bytes(result.model)
    [split] = [o for o in graph.operators if o.kind == "SPLIT"]
    assert {graph.tensors[i].type_name for i in split.outputs} == {"FLOAT32"}
    assert not result.report.warnings


def test_operator_without_an_int8_kernel_is_named_with_the_remedy() -> None:
    model = built_models.float_island_net()
    with pytest.raises(VerificationError, match=r"SIN, output 'sin.*use --backend tensorflow"):
        quantize(model, built_models.samples(), backend="litert")
    result = quantize(model, built_models.samples(), Config(skip="^sin_"), backend="litert")
    assert [o.kind for o in Graph.from_bytes(result.model).operators].count("SIN") == 1


def activations(graph: Graph) -> list[int]:
    return [t.index for t in graph.tensors if t.is_float and not t.is_constant]


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_parameters_are_honoured_whatever_they_are(data: st.DataObject) -> None:
    graph = edit.with_biases(Graph.from_bytes(models.dense_net()))
    params = {
        index: AffineParams(
            data.draw(st.floats(MIN_SPAN / 255, 2.0**20)), data.draw(st.integers(-128, 127))
        )
        for index in activations(graph)
    }
    result = Graph.from_bytes(make_backend("litert").quantize(graph, params, set()))
    layers = [o for o in result.operators if o.kind == "FULLY_CONNECTED"]
    assert len(layers) == len(graph.operators)
    for operator, original in zip(layers, graph.operators):
        for index, source in (
            (operator.inputs[0], original.inputs[0]),
            (operator.outputs[0], original.outputs[0]),
        ):
            scales, zero_points = running.parameters(result, index)
            assert scales[0] == pytest.approx(params[source].scale, rel=1e-5)
            assert zero_points[0] == params[source].zero_point


def test_channel_of_a_bias_alone_is_written_all_the_same() -> None:
    """Under its own scale for such a channel int32 could not hold the bias."""
    model = schema.parse(built_models.conv_net())
    graph = Graph(model)
    _, filters, bias = properties.linear_inputs(graph.operators[0])
    for index, value in ((filters, 0.0), (bias, 0.5)):
        values = graph.constant(index).copy()
        values[2] = value
        buffer = model.buffers[graph.subgraph.tensors[index].buffer]
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    calibration = calibrate(schema.serialize(model), built_models.samples())
    assert_same(*both(schema.serialize(model), calibration))


def test_metadata_and_report_name_the_backend() -> None:
    from tflite_eq import metadata

    result = quantize(
        models.dense_net(), running.quantized("dense_net").calibration, backend="litert"
    )
    record = metadata.read(schema.parse(result.model))
    assert record is not None
    assert record.backend.startswith("litert-quantizer ")


def test_auto_takes_tensorflow_then_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_backend("auto"), TensorFlowBackend)
    hide(monkeypatch, "tensorflow")
    assert make_backend("auto").name.startswith("litert-quantizer ")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "litert_quantizer")
    with pytest.raises(BackendError, match=r"pip install 'tflite-eq\[litert\]'"):
        make_backend("litert")
    hide(monkeypatch, "litert_quantizer", "tensorflow")
    with pytest.raises(BackendError, match=r"tflite-eq\[litert\].*tflite-eq\[tensorflow\]"):
        make_backend("auto")


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend: 'torch' is not one of 'auto', 'tensorflow'"):
        quantize(models.dense_net(), models.data("dense_net"), backend="torch")


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make packages look as if they were not installed."""
    find = _FIND_SPEC
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n in modules else find(n, *a)
    )


_FIND_SPEC = importlib.util.find_spec
