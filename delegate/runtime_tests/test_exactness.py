"""Every code as the runtime's reference kernels compute it."""

import flatbuffers
import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv
from pair import Pair, chain_of_convs, mixed_chain
from tflite_schema import schema

KERNELS = [
    ("direct", "avx512_vnni"),
    ("direct", "scalar"),
    ("winograd_f43", "avx512_vnni"),
    ("winograd_f43", "avx2"),
    ("winograd_f43", "scalar"),
    ("winograd_f23", "avx512_vnni"),
    ("winograd_f23", "avx2"),
    ("winograd_f23", "scalar"),
    ("winograd_1d", "avx512_vnni"),
    ("winograd_1d", "scalar"),
    ("reference", "scalar"),
]


@pytest.mark.parametrize(("kernel", "isa"), KERNELS)
@pytest.mark.parametrize("seed", range(12))
def test_random_convolutions_equal_the_reference(runtime, delegate_path, kernel, isa, seed):
    rng = np.random.default_rng(1000 + seed)
    values = ["even_triplets", "plain_int7"][seed % 2] if kernel == "winograd_1d" else "int8"
    inputs, outputs = (int(n) for n in rng.integers(1, 80, 2))
    general = kernel in ("direct", "reference")
    conv = random_conv(
        rng,
        inputs,
        outputs,
        values=values,
        size=int(rng.integers(1, 5)) if general else 3,
        stride=int(rng.integers(1, 4)) if general else 1,
        dilation=int(rng.integers(1, 3)) if general else 1,
        padding=["same", "valid"][int(rng.integers(2))],
        activation=["none", "relu", "relu6", "relu_n1_to_1"][int(rng.integers(4))],
    )
    height, width = (int(n) for n in rng.integers(9, 30, 2))
    chain = Chain(
        (int(rng.integers(1, 4)), height, width, inputs),
        float(np.float32(rng.uniform(0.005, 0.2))),
        int(rng.integers(-64, 64)) if values != "int8" else int(rng.integers(-128, 128)),
        [conv],
    )
    pair = Pair(
        runtime,
        delegate_path,
        build(chain),
        kernel=kernel,
        isa=isa,
        require_delegation="1",
        num_threads=str(1 + seed % 3),
    )
    pair.check(rng)
    pair.check(rng, low=-64, high=64)


@pytest.mark.parametrize("values", ["int8", "even_triplets", "plain_int7"])
def test_tensors_between_claimed_nodes(runtime, delegate_path, values):
    rng = np.random.default_rng(1)
    chain = chain_of_convs(rng, values, count=6)
    pair = Pair(runtime, delegate_path, build(chain), require_delegation="1", claim=".*")
    assert len(pair.delegate_nodes()) == 1
    (output,) = pair.check(rng)
    assert output.std() > 5, "a test on saturated outputs proves nothing"


def test_inner_results_that_are_model_outputs(runtime, delegate_path):
    rng = np.random.default_rng(2)
    model = build(chain_of_convs(rng), all_outputs=True)
    pair = Pair(runtime, delegate_path, model, require_delegation="1", claim=".*")
    assert len(pair.check(rng)) == 4


def test_resizing_between_invocations(runtime, delegate_path):
    rng = np.random.default_rng(3)
    pair = Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(rng, "even_triplets", count=8)),
        kernel="winograd_1d",
        require_delegation="1",
        num_threads="2",
    )
    for shape in [(1, 20, 20, 32), (3, 5, 9, 32), (1, 41, 37, 32), (2, 3, 3, 32), (1, 20, 20, 32)]:
        pair.resize(shape)
        pair.check(rng)
        pair.check(rng, low=-64, high=64)


@pytest.mark.parametrize("kernel", ["winograd_f43", "winograd_f23", "winograd_1d", "direct"])
def test_several_partitions_and_batches(runtime, delegate_path, kernel):
    rng = np.random.default_rng(14)
    values = "even_triplets" if kernel == "winograd_1d" else "int8"
    pair = Pair(
        runtime, delegate_path, build(mixed_chain(rng, values)), kernel=kernel, num_threads="2"
    )
    assert len(pair.delegate_nodes()) == (1 if kernel == "direct" else 3)
    for shape in [(1, 16, 16, 24), (4, 7, 11, 24), (1, 33, 18, 24), (1, 16, 16, 24)]:
        pair.resize(shape)
        pair.check(rng)
        pair.check(rng, low=-64, high=64)


