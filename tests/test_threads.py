from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

from tests import models
from tflite_eq import threads, workers
from tflite_eq.config import Config
from tflite_eq.quantizer import quantize
from tflite_eq.runtimes import Runtime


@pytest.fixture(params=[1, 2, 3])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(threads, "_cores", lambda: int(request.param))
    for variable in threads.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return int(request.param)


@pytest.mark.parametrize("variable", threads.VARIABLES)
def test_users_say_by_the_environment_how_many(
    variable: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threads.thread_count(1 << 20) == cores
    monkeypatch.setenv(variable, "1")
    assert threads.thread_count(1 << 20) == 1
    monkeypatch.setenv(variable, "many")
    assert threads.thread_count(1 << 20) == cores


def test_a_worker_computes_alone(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_is_worker", True)
    assert threads.thread_count(1 << 20) == 1


def test_small_tensors_are_left_to_one_thread(cores: int) -> None:
    assert threads.thread_count(1 << 10) == 1


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_cores", lambda: 64)
    for variable in threads.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert threads.thread_count(1 << 20) == threads._MOST_THREADS


def test_blas_has_one_thread_meanwhile_and_its_own_afterwards() -> None:
    def of_blas() -> list[int]:
        return [
            b["num_threads"] for b in threadpoolctl.threadpool_info() if b["user_api"] == "blas"
        ]

    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = of_blas()
        with threads.one_thread_of_blas():
            assert of_blas() == [1] * len(before)
        assert of_blas() == before


def test_threads_change_nothing_in_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    make = Runtime.bare_interpreter

    def noted(
        self: Runtime, model: bytes, kernels: object, number: int = 1, *more: object
    ) -> object:
        asked.append(number)
        return make(self, model, kernels, number, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Runtime, "bare_interpreter", noted)
    found = {}
    for count in (1, 2):
        monkeypatch.setenv("OMP_NUM_THREADS", str(count))
        monkeypatch.setattr(threads, "_cores", lambda: 2)
        monkeypatch.setattr(threads, "_MANY_VALUES", 1)
        data = models.data("residual_net")
        found[count] = quantize(models.build("residual_net"), data, Config()).model
    assert {1, 2} <= set(asked)
    assert found[1] == found[2]
