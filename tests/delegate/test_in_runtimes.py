"""The delegate inside the runtimes: every code as the reference kernels compute it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.delegate import networks
from tests.delegate.oracle import model_of
from tests.golden import vectors
from tflite_eq import Config, delegate, quantize
from tflite_eq.delegate.claims import captured_stderr
from tflite_eq.delegate.process import call_apart
from tflite_eq.delegate.validate import OUTPUT, validate
from tflite_eq.errors import BackendError, TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes

RUNTIMES = available_runtimes()
on_every_runtime = pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda r: r.name)


@on_every_runtime
@pytest.mark.parametrize("kind", list(networks.CONFIGS))
@pytest.mark.parametrize(
    "options",
    [{"num_threads": 2}, {"kernel": "winograd_f43"}, {"kernel": "winograd_1d"}],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_quantized_networks(kind: str, runtime: Runtime, options: dict[str, Any]) -> None:
    if kind == "int8" and options.get("kernel") == "winograd_1d":
        pytest.skip("8-bit weights have no one-dimensional form")
    found = validate(networks.quantized(kind), runtime, samples=2, options=options)
    assert found.first_wrong is None
    assert len(found.claims) == 7
    if "kernel" in options:
        claimed = [claim for claim in found.claims if claim.claimed]
        assert len(claimed) >= 4
        assert all(claim.reason.startswith(f"{options['kernel']} on ") for claim in claimed)
    assert [c.name for c in found.comparisons if c.kernel == OUTPUT] == ["Identity"]


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


@on_every_runtime
def test_golden_vectors(runtime: Runtime) -> None:
    assert call_apart("golden vectors", run_golden_vectors, runtime) == []


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


@on_every_runtime
def test_resizing_between_invocations(runtime: Runtime) -> None:
    found = call_apart("resizing", run_sizes, runtime, networks.quantized("lattice"))
    assert found == []


def run_at_once(runtime: Runtime, model: bytes) -> list[bool]:
    pairs = [Pair(runtime, model, num_threads=n) for n in (1, 2, 3, 2)]
    for pair in pairs:
        pair.resize(networks.IMAGE)
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


@on_every_runtime
@pytest.mark.parametrize("kind", ["int8", "lattice"])
def test_interpreters_and_threads_at_once(runtime: Runtime, kind: str) -> None:
    assert call_apart("threads", run_at_once, runtime, networks.quantized(kind)) == [True] * 16


def run_shared(runtime: Runtime, model: bytes) -> bool:
    """Two interpreters and one delegate, which outlives the first of them."""
    loaded = delegate.load(runtime, log_level=0, num_threads=2)
    rng = np.random.default_rng(0)
    values = rng.normal(size=networks.IMAGE).astype(np.float32)
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


@on_every_runtime
def test_one_delegate_for_several_interpreters(runtime: Runtime) -> None:
    assert call_apart("sharing", run_shared, runtime, networks.quantized("int8"))


@on_every_runtime
@pytest.mark.parametrize(
    ("name", "convolutions"),
    [("dense_net", 0), ("depthwise_net", 3), ("two_input_net", 1)],
)
def test_other_networks(runtime: Runtime, name: str, convolutions: int) -> None:
    config = Config(method="minmax")  # type: ignore[arg-type]
    model = quantize(models.build(name), models.data(name), config).model
    found = validate(model, runtime, samples=2, options={"kernel": "direct"})
    assert found.first_wrong is None
    assert sum(claim.claimed for claim in found.claims) == convolutions


@on_every_runtime
def test_float_networks_are_left_alone(runtime: Runtime) -> None:
    found = validate(networks.float_network(), runtime, samples=1, options={"kernel": "direct"})
    assert {claim.reason for claim in found.claims} == {"input is float32, not int8"}
    assert found.first_wrong is None


def corrupted(how: str) -> bytes:
    model = networks.quantized("int8")
    if how == "cut off":
        return model[: len(model) // 2]
    if how == "scrambled":
        rng = np.random.default_rng(0)
        data = bytearray(model)
        for place in rng.integers(8, 2000, 60):
            data[place] = int(rng.integers(256))
        return bytes(data)
    parsed = schema.parse(model)
    operator = next(o for o in parsed.subgraphs[0].operators if len(o.inputs) == 3)
    if how == "no scales":
        for index in operator.inputs:
            parsed.subgraphs[0].tensors[index].quantization = None
    elif how == "filter cut":
        filters = parsed.subgraphs[0].tensors[operator.inputs[1]]
        parsed.buffers[filters.buffer].data = parsed.buffers[filters.buffer].data[:100]
    return schema.serialize(parsed)


@on_every_runtime
@pytest.mark.parametrize("how", ["cut off", "scrambled", "no scales", "filter cut"])
def test_corrupted_models_are_refused(how: str, runtime: Runtime) -> None:
    with pytest.raises(TfliteEqError, match=r"\w"):
        validate(corrupted(how), runtime, samples=1)


def make_interpreter(runtime: Runtime, model: bytes) -> str:
    try:
        with captured_stderr():
            loaded = delegate.load(runtime, kernel="direct")
            runtime.interpreter(model, delegates=[loaded]).allocate_tensors()
    except (BackendError, RuntimeError, ValueError):
        return "refused"
    return "accepted"


@on_every_runtime
@pytest.mark.parametrize("how", ["no scales", "filter cut"])  # 2.14 itself crashes on others
def test_corrupted_models_do_not_crash_the_delegate(how: str, runtime: Runtime) -> None:
    found = call_apart("corrupted", make_interpreter, runtime, corrupted(how))
    assert found in ("refused", "accepted")


def test_a_crash_is_an_error(library: Path) -> None:
    with pytest.raises(BackendError, match="crashing on purpose crashed"):
        call_apart("crashing on purpose", _crash)


def _crash() -> None:
    import os

    os.abort()
