"""Interpreters in several threads at once, each code against the reference kernels; the same under
ThreadSanitizer, without a runtime, is delegate/concurrency_test.cc."""

import threading

import numpy as np
import pytest
from one_conv_model import build
from pair import Pair, mixed_chain

THREADS = 4
ROUNDS = 5
SHAPES = [(1, 16, 16, 24), (2, 9, 12, 24), (1, 21, 7, 24)]


def run_in_threads(works):
    """Runs the functions at once; raises what the first of them raised."""
    failures = []
    started = threading.Barrier(len(works))

    def guarded(work):
        try:
            started.wait()
            work()
        except BaseException as error:  # handed to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def stress(pair, seed):
    """Resizes and runs."""
    rng = np.random.default_rng(seed)
    for round_ in range(ROUNDS):
        pair.resize(SHAPES[(seed + round_) % len(SHAPES)])
        for _ in range(3):
            pair.check(rng)


def model_for(kernel):
    values = "even_triplets" if kernel == "winograd_1d" else "int8"
    return build(mixed_chain(np.random.default_rng(4), values))


@pytest.mark.parametrize("kernel", ["direct", "winograd_f43", "winograd_1d"])
def test_interpreters_with_delegates_of_their_own(runtime, delegate_path, kernel):
    model = model_for(kernel)
    pairs = [
        Pair(runtime, delegate_path, model, kernel=kernel, num_threads=str(1 + i % 3))
        for i in range(THREADS)
    ]
    run_in_threads([lambda i=i: stress(pairs[i], i) for i in range(THREADS)])


@pytest.mark.parametrize("kernel", ["direct", "winograd_f43", "winograd_1d"])
def test_interpreters_that_share_a_delegate(runtime, delegate_path, kernel):
    model = model_for(kernel)
    options = {"log_level": "0", "num_threads": "3", "kernel": kernel}
    delegate = runtime.load_delegate(delegate_path, options)
    pairs = [Pair(runtime, delegate_path, model, delegate=delegate) for _ in range(THREADS)]
    run_in_threads([lambda i=i: stress(pairs[i], i) for i in range(THREADS)])


def test_delegates_made_and_dropped_in_threads(runtime, delegate_path):
    model = model_for("winograd_f43")

    def work(seed):
        for round_ in range(3):
            pair = Pair(runtime, delegate_path, model, kernel="winograd_f43", num_threads="2")
            pair.check(np.random.default_rng(10 * seed + round_))

    run_in_threads([lambda i=i: work(i) for i in range(THREADS)])


def test_a_delegate_outlives_its_interpreters(runtime, delegate_path):
    model = model_for("direct")
    delegate = runtime.load_delegate(delegate_path, {"log_level": "0", "kernel": "direct"})
    for seed in range(3):
        pair = Pair(runtime, delegate_path, model, delegate=delegate)
        pair.check(np.random.default_rng(seed))
        del pair
