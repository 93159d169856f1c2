"""Signatures, subgraphs that operators stand for, and variables that nothing reads."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import flexbuffers

from tests import models
from tests.normalization.networks import Builder, check_same, kinds
from tests.running import run, sqnr_db
from tflite_eq import Config, quantize
from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.passes import opened
from tflite_eq.normalization.stablehlo import translated
from tflite_eq.runtimes import preferred_runtime

SHAPE = (1, 12, 12, 3)


class Functions(tf.Module):
    """Two functions with inputs of their own; one of them has two outputs."""

    @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32, name="image")])
    def classify(self, image):
        x = tf.nn.relu(models.conv(image, 8, seed=1))
        return {"logits": models.dense(tf.reduce_mean(x, [1, 2]), 5, seed=2)}

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 6, 4), tf.float32, name="patch")])
    def embed(self, patch):
        x = tf.nn.relu(models.conv(patch, 8, seed=3))
        return {"sum": tf.reduce_sum(x, [1, 2]), "largest": tf.reduce_max(x, [1, 2])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("functions")
    module = Functions()
    named = {"classify": module.classify, "embed": module.embed}
    tf.saved_model.save(module, str(made), signatures=named)
    return made


@pytest.fixture(scope="module")
def two(folder) -> bytes:
    """A subgraph for each signature."""
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=["classify", "embed"]
    )
    return bytes(converter.convert())


def renamed(data: bytes, old: str, new: str) -> bytes:
    model = schema.parse(data)
    for definition in model.signatureDefs:
        if definition.signatureKey == old.encode():
            definition.signatureKey = new.encode()
    return schema.serialize(model)


def by_name(data: bytes, signature: str, **inputs):
    interpreter = preferred_runtime().interpreter(data)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner(signature)(**inputs)


@pytest.mark.parametrize(
    ("signature", "name", "shape"), [("classify", "image", SHAPE), ("embed", "patch", (1, 6, 6, 4))]
)
def test_the_signature_that_is_named_is_quantized(two, signature, name, shape) -> None:
    data = [{name: x} for (x,) in models.samples(shape)]
    result = quantize(two, data, Config(signature=signature))
    graph = Graph.from_bytes(result.model)
    assert len(graph.model.subgraphs) == 1
    assert [d.signatureKey for d in graph.model.signatureDefs] == [signature.encode()]
    expected, found = (by_name(x, signature, **data[0]) for x in (two, result.model))
    assert expected.keys() == found.keys()
    for output in expected:
        assert sqnr_db(expected[output], found[output]) > 20
    assert result.report.summary["normalized"][0] == f"signature '{signature}' taken of 2"


def test_none_is_guessed(two) -> None:
    with pytest.raises(ConfigError, match=r"signatures 'classify', 'embed'.*--signature classify"):
        quantize(two, models.samples(SHAPE))


def test_an_unknown_one_is_refused(two) -> None:
    with pytest.raises(ConfigError, match=r"'classify', 'embed', and not 'serve'"):
        quantize(two, models.samples(SHAPE), Config(signature="serve"))


def test_a_model_without_any_is_said_to_have_none() -> None:
    with pytest.raises(ConfigError, match="has no signatures, and not 'serve'; leave"):
        quantize(models.build("conv_net"), models.samples(SHAPE), Config(signature="serve"))


def test_that_which_serves_by_default_is_taken(two) -> None:
    data = renamed(two, "embed", "serving_default")
    result = quantize(data, models.samples((1, 6, 6, 4)))
    assert result.report.summary["normalized"][0] == "signature 'serving_default' taken of 2"


def test_a_record_remembers_the_signature(two, tmp_path) -> None:
    data = [{"patch": x} for (x,) in models.samples((1, 6, 6, 4))]
    result = quantize(two, data, Config(signature="embed"))
    result.calibration.save(tmp_path / "record.json")
    again = quantize(two, type(result.calibration).load(tmp_path / "record.json"))
    assert again.model == result.model


def of_one_subgraph(*outputs: int) -> bytes:
    """Signatures over one subgraph with three outputs: which outputs each has."""
    net = Builder(*SHAPE)
    x = net.convolution(net.input)
    made = [x, net.elementwise("RELU", x), net.convolution(x)]
    model = schema.parse(net.finished(*made))
    generated = schema.schema()
    model.signatureDefs = []
    for number, wanted in enumerate(outputs):
        definition = generated.SignatureDefT()
        definition.signatureKey, definition.subgraphIndex = f"s{number}".encode(), 0
        definition.inputs = [entry("x", net.input)]
        definition.outputs = [entry(f"y{i}", made[i]) for i in wanted]
        model.signatureDefs.append(definition)
    return schema.serialize(model)


def entry(name: str, tensor: int):
    made = schema.schema().TensorMapT()
    made.name, made.tensorIndex = name.encode(), tensor
    return made


def test_of_one_subgraph_what_the_signature_does_not_need_is_left_out() -> None:
    data = of_one_subgraph((0, 2), (1,))
    graph = opened(Graph.from_bytes(data), Config(signature="s1")).graph
    assert kinds(graph) == ["CONV_2D", "RELU"]
    (probe,) = models.samples(SHAPE, count=1)
    np.testing.assert_array_equal(run(schema.serialize(graph.model), probe)[0], run(data, probe)[1])


def test_names_for_the_same_are_no_choice() -> None:
    graph = Graph.from_bytes(of_one_subgraph((0, 1, 2), (2, 1, 0)))
    assert opened(graph, Config()).graph is graph


def composite(nested: bool = False, itself: bool = False) -> bytes:
    """A network in which a subgraph stands for scaling and a sigmoid."""
    generated = schema.schema()
    net = Builder(*SHAPE)
    x = net.convolution(net.input)
    x = net.of("ABS", [x], net.shape_of(x), "FLOAT32")
    data = net.finished(net.convolution(x))
    model = schema.parse(data)
    inner = Builder(*net.shape_of(x))
    y = inner.elementwise("MUL", inner.input, inner.constant(np.full(4, 0.3, np.float32)))
    body = schema.parse(inner.finished(inner.elementwise("LOGISTIC", y)))
    append(model, body)
    if nested:
        outer = Builder(*net.shape_of(x))
        y = outer.of("ABS", [outer.input], outer.shape_of(outer.input), "FLOAT32")
        body = schema.parse(outer.finished(outer.elementwise("NEG", y)))
        append(model, body)
        stand_for(model, model.subgraphs[2].operators[0], 1)
    stand_for(model, model.subgraphs[0].operators[1], 2 if nested else 1)
    if itself:
        stand_for(model, model.subgraphs[1].operators[1], 1)
    assert generated.BuiltinOperator.STABLEHLO_COMPOSITE
    return schema.serialize(model)


def append(model, other) -> None:
    """Add the subgraph of another model."""
    (subgraph,) = other.subgraphs
    for tensor in subgraph.tensors:
        tensor.buffer += len(model.buffers)
    for operator in subgraph.operators:
        operator.opcodeIndex += len(model.operatorCodes)
    model.buffers += other.buffers
    model.operatorCodes += other.operatorCodes
    model.subgraphs.append(subgraph)


def stand_for(model, operator, subgraph: int) -> None:
    """Have an operator stand for a subgraph."""
    generated = schema.schema()
    code = generated.OperatorCodeT()
    code.builtinCode = generated.BuiltinOperator.STABLEHLO_COMPOSITE
    code.deprecatedBuiltinCode, code.version = 127, 1
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.builtinOptions, operator.builtinOptionsType = None, 0
    operator.builtinOptions2Type = generated.BuiltinOptions2.StableHLOCompositeOptions
    operator.builtinOptions2 = generated.StableHLOCompositeOptionsT()
    operator.builtinOptions2.name = b"odml.something"
    operator.builtinOptions2.decompositionSubgraphIndex = subgraph
    operator.builtinOptions2.compositeAttributes = np.frombuffer(flexbuffers.Dumps({}), np.uint8)


@pytest.mark.parametrize("nested", [False, True])
def test_a_composite_is_written_out(nested) -> None:
    data = composite(nested)
    found = opened(Graph.from_bytes(data), Config())
    inside = ["MUL", "LOGISTIC", "NEG"] if nested else ["MUL", "LOGISTIC"]
    assert kinds(found.graph) == ["CONV_2D", *inside, "CONV_2D"]
    assert len(found.graph.model.subgraphs) == 1
    assert found.changes[0].endswith("written out")
    check_same(data, found.graph, SHAPE)


def test_a_network_with_a_composite_is_quantized() -> None:
    data = composite()
    result = quantize(data, models.samples(SHAPE))
    (probe,) = models.samples(SHAPE, count=1, seed=7)
    assert sqnr_db(run(data, probe)[0], run(result.model, probe)[0]) > 20


def test_a_composite_of_itself_is_refused() -> None:
    with pytest.raises(ModelError, match="a subgraph calls itself"):
        opened(Graph.from_bytes(composite(itself=True)), Config())


def with_state(read: bool) -> bytes:
    """A network that sets a variable up, and reads it or not."""
    net = Builder(*SHAPE)
    handle = net.of("VAR_HANDLE", [], (), "RESOURCE", sharedName="v")
    x = net.convolution(net.input)
    value = net.of("READ_VARIABLE", [handle], (4,), "FLOAT32")
    made = net.elementwise("ADD", x, value)
    model = schema.parse(net.finished(made if read else x))
    generated = schema.schema()
    code = generated.OperatorCodeT()
    code.builtinCode, code.version = generated.BuiltinOperator.CALL_ONCE, 1
    code.deprecatedBuiltinCode = 127
    once = generated.OperatorT()
    once.opcodeIndex = len(model.operatorCodes)
    once.inputs = once.outputs = []
    once.builtinOptionsType = generated.BuiltinOptions.CallOnceOptions
    once.builtinOptions = generated.CallOnceOptionsT()
    once.builtinOptions.initSubgraphIndex = 1
    model.operatorCodes.append(code)
    if not read:
        del model.subgraphs[0].operators[2:]
    model.subgraphs[0].operators.insert(0, once)
    append(model, copy.deepcopy(initializer()))
    return schema.serialize(model)


def initializer():
    net = Builder(4)
    handle = net.of("VAR_HANDLE", [], (), "RESOURCE", sharedName="v")
    model = schema.parse(net.finished(handle))
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [], []
    return model


def test_state_that_nothing_reads_is_taken_out() -> None:
    found = opened(Graph.from_bytes(with_state(read=False)), Config())
    assert kinds(found.graph) == ["CONV_2D"]
    assert len(found.graph.model.subgraphs) == 1
    assert "operators for variables that nothing reads taken out" in found.changes[0]


def test_state_that_is_read_is_refused() -> None:
    with pytest.raises(ModelError, match="VAR_HANDLE, which keeps state"):
        quantize(with_state(read=True), models.samples(SHAPE))


STABLEHLO = {
    "ABS": np.abs,
    "ADD": np.add,
    "COSINE": np.cos,
    "DIVIDE": np.divide,
    "EXPONENTIAL": np.exp,
    "FLOOR": np.floor,
    "LOG": np.log,
    "LOGISTIC": lambda x: 1 / (1 + np.exp(-x)),
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MULTIPLY": np.multiply,
    "NEGATE": np.negative,
    "POWER": np.power,
    "RSQRT": lambda x: 1 / np.sqrt(x),
    "SUBTRACT": np.subtract,
    "TANH": np.tanh,
}


@pytest.mark.parametrize("kind", sorted(STABLEHLO))
def test_stablehlo_operators(kind) -> None:
    net = Builder(*SHAPE)
    compute = STABLEHLO[kind]
    x = net.elementwise("EXP", net.convolution(net.input))  # above 0
    operands = [x, net.elementwise("EXP", net.convolution(net.input))]
    operands = operands[: 2 if isinstance(compute, np.ufunc) and compute.nin == 2 else 1]
    result = net.of(f"STABLEHLO_{kind}", operands, net.shape_of(x), "FLOAT32")
    graph, change = translated(Graph.from_bytes(net.finished(*operands, result)))
    assert change == "1 StableHLO operator made builtin"
    (probe,) = models.samples(SHAPE, count=1)
    *values, found = run(schema.serialize(graph.model), probe)
    np.testing.assert_allclose(found, compute(*values), rtol=2e-5, atol=1e-6)
