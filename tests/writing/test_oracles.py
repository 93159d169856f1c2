"""The same record written with the graphs of TensorFlow's quantizer and of LiteRT Quantizer.

Codes, scales, zero points, operator versions, names, and what reference kernels compute. Where the
three differ, ``DIFFERENCES`` says why.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any, Callable

import numpy as np
import pytest

from tests import built_models, models, running, shared_data
from tests.graph import test_properties
from tests.oracles import compare
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.versions import MIN_RUNTIME_VERSION
from tflite_eq.runtimes import Kernels

needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("litert_quantizer") is None, reason="needs LiteRT Quantizer"
)
both = pytest.mark.parametrize("oracle", ["tensorflow", pytest.param("litert", marks=needs_litert)])

# Oracles write operators as they are.
as_oracles = functools.partial(Config, forms="plain")

CONFIGS = {
    "int8": as_oracles(),
    "int7": as_oracles(bits="7"),
    "lattice": as_oracles(bits="auto", target="x86-vnni"),
    "per tensor": as_oracles(per_tensor=True),
    "symmetric": as_oracles(activation_mode="symmetric", method="minmax", bias_correction="none"),
}
PLAIN = as_oracles(method="minmax", bias_correction="none")

# What an oracle does with an operator beside what its int8 kernel allows.
DIFFERENCES = {
    ("litert", "ONE_HOT"): "not on its list of operators: stays in float",
    ("litert", "REDUCE_PROD"): "not on its list of operators: stays in float",
    ("litert", "SCATTER_ND"): "not on its list of operators: stays in float",
    ("litert", "SPLIT_V"): "not on its list of operators: stays in float",
    ("litert", "TILE"): "not on its list of operators: stays in float",
    ("litert", "TOPK_V2"): "not on its list of operators: stays in float",
    ("tensorflow", "ELU"): "has an int8 kernel since 1.14 that MLIR does not use",
    ("tensorflow", "ONE_HOT"): "MLIR quantizes the values each with a scale of its own: wrong",
}


def assert_same(oracle: str, model: bytes, calibration: Calibration, written: bytes) -> None:
    reference = compare.written_by(oracle, model, calibration)
    names = oracle == "tensorflow"  # the other joins names as it likes
    assert compare.operators(written, names) == compare.operators(reference, names)


@both
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", models.SHAPES)
def test_networks(name: str, config: Config, oracle: str) -> None:
    result = running.quantized(name, config)
    assert_same(oracle, models.build(name), result.calibration, result.model)


@functools.cache
def operator_between_convolutions(kind: str) -> tuple[bytes, Any]:
    model = test_properties.network(kind)
    return model, quantize(model, models.samples(models.IMAGE), as_oracles(method="minmax"))


@both
@pytest.mark.parametrize("kind", sorted(test_properties.ALL))
def test_operators(kind: str, oracle: str) -> None:
    if (oracle, kind) in DIFFERENCES:
        pytest.skip(DIFFERENCES[oracle, kind])
    model, result = operator_between_convolutions(kind)
    assert_same(oracle, model, result.calibration, result.model)


SLOPES = np.linspace(-1.3, 2.1, 8).astype(np.float32)

CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "both signs": lambda x: models.tf.maximum(x, 0.5) * SLOPES,
    "positive": lambda x: models.tf.maximum(x, 0.5) + np.abs(SLOPES),
    "negative": lambda x: models.tf.maximum(x, 0.5) * -np.abs(SLOPES),
    "one value": lambda x: 1.0 - x,
    "under the scale of others": lambda x: models.tf.maximum(x, SLOPES),
    "matrix": lambda x: models.tf.linalg.matmul(x, models.weights(1, 12, 8, 5, seed=3)),
    "zeros": lambda x: models.tf.where(x > 0, x, SLOPES),
    "compared with": lambda x: models.tf.where(x > SLOPES, x, SLOPES),
    "slopes": lambda x: models.tf.keras.layers.PReLU(
        alpha_initializer=models.tf.constant_initializer(SLOPES), shared_axes=[1, 2]
    )(x),
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_constants(kind: str) -> None:
    layers = models.tf.keras.layers
    if kind == "slopes":
        inputs = layers.Input(models.IMAGE[1:], batch_size=1)
        x = CONSTANTS[kind](layers.Conv2D(8, 3)(inputs))
        model = models.convert_keras(inputs, layers.Conv2D(4, 1)(x))
    else:
        model = models.convert(
            lambda x: models.conv(CONSTANTS[kind](models.conv(x, 8, seed=1)), 4, 1, seed=2),
            models.IMAGE,
        )
    result = quantize(model, models.samples(models.IMAGE), PLAIN)
    assert_same("tensorflow", model, result.calibration, result.model)


ISLANDS = [
    ("conv_net", "^Mean$"),
    ("conv_net", "^Relu;"),
    ("leaky_net", "^LeakyRelu_1$"),
    ("residual_net", "^Relu_2"),
    ("residual_net", "^Relu_3"),
    ("two_input_net", "^Relu"),
]


@both
@pytest.mark.parametrize(("name", "skip"), ISLANDS)
def test_float_islands(name: str, skip: str, oracle: str) -> None:
    result = running.quantized(name, as_oracles(skip=skip))
    assert_same(oracle, models.build(name), result.calibration, result.model)


@needs_litert
@pytest.mark.parametrize(
    ("name", "skip"),
    [
        # MLIR does not leave these in float: it knows no operators with several results, and asks
        # movers and what they read to have one scale even if they are to stay in float.
        ("split_net", "^split"),
        ("concat_pool_net", "concat"),
        ("keras_net", "max_pool"),
        ("transpose_conv_net", "transpose"),  # int8 filter, float bias: no kernel takes that
    ],
)
def test_float_islands_that_tensorflow_refuses(name: str, skip: str) -> None:
    result = running.quantized(name, as_oracles(skip=skip))
    assert_same("litert", models.build(name), result.calibration, result.model)


@both
@pytest.mark.parametrize("name", ["conv_net", "unusual_net"])
def test_networks_without_tensorflow(name: str, oracle: str) -> None:
    model = getattr(built_models, name)()
    result = quantize(model, built_models.samples(), as_oracles())
    if (oracle, name) == ("tensorflow", "unusual_net"):  # MLIR folds EXPAND_DIMS and SQUEEZE away
        reference = compare.written_by(oracle, model, result.calibration)
        for sample in built_models.samples(3, seed=1):
            expected, found = (running.run(m, sample)[0] for m in (reference, result.model))
            np.testing.assert_array_equal(found, expected)
    else:
        assert_same(oracle, model, result.calibration, result.model)


@needs_litert
def test_channel_of_a_bias_alone() -> None:
    """Under its own scale for such a channel int32 could not hold the bias."""
    model = schema.parse(built_models.conv_net())
    graph = Graph(model)
    _, filters, bias = properties.linear_inputs(graph.operators[0])
    for index, value in ((filters, 0.0), (bias, 0.5)):
        values = graph.constant(index).copy()
        values[2] = value
        buffer = model.buffers[graph.subgraph.tensors[index].buffer]
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    data = schema.serialize(model)
    result = quantize(data, built_models.samples(), as_oracles())
    for oracle in ("tensorflow", "litert"):
        assert_same(oracle, data, result.calibration, result.model)


@pytest.mark.parametrize("kind", ["ABS", "MUL", "RESIZE_BILINEAR", "TILE", "REVERSE_V2", "SUM"])
def test_least_runtime_is_what_tensorflow_claims(kind: str) -> None:
    model, result = operator_between_convolutions(kind)
    annotated = compare.laid_out_by_mlir(model, result.calibration)
    assert least_runtime(annotated) == least_runtime(result.model)


def least_runtime(data: bytes) -> str:
    """What the metadata claim; MLIR repeats the entry it finds, emptied, behind its own."""
    model = schema.parse(data)
    entry = next(m for m in model.metadata if m.name == MIN_RUNTIME_VERSION)
    raw = np.asarray(model.buffers[entry.buffer].data, np.uint8).tobytes()
    assert len(raw) == 16
    return raw.rstrip(b"\0").decode()


# Models of the zoo that TensorFlow's quantizer takes. LiteRT Quantizer takes none of them: they are
# from before 2020 and have their operators in a field that it does not look at.
ZOO = ["ad01_fc", "deeplabv3_257", "facemesh_f32"]


@both
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
def test_trained_models(name: str, oracle: str) -> None:
    model = shared_data.path(f"models/{name}_float.tflite").read_bytes()
    compare_outputs(model, oracle, as_oracles(bits="7", method="minmax", bias_correction="none"))


@pytest.mark.parametrize("name", ZOO)
def test_models_of_the_zoo(name: str) -> None:
    compare_outputs(shared_data.zoo(f"{name}.tflite").read_bytes(), "tensorflow", PLAIN)


def compare_outputs(model: bytes, oracle: str, config: Config) -> None:
    """Whatever the samples are; these are quickly made and spread over all codes."""
    graph = Graph.from_bytes(model)
    samples = models.samples(graph.tensors[graph.inputs[0]].shape, count=2)
    result = quantize(model, calibrate(model, samples[:1], config))
    assert_same(oracle, model, result.calibration, result.model)
    reference = compare.written_by(oracle, model, result.calibration)
    kernels = Kernels.REFERENCE
    outputs = (running.run(written, samples[1], kernels) for written in (reference, result.model))
    for expected, found in zip(*outputs):
        assert np.ptp(expected) > 0 or expected.size == 1
        np.testing.assert_array_equal(found, expected)
