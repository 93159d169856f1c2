"""What happens to interpreters and delegates around their invocations: sizes that come and go,
signals, two delegates, and every order of deletion. On every runtime."""

import gc
import itertools
import pathlib
import re
import signal

import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv
from pair import Pair, chain_of_convs

CHANNELS = 32
INTERRUPTIONS = 200


@pytest.fixture(scope="module")
def model():
    return build(chain_of_convs(np.random.default_rng(2), count=2))


def sizes(count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        height, width, batch = (int(rng.integers(1, limit)) for limit in (33, 33, 4))
        yield batch, height, width, CHANNELS


def resident_kib():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4


def resident_kib_of_file(path):
    """Of what this process has mapped of a file, how much is in its page table."""
    total = 0
    counts = False
    for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            counts = line.endswith(str(path))
        elif counts and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


def reference(runtime, model, codes):
    interpreter = runtime.Interpreter(
        model_content=model, experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF
    )
    return outcome(interpreter, codes)


def outcome(interpreter, codes):
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def some_codes():
    return np.random.default_rng(7).integers(-128, 128, (1, 20, 20, CHANNELS)).astype(np.int8)


@pytest.mark.parametrize("kernel", ["direct", "winograd_f43"])
def test_sizes_that_come_and_go(runtime, delegate_path, model, kernel):
    pair = Pair(runtime, delegate_path, model, kernel=kernel, num_threads="2")
    assert pair.delegate_nodes()
    rng = np.random.default_rng(0)
    for shape in sizes(25, seed=1):
        pair.resize(shape)
        pair.check(rng)


def test_memory_of_sizes_that_are_gone_is_given_back(runtime, delegate_path, model):
    """The largest size first: what later ones take must not come on top of it."""
    delegate = runtime.load_delegate(
        delegate_path, {"log_level": "0", "kernel": "winograd_f43", "num_threads": "2"}
    )
    interpreter = runtime.Interpreter(model_content=model, experimental_delegates=[delegate])
    feed = interpreter.get_input_details()[0]["index"]

    def run(shape):
        interpreter.resize_tensor_input(feed, shape)
        interpreter.allocate_tensors()
        interpreter.invoke()

    for shape in [(3, 32, 32, CHANNELS), *sizes(100, seed=3)]:
        run(shape)
    before = resident_kib()
    for shape in sizes(300, seed=4):
        run(shape)
    # One of the largest size's tensors kept per resize would be 29 MB.
    assert resident_kib() - before < 4 << 10


def test_weights_that_are_packed_do_not_stay_in_memory_as_the_file_has_them(
    runtime, delegate_path, tmp_path
):
    rng = np.random.default_rng(11)
    wide = [random_conv(rng, a, b, padding="same") for a, b in [(32, 256), (256, 256), (256, 32)]]
    content = build(Chain((1, 20, 20, CHANNELS), 0.05, 3, wide))
    path = tmp_path / "wide.tflite"
    path.write_bytes(content)

    def run(**options):
        delegate = runtime.load_delegate(
            delegate_path, {"log_level": "0", "kernel": "direct", "num_threads": "1", **options}
        )
        interpreter = runtime.Interpreter(model_path=str(path), experimental_delegates=[delegate])
        return interpreter, outcome(interpreter, codes)

    codes = some_codes()
    expected = reference(runtime, content, codes)
    interpreter, codes_of_it = run()
    left = resident_kib_of_file(path)
    np.testing.assert_array_equal(codes_of_it, expected)
    # Another that reads the file while the first one has let go of it.
    second, codes_of_second = run(verify="1")
    np.testing.assert_array_equal(codes_of_second, expected)
    whole = len(content) >> 10
    assert whole > 700
    if resident_kib_of_file(path) < whole / 2:
        pytest.skip("this system does not tell what is in memory")
    # Pages that weights have only a part of, and those that are few.
    assert left < whole / 4
    np.testing.assert_array_equal(outcome(interpreter, codes), expected)
    del second


def test_signals_during_invocations(runtime, delegate_path, model):
    codes = some_codes()
    expected = reference(runtime, model, codes)
    pair = Pair(runtime, delegate_path, model, kernel="winograd_f43", num_threads="3")
    handled = itertools.count()
    before = {s: signal.getsignal(s) for s in (signal.SIGALRM, signal.SIGPROF)}
    ran = 0

    def handle(*_):
        nonlocal ran
        ran = next(handled)

    try:
        for number in before:
            signal.signal(number, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        while ran < INTERRUPTIONS:
            np.testing.assert_array_equal(outcome(pair.delegated, codes), expected)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("keeps_delegate", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_every_order_of_deletion(runtime, delegate_path, model, order, keeps_delegate):
    codes = some_codes()
    expected = reference(runtime, model, codes)
    options = {"log_level": "0", "num_threads": "2", "kernel": "winograd_f43"}
    delegate = runtime.load_delegate(delegate_path, options)
    interpreters = {
        number: runtime.Interpreter(
            model_content=model,
            experimental_delegates=[delegate],
            experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
        )
        for number in range(3)
    }
    if not keeps_delegate:
        del delegate
        gc.collect(0)
    for interpreter in interpreters.values():
        np.testing.assert_array_equal(outcome(interpreter, codes), expected)
    del interpreter
    for number in order:
        del interpreters[number]
        gc.collect(0)
        for left in interpreters.values():
            left.invoke()
            found = left.get_tensor(left.get_output_details()[0]["index"])
            np.testing.assert_array_equal(found, expected)
        left = None


@pytest.mark.parametrize("is_same", [True, False], ids=["the same twice", "two"])
def test_two_delegates_of_one_interpreter(runtime, delegate_path, model, is_same):
    codes = some_codes()
    first = runtime.load_delegate(delegate_path, {"log_level": "0"})
    second = first
    if not is_same:
        second = runtime.load_delegate(delegate_path, {"log_level": "0", "kernel": "direct"})
    interpreter = runtime.Interpreter(
        model_content=model,
        experimental_delegates=[first, second],
        experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
    )
    np.testing.assert_array_equal(outcome(interpreter, codes), reference(runtime, model, codes))
