"""Every code as the reference kernels of this machine compute it, on every CPU and runtime."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from tests.arm64.cases import SMALL, Case, Selection, cases
from tests.arm64.runs import EmulatedRuns, expected_outputs
from tests.shared_data import needs_shared_data
from tools.arm64.emulation import CPUS, RUNTIMES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--all_models", default=False)
        selection = Selection.ALL if everything else Selection.CHOSEN
        metafunc.parametrize("case", [c for cpu in CPUS for c in cases(cpu, selection)], ids=str)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_all_codes_are_the_reference_kernels(case: Case, runtime: str, runs: EmulatedRuns) -> None:
    found = runs.outcome(case, runtime).outputs
    expected = expected_outputs(runs.model(case))
    assert len(found) == len(expected)
    for values, wanted in zip(found, expected):
        assert values.dtype == wanted.dtype
        np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_claimed(case: Case, runtime: str, runs: EmulatedRuns) -> None:
    outcome = runs.outcome(case, runtime)
    print(case, collections.Counter(c.reason.split(":")[0] for c in outcome.claims), outcome.partitions)


@needs_shared_data
def test_trained_models_are_among_them() -> None:
    assert all(any(c.network != SMALL for c in cases(cpu, Selection.CHOSEN)) for cpu in CPUS)