def reshaped_by_an_input(chain):
    """The chain behind a RESHAPE whose target is an input: its shapes are known at invoke only."""
    packed = build(chain)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(packed, 0))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    graph = model.subgraphs[0]
    image = graph.tensors[0]
    flat = schema.TensorT()
    flat.name, flat.shape, flat.type, flat.buffer = "flat", [1], image.type, 0
    flat.quantization = image.quantization
    target = schema.TensorT()
    target.name, target.shape, target.type, target.buffer = "shape", [4], schema.TensorType.INT32, 0
    graph.tensors += [flat, target]
    reshape = schema.OperatorT()
    reshape.opcodeIndex = 1
    reshape.inputs = [len(graph.tensors) - 2, len(graph.tensors) - 1]
    reshape.outputs = [0]
    graph.operators.insert(0, reshape)
    graph.inputs = reshape.inputs
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())


@pytest.mark.parametrize("values", ["int8", "even_triplets"])
def test_dynamic_shapes(runtime, delegate_path, values, capfd):
    rng = np.random.default_rng(15)
    model = reshaped_by_an_input(chain_of_convs(rng, values))
    options = {"kernel": "winograd_1d" if values == "even_triplets" else "winograd_f43"}
    pair = Pair(runtime, delegate_path, model, num_threads="2", log_level="1", **options)
    assert "claimed 4 of 5 nodes" in capfd.readouterr().err
    for shape in [(1, 20, 20, 32), (2, 7, 9, 32), (1, 3, 41, 32), (1, 20, 20, 32)]:
        codes = rng.integers(-128, 128, np.prod(shape)).astype(np.int8)
        outputs = []
        for interpreter in (pair.reference, pair.delegated):
            flat, target = (details["index"] for details in interpreter.get_input_details())
            interpreter.resize_tensor_input(flat, codes.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(flat, codes)
            interpreter.set_tensor(target, np.array(shape, np.int32))
            interpreter.invoke()
            (details,) = interpreter.get_output_details()
            outputs.append(interpreter.get_tensor(details["index"]))
        assert outputs[0].shape == shape
        np.testing.assert_array_equal(outputs[1], outputs[0])


def test_int7_model_given_int8_inputs(runtime, delegate_path):
    rng = np.random.default_rng(6)
    pair = Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(rng, "even_triplets", count=1)),
        kernel="winograd_1d",
        require_delegation="1",
        verify="1",
    )
    shape = (1, 20, 20, 32)
    for code in (-128, -65, 64, 127):
        codes = rng.integers(-64, 64, shape).astype(np.int8)
        codes[0, rng.integers(20), rng.integers(20), rng.integers(32)] = code
        expected, actual = pair.run(codes)
        np.testing.assert_array_equal(actual[0], expected[0])


@pytest.mark.parametrize("isa", ["avx512_vnni", "avx2", "scalar"])
def test_weights_beyond_the_bound_of_one_multiplication(runtime, delegate_path, isa):
    rng = np.random.default_rng(9)
    conv = random_conv(rng, 300, 48)
    conv.filter[:40] = 127
    conv.output_scale *= 20
    model = build(Chain((1, 12, 12, 300), 0.05, -3, [conv]))
    for kernel in ("winograd_f43", "winograd_f23"):
        pair = Pair(
            runtime,
            delegate_path,
            model,
            kernel=kernel,
            isa=isa,
            require_delegation="1",
            verify="1",
        )
        pair.check(rng)
        pair.check(rng, low=127)
        pair.check(rng, high=-127)


def test_layer_without_a_certificate_is_left(runtime, delegate_path):
    rng = np.random.default_rng(9)
    conv = random_conv(rng, 12, 32)
    conv.filter[:] = 127  # sums of taps leave int8
    model = build(Chain((1, 12, 12, 12), 0.05, 0, [conv]))
    with pytest.raises(RuntimeError, match="none of 1 nodes"):
        Pair(runtime, delegate_path, model, kernel="winograd_1d", require_delegation="1")
    Pair(runtime, delegate_path, model, kernel="winograd_f43", require_delegation="1").check(rng)
