"""Interpreters in another process: the same results, without an import of TensorFlow here."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models, running
from tflite_eq import process_apart, runtimes
from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.known_model import EXPECTED, INPUT, known_model
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.process_apart import InterpreterApart
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.simulation.twins import RealOfCodes


@pytest.fixture
def runtime() -> Runtime:
    """The preferred one, in another process."""
    found = preferred_runtime()
    return Runtime(found.name, found.version, found.module, is_apart=True)


def run(interpreter: Any) -> Any:
    return runtimes._run(interpreter, INPUT)


@pytest.mark.parametrize("kernels", list(Kernels))
def test_it_computes_the_same(runtime: Runtime, kernels: Kernels) -> None:
    made = runtime.interpreter(known_model(), kernels)
    assert isinstance(made, InterpreterApart)
    np.testing.assert_array_equal(run(made), EXPECTED)


def test_errors_of_the_runtime_arrive_here(runtime: Runtime) -> None:
    with pytest.raises(BackendError, match="rejects the model"):
        runtime.interpreter(b"no model")
    made = runtime.interpreter(known_model())
    made.allocate_tensors()
    with pytest.raises(ValueError, match=r"(?i)dimension"):
        made.set_tensor(made.get_input_details()[0]["index"], np.zeros((1, 1), np.float32))
    np.testing.assert_array_equal(run(made), EXPECTED)  # and it goes on


def test_a_process_that_ends_is_an_error_and_the_next_interpreter_has_another(
    runtime: Runtime,
) -> None:
    made = runtime.interpreter(known_model())
    process_apart.process_apart()._child.kill()
    process_apart.process_apart()._child.wait()
    with pytest.raises(RuntimeError, match="process"):
        made.allocate_tensors()
    np.testing.assert_array_equal(run(runtime.interpreter(known_model())), EXPECTED)


def test_what_is_not_needed_any_more_is_forgotten(runtime: Runtime) -> None:
    process = process_apart.process_apart()
    made = runtime.interpreter(known_model())
    number = made._number
    del made
    runtime.interpreter(known_model())
    with pytest.raises(RuntimeError, match=str(number)):
        process.call(number, "allocate_tensors")


def test_quantizing_imports_no_tensorflow_and_checks_on_it_all_the_same(tmp_path: Path) -> None:
    if not any(name == "tensorflow" for name, _ in runtimes._CANDIDATES):
        pytest.skip("TensorFlow's runtime is not looked for")
    version = runtimes.installed_version("tensorflow")
    if version == "unknown":
        pytest.skip("TensorFlow is not installed")
    script = """
        import sys
        import numpy as np
        import tflite_eq
        model = open(sys.argv[1], "rb").read()
        rng = np.random.default_rng(0)
        shape = [int(n) for n in sys.argv[2].split(",")]
        data = [[rng.standard_normal(shape, np.float32)] for _ in range(3)]
        result = tflite_eq.quantize(model, data)
        assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)
        print(*result.report.summary["runtimes"], sep="\\n")
    """
    path = tmp_path / "m.tflite"
    path.write_bytes(models.build("conv_net"))
    [shape] = models.SHAPES["conv_net"]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path, ",".join(map(str, shape))],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert f"tensorflow {version}" in done.stdout.splitlines()


def test_large_models_are_sent_whole(runtime: Runtime) -> None:
    model = running.quantized("conv_net").model
    found = schema.parse(model)
    found.description = b"x" * 3_000_000
    made = runtime.interpreter(schema.serialize(found))
    made.allocate_tensors()
    [source] = made.get_input_details()
    made.set_tensor(source["index"], np.zeros(source["shape"], source["dtype"]))
    made.invoke()
    assert np.isfinite(made.get_tensor(made.get_output_details()[0]["index"])).all()


def test_it_is_renewed_where_nobody_needs_what_it_holds(runtime: Runtime) -> None:
    made = runtime.interpreter(known_model())
    before = process_apart.process_apart()
    process_apart.renew()
    assert process_apart.process_apart() is before
    np.testing.assert_array_equal(run(made), EXPECTED)
    del made
    if not before.is_needed:  # other tests' interpreters may be there yet
        process_apart.renew()
        assert process_apart.process_apart() is not before
        assert before._child.poll() is not None
    np.testing.assert_array_equal(run(runtime.interpreter(known_model())), EXPECTED)


def test_its_memory_is_not_looked_at(runtime: Runtime) -> None:
    codes = np.random.default_rng(0).integers(-128, 128, INPUT.shape).astype(np.int8)
    values = RealOfCodes(codes, AffineParams(0.1, 3))
    found = []
    for place in (runtime, preferred_runtime()):
        session = Session(place.interpreter(known_model()))
        session.compute([values])
        found.append([view.copy() for view in session.views()])
    np.testing.assert_array_equal(*found)


def test_it_is_not_renewed_while_it_answers(runtime: Runtime) -> None:
    process = process_apart.process_apart()
    with process._lock:  # as a thread has it that waits for an answer
        process_apart.renew()
    assert process_apart.process_apart() is process
    assert process._child.poll() is None
    np.testing.assert_array_equal(run(runtime.interpreter(known_model())), EXPECTED)
