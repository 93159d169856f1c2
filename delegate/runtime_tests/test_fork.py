"""Processes that fork, as servers with workers do: a child that deletes, invokes or just leaves
behind an inherited interpreter neither crashes nor hangs, and the parent goes on.

All of the model is claimed and the rest are reference kernels: a runtime's own threads do not
survive in a child (docs/delegate.md). Without a runtime, delegate/fork_test.cc does more of this.
"""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from one_conv_model import build
from pair import Pair, chain_of_convs

PATIENCE = 60  # seconds for one child
CHILDREN = 8


def end_of(pid):
    """How a child came to its end: 'exit 0', 'signal SIGSEGV', 'hang'."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
            return f"exit {os.WEXITSTATUS(status)}"
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hang"


def in_child(work):
    """Runs the function in a forked child, which leaves by os._exit."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(4)
    return end_of(pid)


class Model:
    """An interpreter that has run, with what its output must be."""

    def __init__(self, runtime, delegate_path, threads):
        rng = np.random.default_rng(3)
        model = build(chain_of_convs(rng))
        self.pair = Pair(
            runtime, delegate_path, model, kernel="winograd_f43", num_threads=str(threads)
        )
        assert len(self.pair.delegate_nodes()) == 1
        self.codes = rng.integers(-128, 128, (1, 20, 20, 32)).astype(np.int8)
        self.expected = self.pair.run(self.codes)[0]

    def invoke(self):
        for expected, actual in zip(self.expected, self.pair.run(self.codes)[1]):
            np.testing.assert_array_equal(actual, expected)

    def delete(self):
        self.pair = None
        gc.collect()


@pytest.fixture(params=[2, 4, 8])
def model(request, runtime, delegate_path):
    return Model(runtime, delegate_path, request.param)


def test_children_that_delete_the_interpreter(model):
    for _ in range(CHILDREN):
        assert in_child(model.delete) == "exit 0"
        model.invoke()


def test_children_that_invoke(model):
    def work():
        for _ in range(5):
            model.invoke()

    for _ in range(CHILDREN):
        assert in_child(work) == "exit 0"
        model.invoke()


def test_children_that_invoke_and_delete(model):
    def work():
        model.invoke()
        model.delete()

    for _ in range(CHILDREN):
        assert in_child(work) == "exit 0"


def test_grandchildren(model):
    def grandchild():
        model.invoke()
        model.delete()

    def child():
        assert in_child(grandchild) == "exit 0"
        model.invoke()
        assert in_child(grandchild) == "exit 0"
        model.delete()

    for _ in range(3):
        assert in_child(child) == "exit 0"


def test_children_of_a_parent_that_invokes_meanwhile(model, runtime, delegate_path):
    other = Model(runtime, delegate_path, 4)
    stop = threading.Event()

    def invoke_on():
        while not stop.is_set():
            other.invoke()

    thread = threading.Thread(target=invoke_on)
    thread.start()
    try:

        def work():
            model.invoke()
            model.delete()

        ends = [in_child(work) for _ in range(CHILDREN)]
    finally:
        stop.set()
        thread.join()
    assert ends == ["exit 0"] * CHILDREN
    model.invoke()


def _invoke_inherited(seed):
    inherited.invoke()
    return seed


def test_workers_of_multiprocessing(model):
    """They end as interpreters of Python do, with all that they inherited."""
    global inherited
    inherited = model
    try:
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map_async(_invoke_inherited, range(12)).get(PATIENCE) == list(range(12))
            pool.close()
            pool.join()
    finally:
        del inherited
    model.invoke()


SCRIPT = """
import importlib, os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from one_conv_model import build
from pair import Pair, chain_of_convs
runtime = importlib.import_module(sys.argv[2])
model = build(chain_of_convs(np.random.default_rng(3)))
pair = Pair(runtime, sys.argv[3], model, kernel="winograd_f43", num_threads=sys.argv[4])
pair.check(np.random.default_rng(1))
child = os.fork()
pair.check(np.random.default_rng(2))
if child:
    sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("threads", ["2", "8"])
def test_children_that_end_as_python_does(runtime, delegate_path, threads):
    """With all finalizers, the runtime's and the delegate's included."""
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.run(
        [sys.executable, "-c", SCRIPT, here, runtime.__name__, delegate_path, threads],
        check=True,
        timeout=2 * PATIENCE,
    )
