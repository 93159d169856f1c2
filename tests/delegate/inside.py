"""What tests have a process of its own do, with one runtime in it and no TensorFlow beside it."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from tests.delegate.networks import IMAGE
from tests.delegate.oracle import model_of
from tests.golden import vectors
from tflite_eq import delegate
from tflite_eq.delegate.claims import captured_stderr
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.runtimes import Kernels, Runtime

BAD = [
    ({"threads": 2}, 'unknown option "threads"; there are num_threads, kernel, isa'),
    ({"num_threads": -1}, '"-1" is not an integer from 0 to 256'),
    ({"num_threads": "two"}, '"two" is not an integer'),
    ({"num_threads": 257}, "from 0 to 256"),
    ({"kernel": "winograd_f63"}, '"winograd_f63" is none of auto, winograd_f43'),
    ({"isa": "sse2"}, '"sse2" is none of auto, scalar'),
    ({"verify": "yes"}, '"yes" is none of 0, 1, false, true'),
    ({"require_delegation": 2}, '"2" is none of'),
    ({"log_level": 3}, "from 0 to 2"),
    ({"profile": ""}, '"" is none of'),
]

GOOD: list[dict[str, Any]] = [
    {},
    {"num_threads": 0},
    {"num_threads": 3},
    {"kernel": "auto", "isa": "auto"},
    *({"kernel": kernel} for kernel in ("winograd_f43", "winograd_f23", "direct", "reference")),
    {"isa": "scalar", "kernel": "winograd_1d"},
    {"verify": True, "require_delegation": "true"},
    {"verify": "false", "require_delegation": False, "profile": True},
    {"log_level": 0},
]


def check_options(runtime: Runtime, model: bytes) -> str:
    """All good options run a model, all bad ones are refused; returns what went wrong."""
    for options in GOOD:
        with captured_stderr():
            loaded = delegate.load(runtime, **options)
            interpreter = runtime.interpreter(model, delegates=[loaded])
            interpreter.allocate_tensors()
            interpreter.invoke()
    for options, message in BAD:
        try:
            delegate.load(runtime, **options)
        except ConfigError as error:
            if message not in str(error):
                return f"{options}: {error}"
        else:
            return f"{options} were accepted"
    return ""


def check_logs(runtime: Runtime, model: bytes) -> list[str]:
    logs = []
    for level in (0, 1, 2):
        with captured_stderr() as log:
            loaded = delegate.load(runtime, log_level=level, kernel="direct")
            runtime.interpreter(model, delegates=[loaded]).allocate_tensors()
        logs.append("\n".join(s for s in log.getvalue().splitlines() if "tflite_eq" in s))
    with captured_stderr() as log:
        loaded = delegate.load(runtime, log_level=0, profile=True, kernel="direct")
        interpreter = runtime.interpreter(model, delegates=[loaded])
        interpreter.allocate_tensors()
        interpreter.invoke()
        del interpreter, loaded
    return [*logs, log.getvalue()]


def check_requirement(runtime: Runtime, model: bytes) -> str:
    loaded = delegate.load(runtime, require_delegation=True, isa="scalar", log_level=0)
    try:
        runtime.interpreter(model, delegates=[loaded]).allocate_tensors()
    except (BackendError, RuntimeError, ValueError) as error:
        return str(error)
    return "nothing was raised"


def run_golden_vectors(runtime: Runtime) -> list[str]:
    wrong = []
    for case in vectors.read():
        for kernel in ("auto", "direct", "winograd_f43", "winograd_f23", "winograd_1d"):
            with captured_stderr():
                interpreter = runtime.interpreter(
                    model_of(case),
                    Kernels.REFERENCE,
                    delegates=[delegate.load(runtime, kernel=kernel, verify=True)],
                )
                interpreter.resize_tensor_input(0, case.input.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(0, case.input)
            interpreter.invoke()
            found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            if not np.array_equal(found, case.expected):
                wrong.append(f"{case.name} by {kernel}")
    return wrong


class Pair:
    """A model on reference kernels, without and with the delegate."""

    def __init__(self, runtime: Runtime, model: bytes, **options: Any) -> None:
        loaded = delegate.load(runtime, log_level=0, **options)
        with captured_stderr():
            self.interpreters = [
                runtime.interpreter(model, Kernels.REFERENCE, delegates=delegates)
                for delegates in ([], [loaded])
            ]

    def resize(self, shape: tuple[int, ...]) -> None:
        for interpreter in self.interpreters:
            index = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()

    def agrees(self, rng: np.random.Generator) -> bool:
        shape = self.interpreters[0].get_input_details()[0]["shape"]
        values = rng.normal(size=shape).astype(np.float32)
        outputs = []
        for interpreter in self.interpreters:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
            interpreter.invoke()
            details = interpreter.get_output_details()
            outputs.append([interpreter.get_tensor(d["index"]) for d in details])
        return all(np.array_equal(a, b) for a, b in zip(*outputs))


def run_sizes(runtime: Runtime, model: bytes) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(0)
    pair = Pair(runtime, model, num_threads=2, kernel="winograd_f23")
    wrong = []
    for shape in [(1, 16, 16, 3), (3, 7, 11, 3), (1, 21, 18, 3), (2, 9, 9, 3), (1, 16, 16, 3)]:
        pair.resize(shape)
        if not (pair.agrees(rng) and pair.agrees(rng)):
            wrong.append(shape)
    return wrong


def run_at_once(runtime: Runtime, model: bytes) -> list[bool]:
    pairs = [Pair(runtime, model, num_threads=n) for n in (1, 2, 3, 2)]
    for pair in pairs:
        pair.resize(IMAGE)
    agreed = []

    def work(pair: Pair, seed: int) -> None:
        rng = np.random.default_rng(seed)
        agreed.extend(pair.agrees(rng) for _ in range(4))

    threads = [threading.Thread(target=work, args=(pair, n)) for n, pair in enumerate(pairs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return agreed


def run_shared(runtime: Runtime, model: bytes) -> bool:
    """Two interpreters and one delegate, which outlives the first of them."""
    loaded = delegate.load(runtime, log_level=0, num_threads=2)
    rng = np.random.default_rng(0)
    values = rng.normal(size=IMAGE).astype(np.float32)
    outputs = []
    for _ in range(2):
        with captured_stderr():
            interpreter = runtime.interpreter(model, Kernels.REFERENCE, delegates=[loaded])
            interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        del interpreter
    return np.array_equal(*outputs)


def make_interpreter(runtime: Runtime, model: bytes) -> str:
    try:
        with captured_stderr():
            loaded = delegate.load(runtime, kernel="direct")
            runtime.interpreter(model, delegates=[loaded]).allocate_tensors()
    except (BackendError, RuntimeError, ValueError):
        return "refused"
    return "accepted"


def crash() -> None:
    os.abort()
