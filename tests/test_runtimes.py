from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Config, known_model, runtimes
from tflite_eq.errors import BackendError
from tflite_eq.runtimes import Kernels, available_runtimes, preferred_runtime, runtime_named


def test_every_runtime_runs_every_kind_of_kernel() -> None:
    sample = models.data("dense_net")[0]
    expected = running.run(models.dense_net(), sample)[0]
    for runtime in available_runtimes():
        assert runtime.version[0].isdigit()
        for kernels in Kernels:
            found = running.run(models.dense_net(), sample, kernels, runtime)[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_preferred_runtime_is_the_first_available() -> None:
    assert preferred_runtime() == available_runtimes()[0]


@pytest.mark.parametrize("data", [b"", b"nonsense"])
def test_rejected_models_name_the_runtime(data: bytes) -> None:
    for runtime in available_runtimes():
        with pytest.raises(BackendError, match=f"{runtime.name} {runtime.version} rejects"):
            runtime.interpreter(data)


BROKEN = {
    "import": ("raise ImportError('libm.so.6: version GLIBC_2.38 not found')", "GLIBC_2.38"),
    "numpy": ("raise AttributeError('_ARRAY_API not found')", "_ARRAY_API not found"),
    "run": (
        """
        from enum import Enum
        kinds = "BUILTIN BUILTIN_REF BUILTIN_WITHOUT_DEFAULT_DELEGATES"
        OpResolverType = Enum("OpResolverType", kinds)
        from ai_edge_litert.interpreter import Interpreter as Right, OpResolverType
        class Interpreter(Right):
            def allocate_tensors(self): raise RuntimeError("bad CPU")
        """,
        "cannot run a model of one convolution with default kernels (RuntimeError: bad CPU)",
    ),
    "result": (
        """
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter as Right, OpResolverType
        class Interpreter(Right):
            def get_tensor(self, index): return super().get_tensor(index) + np.float32(0.5)
        """,
        "computes a model of one convolution wrongly",
    ),
}


@pytest.fixture(params=BROKEN)
def broken(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Name of an installed runtime that does not work, the preferred one, and what is wrong."""
    source, fault = BROKEN[request.param]
    name = f"broken_{request.param}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(runtimes, "_CANDIDATES", ((name, name), *runtimes._CANDIDATES))
    monkeypatch.setattr(runtimes, "_faults", {})
    yield name, fault
    runtimes._load.cache_clear()


def test_a_broken_runtime_is_left_out_and_named_once(
    broken: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, fault = broken
    result = running.quantized("dense_net", Config(seed=sum(map(ord, name))))
    assert name not in {runtime.name for runtime in available_runtimes()}
    assert preferred_runtime() == available_runtimes()[0]
    assert result.report.summary["runtimes"] == [r.description for r in available_runtimes()]
    [said] = [line for line in capsys.readouterr().err.splitlines() if name in line]
    assert fault in said
    assert f"pip install --force-reinstall --no-deps '{name}==unknown'" in said


def test_a_broken_runtime_that_is_asked_for_is_an_error(broken: tuple[str, str]) -> None:
    name, _ = broken
    with pytest.raises(BackendError, match=rf"{name} unknown .*use another one: ai-edge-litert"):
        runtime_named(name)


def test_with_broken_runtimes_alone_they_are_named(
    broken: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, fault = broken
    monkeypatch.setattr(runtimes, "_CANDIDATES", ((name, name),))
    with pytest.raises(BackendError, match="no installed TFLite runtime works") as caught:
        preferred_runtime()
    assert fault in str(caught.value)


def test_the_known_model_is_right_with_every_kind_of_kernel() -> None:
    expected = np.float32([[1, -2], [1, -2], [1, -2], [1, -2]]) * known_model.INPUT.reshape(4, 1)
    for runtime in available_runtimes():
        for kernels in Kernels:
            found = running.run(known_model.known_model(), [known_model.INPUT], kernels, runtime)
            np.testing.assert_array_equal(found[0].reshape(4, 2), expected)


def test_without_any_runtime_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_load", lambda name, module: None)
    monkeypatch.setattr(runtimes, "_faults", {})
    assert available_runtimes() == ()
    with pytest.raises(BackendError, match="pip install ai-edge-litert"):
        preferred_runtime()
