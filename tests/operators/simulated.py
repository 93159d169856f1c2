"""A network calibrated by its own simulation and written, without the checks of the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tests import running
from tests.operators.builder import Array, Network
from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.config import Config, Forms
from tflite_eq.data.store import ActivationStore
from tflite_eq.graph import edit, schema
from tflite_eq.graph.float_islands import with_movers
from tflite_eq.graph.int8_forms import without_int8_form
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.network import Network as FloatNetwork
from tflite_eq.numerics.affine import AffineParams, dequantize
from tflite_eq.record.calibration import Calibration
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime
from tflite_eq.simulation.lockstep import run_lockstep
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.writing.writer import write

PLAIN = Config(method="minmax", equalization="none", bias_correction="none")
SAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A network, its int8 form, and what its simulation has computed.

    Attributes:
        float_graph: The network, with biases.
        graph: The int8 form as written.
        sources: Tensors of the network by those of the int8 form that stand for them.
        forms: What operators of other kinds read that stand for one, by what they write.
        skipped: Operators of the network that stay in float.
        samples: Values of the network's inputs that it was calibrated on.
        values: What the simulation has computed for each of them, in real values, by tensor of the
            network.
    """

    float_graph: Graph
    graph: Graph
    sources: Mapping[int, int]
    forms: Mapping[int, tuple[int, ...]]
    skipped: frozenset[int]
    samples: list[list[Array]]
    values: list[dict[int, Array]]

    def source(self, operator: Operator) -> Operator | None:
        """The network's operator that an operator of the int8 form is."""
        made = self.sources.get(operator.outputs[0])
        found = None if made is None else self.float_graph.producer(made)
        is_alike = found is not None and found.kind == operator.kind
        return found if is_alike or operator.outputs[0] in self.forms else None

    def read(self, operator: Operator) -> tuple[int, ...]:
        """What an operator of the int8 form reads, or all do that stand for one of the network."""
        return self.forms.get(operator.outputs[0], operator.inputs)


def simulated(network: Network, forms: Forms = Forms.FAST) -> Simulated:
    """Calibrate a network and write it."""
    config = dataclasses.replace(PLAIN, forms=forms)
    graph = edit.with_biases(Graph.from_bytes(network.model))
    layers = linear_layers(graph)
    skipped = frozenset(with_movers(graph, without_int8_form(graph)))
    float_network = FloatNetwork.of(graph, skipped)
    samples = [network.sample(seed) for seed in range(SAMPLES)]
    fed = [dict(zip(graph.inputs, sample)) for sample in samples]
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        observers = observe_ranges(graph, fed, twins, seed=0)
        shown = [*graph.inputs, *edit.computed_tensors(graph)]
        tensors, records = run_lockstep(
            LockstepPass(float_network, observers, twins, config), kept=set(shown)
        )
        values = [
            {i: np.array(twins.quantized_values(i, n)) for i in shown} for n in range(SAMPLES)
        ]
    record = Calibration("", "", "", SAMPLES, config, tensors, records)
    made = write(graph, layers, record, skipped)
    sources = {index: meaning.source for index, meaning in made.meanings_by_index().items()}
    found = Graph.from_bytes(schema.serialize(made.model))
    return Simulated(graph, found, sources, made.read_by_forms(), skipped, samples, values)


def values_of_all_tensors(
    graph: Graph, sample: list[Array], kernels: Kernels, runtime: Runtime
) -> dict[int, Array]:
    """Inputs and computed tensors, by index."""
    computed = edit.computed_tensors(graph)
    found = running.run(edit.with_outputs(graph, computed), sample, kernels, runtime)
    return {**dict(zip(graph.inputs, sample)), **dict(zip(computed, found))}


def off_the_operator(made: Simulated, operator: Operator, values: Mapping[int, Array]) -> float:
    """By how many codes an operator's results are off those of the network's operator.

    What that makes of the values that the codes in front of the operator stand for, and of its
    constants as they are stored, is rounded to codes.
    """
    source = made.source(operator)
    assert source is not None
    constants = {
        own: real(made.graph, written, made.graph.constant(written))
        for own, written in zip(source.inputs, made.read(operator))
        if own >= 0
        and made.float_graph.tensors[own].is_constant
        and made.float_graph.tensors[own].is_float
    }
    model, feeds = edit.single_operator_model(made.float_graph, source, constants)
    by_source = {made.sources[i]: i for i in made.read(operator) if i in made.sources}
    given = [real(made.graph, by_source[i], values[by_source[i]]) for i in feeds]
    expected = running.run(model, given, Kernels.BUILTIN, preferred_runtime())
    return max(
        off(made.graph, index, values[index], exact)
        for index, exact in zip(operator.outputs, expected)
    )


def off_the_simulation(
    made: Simulated, operator: Operator, values: Mapping[int, Array], sample: int
) -> float:
    """By how many codes an operator's results are off what the simulation has computed.

    Of equal codes, indices of the largest may name any.
    """
    computed = made.values[sample]
    return max(
        (
            off(made.graph, index, values[index], computed[made.sources[index]])
            for index in operator.outputs
            if index in made.sources and values[index].dtype == np.int8
        ),
        default=0.0,
    )


def off(graph: Graph, index: int, found: Array, exact: Array) -> float:
    """The largest difference of a tensor's codes from rounded real values; of others, as is."""
    assert found.shape == exact.shape
    codes = exact.astype(np.float64)
    if found.dtype == np.int8:
        [scale], [zero_point] = running.parameters(graph, index)
        codes = np.clip(np.round(codes / scale) + zero_point, -128, 127)
    return float(np.abs(found.astype(np.float64) - codes).max(initial=0))


def real(graph: Graph, index: int, values: Array) -> Array:
    """What the values of a tensor stand for."""
    scales, zero_points = running.parameters(graph, index)
    if not len(scales) or values.dtype not in (np.int8, np.int32):
        return values
    if values.dtype == np.int8 and len(scales) == 1:
        return dequantize(values, AffineParams(float(scales[0]), int(zero_points[0])))
    along = [1] * values.ndim
    along[graph.subgraph.tensors[index].quantization.quantizedDimension] = len(scales)
    return np.asarray(values * scales.astype(np.float64).reshape(along), np.float32)
