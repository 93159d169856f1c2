"""The delegate inside a TFLite runtime, against that runtime's reference kernels: every code must
be equal."""

import threading

import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv


class Pair:
    """A model run by the reference kernels alone, and by the delegate with reference kernels for
    what it leaves."""

    def __init__(self, runtime, path, model, **options):
        resolver = runtime.OpResolverType.BUILTIN_REF
        options = {"log_level": "0", **options}
        self.delegate = runtime.load_delegate(path, options)
        self.reference = runtime.Interpreter(
            model_content=model, experimental_op_resolver_type=resolver
        )
        self.delegated = runtime.Interpreter(
            model_content=model,
            experimental_op_resolver_type=resolver,
            experimental_delegates=[self.delegate],
        )
        self.allocate()

    def allocate(self):
        self.reference.allocate_tensors()
        self.delegated.allocate_tensors()

    def resize(self, shape):
        for interpreter in (self.reference, self.delegated):
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
        self.allocate()

    def run(self, codes):
        results = []
        for interpreter in (self.reference, self.delegated):
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
            interpreter.invoke()
            results.append(
                [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
            )
        return results

    def check(self, rng, *, low=-128, high=128):
        shape = self.reference.get_input_details()[0]["shape"]
        expected, actual = self.run(rng.integers(low, high, shape).astype(np.int8))
        assert len(expected) == len(actual)
        for e, a in zip(expected, actual):
            np.testing.assert_array_equal(a, e)
        return expected

    def delegate_nodes(self):
        return [
            d
            for d in self.delegated._get_ops_details()
            if d["op_name"] in ("DELEGATE", "TfLiteEqDelegate")
        ]


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


def chain_of_convs(rng, values="int8", count=4):
    convs = [random_conv(rng, 32, 32, values=values, padding="same") for _ in range(count)]
    return Chain((1, 20, 20, 32), 0.05, 3, convs)


@pytest.mark.parametrize("values", ["int8", "even_triplets", "plain_int7"])
def test_tensors_between_claimed_nodes(runtime, delegate_path, values):
    rng = np.random.default_rng(1)
    chain = chain_of_convs(rng, values, count=6)
    pair = Pair(runtime, delegate_path, build(chain), require_delegation="1")
    assert len(pair.delegate_nodes()) == 1
    (output,) = pair.check(rng)
    assert output.std() > 5, "a test on saturated outputs proves nothing"


def test_inner_results_that_are_model_outputs(runtime, delegate_path):
    rng = np.random.default_rng(2)
    pair = Pair(
        runtime, delegate_path, build(chain_of_convs(rng), all_outputs=True), require_delegation="1"
    )
    assert len(pair.check(rng)) == 4


def test_resizing_between_invocations(runtime, delegate_path):
    rng = np.random.default_rng(3)
    pair = Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(rng, "even_triplets", count=8)),
        require_delegation="1",
        num_threads="2",
    )
    for shape in [(1, 20, 20, 32), (3, 5, 9, 32), (1, 41, 37, 32), (2, 3, 3, 32), (1, 20, 20, 32)]:
        pair.resize(shape)
        pair.check(rng)
        pair.check(rng, low=-64, high=64)


