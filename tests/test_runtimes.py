from __future__ import annotations

import numpy as np
import pytest

from tests import models, running
from tflite_eq import runtimes
from tflite_eq.errors import BackendError
from tflite_eq.runtimes import Kernels, available_runtimes, preferred_runtime


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


def test_without_any_runtime_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_load", lambda name, module: None)
    assert available_runtimes() == ()
    with pytest.raises(BackendError, match="pip install ai-edge-litert"):
        preferred_runtime()
