"""Which runtime and which library the tests run against.

One runtime per process: two of them in one process share classes by name, and one may silently
answer for the other. Hence

    pytest delegate/runtime_tests --runtime tensorflow
    pytest delegate/runtime_tests --runtime ai_edge_litert
    pytest delegate/runtime_tests --runtime tflite_runtime

`make test-runtimes` does all three. What does not depend on the runtime is tested in
tests/delegate.
"""

import importlib
import pathlib

import pytest

MODULES = {
    "tensorflow": "tensorflow.lite.python.interpreter",
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}


def pytest_addoption(parser):
    parser.addoption("--runtime", choices=MODULES, default="ai_edge_litert")
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.addoption(
        "--delegate", default=str(root / "bazel-bin/delegate/libtflite_eq_delegate.so")
    )


@pytest.fixture(scope="session")
def runtime(request):
    """The runtime's interpreter module."""
    name = request.config.getoption("--runtime")
    try:
        return importlib.import_module(MODULES[name])
    except ImportError as error:
        pytest.fail(f"--runtime {name} cannot be imported: {error}")


@pytest.fixture(scope="session")
def delegate_path(request):
    path = request.config.getoption("--delegate")
    if not pathlib.Path(path).exists():
        pytest.fail(f"{path} is missing: make build-delegate")
    return path
