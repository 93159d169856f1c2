"""Every code as the reference kernels of this machine compute it, on every CPU and runtime."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.arm64.cases import SMALL, TARGETS, Case, Selection, cases
from tests.arm64.runs import EmulatedRuns, expected_outputs
from tests.shared_data import needs_shared_data
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tools.arm64.emulation import CORTEX_A53, CORTEX_A76, CPUS, RUNTIMES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--all_models", default=False)
        selection = Selection.ALL if everything else Selection.CHOSEN
        chosen = [c for cpu in CPUS for c in cases(cpu, selection)]
        if metafunc.function is test_explain_foretells_it:
            chosen = [c for c in chosen if c.options == ()]  # it answers for the delegate's choice
        metafunc.parametrize("case", chosen, ids=str)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_all_codes_are_the_reference_kernels(case: Case, runtime: str, runs: EmulatedRuns) -> None:
    found = runs.outcome(case, runtime).outputs
    expected = expected_outputs(runs.model(case), runtime)
    assert len(found) == len(expected)
    for values, wanted in zip(found, expected):
        assert values.dtype == wanted.dtype
        np.testing.assert_array_equal(values, wanted)


# Convolutions that the delegate runs at least, by kernel, where it chooses for itself. On CPUs with
# dot products it leaves 8-bit networks alone, with i8mm the small network and SqueezeNet, too: what
# their few wide layers save is less than a switch costs. There kernels are asked for by name.
LEAST_CLAIMED = {
    (CORTEX_A53, SMALL, "int8"): {"winograd_f43": 2},
    (CORTEX_A53, SMALL, "auto"): {"winograd_f43": 2},
    (CORTEX_A53, "mobilenet_v1_0.75_224", "auto"): {"direct_int7": 10},
    (CORTEX_A76, "tiny_darknet", "auto"): {"winograd_1d": 2},
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_delegate_takes_what_it_should(case: Case, runtime: str, runs: EmulatedRuns) -> None:
    outcome = runs.outcome(case, runtime)
    claimed = Counter(claim.kernel for claim in outcome.claims if claim.claimed)
    forced = dict(case.options or ()).get("kernel")
    if case.options is None:
        assert outcome.partitions == 0
        assert outcome.claims == []
    elif forced:
        # Of the small network's seven convolutions two are no 3x3 convolutions with stride 1.
        assert claimed == {forced: 5 if forced.startswith("winograd") else 7}
    else:
        least = LEAST_CLAIMED.get((case.cpu, case.network, case.kind), {})
        assert all(claimed[kernel] >= count for kernel, count in least.items())
        assert claimed == {} or case.cpu is CORTEX_A53 or case.kind != "int8"
    assert (outcome.partitions > 0) == bool(claimed)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_explain_foretells_it(case: Case, runtime: str, runs: EmulatedRuns) -> None:
    try:
        from tflite_eq.delegate.explain import cpu_of, explain
    except BackendError as error:
        pytest.skip(f"binding not built: {error}")
    foretold = explain(Graph.from_bytes(runs.model(case).model), cpu_of(TARGETS[case.cpu]))
    assert runs.outcome(case, runtime).claims == foretold


@needs_shared_data
def test_trained_models_are_among_them() -> None:
    assert all(any(c.network != SMALL for c in cases(cpu, Selection.CHOSEN)) for cpu in CPUS)
