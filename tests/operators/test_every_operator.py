"""Every operator with an int8 kernel, in many forms: what is written, what runs, what is right."""

from __future__ import annotations

import numpy as np
import pytest

from tests import running
from tests.operators.builder import Array, Network, alone
from tests.operators.catalogue import LAYERS
from tests.operators.simulated import (
    Simulated,
    off_the_operator,
    off_the_simulation,
    simulated,
    values_of_all_tensors,
)
from tflite_eq.config import Forms
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes, preferred_runtime
from tflite_eq.writing.fast_forms import FAST_FORMS

FORMS = range(6)
SHARED = Scales.SHARED

# Reference kernels add up codes without their zero points.
WRONG_IN_REFERENCE = {"SUM"}

# TensorFlow up to 2.19 ends the process where these broadcast more than 4 dimensions, in float too.
BROADCAST_4_DIMENSIONS = frozenset(
    """
    EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MINIMUM NOT_EQUAL PRELU SELECT SELECT_V2
    SQUARED_DIFFERENCE
    """.split()
)


def test_every_operator_with_an_int8_kernel_has_a_network() -> None:
    assert set(LAYERS) == set(INT8_KERNELS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_written_file_computes_what_the_simulation_and_the_operator_do(
    kind: str, form: int
) -> None:
    """To a code, with reference kernels; each operator on the very codes in front of it."""
    network = alone(LAYERS[kind], form)
    made = simulated(network)
    for number, sample in enumerate(made.samples):
        values = reference_values(made, sample, preferred_runtime())
        for operator in made.graph.operators:
            source = made.source(operator)
            if source is None or source.index in made.skipped:
                continue
            assert off_the_operator(made, operator, values) <= 1
            if reads_inputs_alone(made, source):
                assert off_the_simulation(made, operator, values, number) <= 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", sorted(FAST_FORMS))
def test_operators_that_have_a_fast_form_are_right_without_it(kind: str, form: int) -> None:
    made = simulated(alone(LAYERS[kind], form), Forms.PLAIN)
    assert not made.forms
    for sample in made.samples:
        values = reference_values(made, sample, preferred_runtime())
        for operator in made.graph.operators:
            source = made.source(operator)
            if source is not None and source.index not in made.skipped:
                assert off_the_operator(made, operator, values) <= 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_every_runtime_that_runs_the_network_runs_the_file(kind: str, form: int) -> None:
    network = alone(LAYERS[kind], form)
    made = simulated(network)
    [sample, *_] = made.samples
    for runtime in available_runtimes():
        if ends_process(made.float_graph, runtime):
            continue
        for kernels in (Kernels.DEFAULT, Kernels.BUILTIN):
            if not computes_rightly(network, kernels, runtime):
                continue
            values = values_of_all_tensors(made.graph, sample, kernels, runtime)
            for operator in made.graph.operators:
                if made.source(operator) is not None:
                    assert off_the_operator(made, operator, values) <= 1.01


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [k for k in sorted(LAYERS) if INT8_KERNELS[k].scales is SHARED])
def test_no_value_that_is_handed_on_is_cut_off(kind: str, form: int) -> None:
    """Whatever else shares the scale: a sigmoid's results beside anything wider, constants."""
    network = alone(LAYERS[kind], form)
    made = simulated(network)
    codes = {
        made.sources[tensor.index]: running.parameters(made.graph, tensor.index)
        for tensor in made.graph.tensors
        if tensor.type_name == "INT8" and tensor.index in made.sources
    }
    for sample in made.samples:
        exact = running.run(network.model, sample, Kernels.BUILTIN)
        for output, values in zip(made.float_graph.outputs, exact):
            if output in codes and values.size:
                [scale], [zero_point] = codes[output]
                assert (-128.5 - zero_point) * scale <= values.min() + 1e-6
                assert values.max() - 1e-6 <= (127.5 - zero_point) * scale


def reference_values(made: Simulated, sample: list[Array], runtime: Runtime) -> dict[int, Array]:
    """All tensors of a file, by reference kernels if they have what it needs."""
    kinds = {operator.kind for operator in made.graph.operators}
    if not kinds & WRONG_IN_REFERENCE:
        try:
            return values_of_all_tensors(made.graph, sample, Kernels.REFERENCE, runtime)
        except BackendError:  # they lack newer versions, and ELU
            pass
    return values_of_all_tensors(made.graph, sample, Kernels.BUILTIN, runtime)


def reads_inputs_alone(made: Simulated, operator: Operator) -> bool:
    """Whether nothing in front of an operator of the network has computed anything."""
    return all(made.float_graph.producer(index) is None for index in operator.inputs if index >= 0)


def ends_process(graph: Graph, runtime: Runtime) -> bool:
    """Whether the float network is known to end the process that runs it."""
    if runtime.name == "ai-edge-litert":
        return False
    for operator in graph.operators:
        shapes = {graph.tensors[index].shape for index in operator.inputs}
        broadcasts = operator.kind in BROADCAST_4_DIMENSIONS and len(shapes) > 1
        if broadcasts and max(map(len, shapes)) > 4:
            return True
    return False


def computes_rightly(network: Network, kernels: Kernels, runtime: Runtime) -> bool:
    """Whether a runtime computes the float network, to what others do.

    TensorFlow up to 2.19 lacks some ranks; its XNNPACK pads wrongly around strided windows of one
    row or column, and its BATCH_MATMUL reads what is not there of an operand beside a transposed
    one, if it is broadcast.
    """
    graph = Graph.from_bytes(network.model)
    [*_, operator] = graph.operators
    if operator.kind == "BATCH_MATMUL" and operator.options.adjX:
        batches = {graph.tensors[index].shape[:-2] for index in operator.inputs}
        if len(batches) > 1 and runtime.name != "ai-edge-litert":
            return False
    sample = network.sample(0)
    try:
        found = running.run(network.model, sample, kernels, runtime)
    except (ValueError, RuntimeError):
        return False
    expected = running.run(network.model, sample, Kernels.BUILTIN)
    return all(np.allclose(a, b, atol=1e-3) for a, b in zip(found, expected))
