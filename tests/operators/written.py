"""Networks written with scales from the ranges of their values, without calibrating."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import numpy as np

from tests import running
from tests.operators.builder import Array, Network
from tests.writing.records import record_of
from tflite_eq.calibration.record import Calibration
from tflite_eq.graph import edit, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.config import ActivationMode
from tflite_eq.numerics.affine import AffineParams, dequantize
from tflite_eq.numerics.windows import affine_for
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime
from tflite_eq.writer import write

SAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Written:
    """A network and its int8 form.

    Attributes:
        float_graph: The network, with biases.
        graph: The int8 form.
        sources: Tensors of the network by those of the int8 form that stand for them.
        on_codes: Operators of the network that compute on codes.
    """

    float_graph: Graph
    graph: Graph
    sources: dict[int, int]

    def source(self, operator: Operator) -> Operator | None:
        """The network's operator that an operator of the int8 form is."""
        made = self.sources.get(operator.outputs[0])
        found = None if made is None else self.float_graph.producer(made)
        return found if found is not None and found.kind == operator.kind else None


def written(network: Network, skipped: Set[int] = frozenset()) -> Written:
    """The int8 form under the least scales that hold the values of some samples."""
    graph = edit.with_biases(Graph.from_bytes(network.model))
    record = minmax_record(graph, network, skipped)
    made = write(graph, linear_layers(graph), record, skipped)
    meanings = made.meanings_by_index()
    sources = {index: meaning.source for index, meaning in meanings.items()}
    return Written(graph, Graph.from_bytes(schema.serialize(made.model)), sources)


def minmax_record(graph: Graph, network: Network, skipped: Set[int]) -> Calibration:
    """A record of the ranges that the network's values have."""
    ranges: dict[int, tuple[float, float]] = {}
    shown = edit.with_all_tensors_as_outputs(graph)
    for seed in range(SAMPLES):
        sample = network.sample(seed)
        computed = running.run(shown, sample, Kernels.BUILTIN)
        values = dict(zip(edit.computed_tensors(graph), computed))
        values.update(zip(graph.inputs, sample))
        for index, found in values.items():
            low, high = ranges.get(index, (0.0, 0.0))
            low = min(low, float(np.min(found, initial=0)))
            ranges[index] = low, max(high, float(np.max(found, initial=0)))
    record = record_of(graph, skipped)
    groups = scale_groups(graph, linear_layers(graph), skipped)
    for tensor in record.tensors:
        group = groups[tensor.index]
        if group.fixed is None:
            ends = [*group.constants, *(end for i in group.tensors for end in ranges[i])]
            modes = ActivationMode.SYMMETRIC, ActivationMode.ASYMMETRIC
            mode = modes[not group.needs_zero_point_0]
            params, _ = affine_for(min(ends), max(ends), False, mode, None)
            tensor.scale, tensor.zero_point = params.scale, params.zero_point
    return record


def values_of_all_tensors(
    graph: Graph, sample: list[Array], kernels: Kernels, runtime: Runtime
) -> dict[int, Array]:
    """Inputs and computed tensors, by index."""
    model = edit.with_outputs(graph, [*edit.computed_tensors(graph)])
    computed = running.run(model, sample, kernels, runtime)
    return {**dict(zip(graph.inputs, sample)), **dict(zip(edit.computed_tensors(graph), computed))}


def deviation(made: Written, operator: Operator, values: dict[int, Array]) -> float:
    """By how many codes an operator's results are off those of the network's operator.

    What that makes of the values that the codes in front of the operator stand for, and of its
    constants as they are stored, is rounded to codes.
    """
    source = made.source(operator)
    assert source is not None
    constants = {
        own: real(made.graph, written, made.graph.constant(written))
        for own, written in zip(source.inputs, operator.inputs)
        if own >= 0 and made.float_graph.tensors[own].is_constant
        and made.float_graph.tensors[own].is_float
    }
    model, feeds = edit.single_operator_model(made.float_graph, source, constants)
    by_source = {made.sources.get(i, i): i for i in operator.inputs if i in made.sources}
    given = [real(made.graph, by_source[i], values[by_source[i]]) for i in feeds]
    expected = running.run(model, given, Kernels.BUILTIN, preferred_runtime())
    worst = 0.0
    for index, exact in zip(operator.outputs, expected):
        found = values[index]
        assert found.shape == exact.shape
        if found.dtype == np.int8:
            [scale], [zero_point] = running.parameters(made.graph, index)
            codes = np.clip(np.round(exact.astype(np.float64) / scale) + zero_point, -128, 127)
        else:
            codes = exact
        off = np.abs(found.astype(np.float64) - codes.astype(np.float64))
        worst = max(worst, float(off.max(initial=0)))
    return worst


def real(graph: Graph, index: int, values: Array) -> Array:
    """What the values of a tensor stand for."""
    scales, zero_points = running.parameters(graph, index)
    if graph.tensors[index].type_name not in ("INT8", "INT32") or not len(scales):
        return values
    if len(scales) == 1:
        params = AffineParams(float(scales[0]), int(zero_points[0]))
        if values.dtype == np.int8:
            return dequantize(values, params)
        return (values * np.float64(scales[0])).astype(np.float32)
    axis = graph.subgraph.tensors[index].quantization.quantizedDimension
    along = [1] * values.ndim
    along[axis] = len(scales)
    return (values * scales.astype(np.float64).reshape(along)).astype(np.float32)