def test_several_interpreters_and_threads_at_once(runtime, delegate_path):
    rng = np.random.default_rng(4)
    model = build(chain_of_convs(rng, "even_triplets"))
    pairs = [Pair(runtime, delegate_path, model, num_threads=str(n)) for n in (1, 2, 3, 2)]
    failures = []

    def work(pair, seed):
        try:
            own = np.random.default_rng(seed)
            for _ in range(15):
                pair.check(own)
        except BaseException as error:  # handed to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(pair, i)) for i, pair in enumerate(pairs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_one_delegate_shared_by_interpreters(runtime, delegate_path):
    rng = np.random.default_rng(5)
    model = build(chain_of_convs(rng))
    delegate = runtime.load_delegate(delegate_path, {"log_level": "0", "num_threads": "2"})
    interpreters = [
        runtime.Interpreter(model_content=model, experimental_delegates=[delegate])
        for _ in range(3)
    ]
    for interpreter in interpreters:
        interpreter.allocate_tensors()
    index = interpreters[0].get_input_details()[0]["index"]
    codes = rng.integers(-128, 128, (1, 20, 20, 32)).astype(np.int8)

    def run(interpreter, results):
        for _ in range(20):
            interpreter.set_tensor(index, codes)
            interpreter.invoke()
            results.append(
                interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()
            )

    results = [[] for _ in interpreters]
    threads = [threading.Thread(target=run, args=pair) for pair in zip(interpreters, results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        for codes_out in result:
            np.testing.assert_array_equal(codes_out, results[0][0])


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


def test_partitions_too_small_to_pay_are_left(runtime, delegate_path, capfd):
    rng = np.random.default_rng(13)
    convs = [random_conv(rng, 32, 32)]
    pair = Pair(runtime, delegate_path, build(Chain((1, 8, 8, 32), 0.05, 0, convs)), log_level="2")
    assert not pair.delegate_nodes()
    assert "a switch of delegates costs more than these 1 nodes save" in capfd.readouterr().err


def test_claims_nothing_it_should_not(runtime, delegate_path):
    rng = np.random.default_rng(7)
    pair = Pair(runtime, delegate_path, build(chain_of_convs(rng)), isa="scalar")
    assert not pair.delegate_nodes()
    pair.check(rng)


def test_require_delegation_fails_when_nothing_is_claimed(runtime, delegate_path):
    model = build(chain_of_convs(np.random.default_rng(8)))
    with pytest.raises(RuntimeError, match="none of 4 nodes"):
        Pair(runtime, delegate_path, model, isa="scalar", require_delegation="1")


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": "2"}, 'unknown option "threads"'),
        ({"num_threads": "two"}, '"two" is not an integer from 0 to 256'),
        ({"num_threads": "-1"}, '"-1" is not an integer from 0 to 256'),
        ({"num_threads": "257"}, '"257" is not an integer'),
        ({"kernel": "winograd"}, '"winograd" is none of auto, winograd_f43'),
        ({"isa": "sse9"}, '"sse9" is none of auto, scalar'),
        ({"verify": "yes"}, '"yes" is none of 0, 1, false, true'),
        ({"require_delegation": ""}, '"" is none of 0, 1'),
        ({"log_level": "3"}, '"3" is not an integer from 0 to 2'),
        ({"profile": "2"}, '"2" is none of 0, 1'),
    ],
)
def test_bad_options_are_refused_with_a_message(runtime, delegate_path, options, message):
    with pytest.raises(ValueError, match=message):
        runtime.load_delegate(delegate_path, options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_threads": "0"},
        {"kernel": "auto", "isa": "auto"},
        {"verify": "true", "require_delegation": "false"},
        {"log_level": "0", "profile": "0"},
    ],
)
def test_good_options(runtime, delegate_path, options):
    rng = np.random.default_rng(10)
    Pair(runtime, delegate_path, build(chain_of_convs(rng)), **options).check(rng)


def test_log_names_nodes_and_reasons(runtime, delegate_path, capfd):
    Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(np.random.default_rng(11))),
        isa="scalar",
        log_level="2",
    )
    text = capfd.readouterr().err
    assert "node 0 refused (output0): this CPU has no instruction set with fast kernels" in text
    assert "claimed 0 of 4 convolutions, 4 nodes" in text


def test_profile_prints_each_node(runtime, delegate_path, capfd):
    rng = np.random.default_rng(12)
    pair = Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(rng)),
        profile="1",
        kernel="direct",
        isa="scalar",
    )
    pair.check(rng)
    del pair
    assert capfd.readouterr().err.count("direct") == 4
