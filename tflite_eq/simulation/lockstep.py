"""The calibration pass: float and quantized network in lockstep, one operator at a time.

Layers are taken in topological order. When the first operator needs a tensor's codes, the scale
of its group is decided on the values that the quantized network so far really produces; each
linear layer is then run on those codes, its scale and bias are corrected, and its output waits
for the decision of its own group. Only tensors that still have readers are kept.

An interrupted pass goes on by repeating its finished layers with their stored decisions, without
searching. Storing the activations instead would save two inferences and cost hundreds of megabytes
of writing after every layer.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence, Set

import numpy as np

from tflite_eq.checkpoint.checkpoint import Checkpoint, LayerState
from tflite_eq.config import Config
from tflite_eq.data.store import ActivationStore
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import dequantize
from tflite_eq.progress import note, track
from tflite_eq.record.calibration import LayerRecord, TensorRecord
from tflite_eq.search.through import ELEMENTWISE
from tflite_eq.search.trace import PassTrace
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.decided_layers import DecidedLayers
from tflite_eq.simulation.layer_runner import LayerRunner
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import InputsOf, TwinActivations
from tflite_eq.simulation.weight_scales import WeightScales

# All codes, by what they are as unsigned numbers.
_CODES = np.arange(256, dtype=np.uint8).view(np.int8)


def run_lockstep(
    task: LockstepPass, checkpoint: Checkpoint | None = None, kept: Set[int] = frozenset()
) -> tuple[list[TensorRecord], list[LayerRecord]]:
    """Decide all scales and corrections of one network.

    Args:
        task: What the pass goes through.
        checkpoint: Gives what an interrupted run has decided, and takes every finished layer.
        kept: Tensors whose values the twins still hold at the end, besides the outputs.

    Returns:
        Records of all quantized tensors by index, and of all quantized linear layers in
        execution order.
    """
    network, twins, trace = task.network, task.twins, task.trace
    graph, layers, skipped = network.graph, network.layers, network.skipped
    if checkpoint:
        checkpoint.check_layers(graph, layers)
        task = dataclasses.replace(task, decided=list(checkpoint.layers))
    states = task.decided
    if trace is not None:
        for state in states:
            trace.restore(state.searches)
    finished = {state.layer.index: state.layer for state in states}
    weight_scales = WeightScales(task)
    scales = ActivationScales(task, weight_scales)
    runner = LayerRunner(task, scales, weight_scales)
    readers = _Readers(graph, kept)
    records = []
    done: list[int] = []
    for operator in track(graph.operators, _title(len(states), len(layers.keys() - skipped))):
        scales.settle_inputs(operator)
        layer = layers.get(operator.index)
        if layer is None or operator.index in skipped:
            _run_operator(graph, operator, twins)
        elif layer.operator.index in finished:
            records.append(finished[operator.index])
            runner.run_again(layer, records[-1])
            scales.note_layer(layer, records[-1])
        else:
            records.append(runner.run(layer))
            scales.note_layer(layer, records[-1])
            if checkpoint:
                checkpoint.finish_layer(_layer_state(records[-1], scales, weight_scales, trace))
        done += readers.done_with(operator)
        for index in [i for i in done if not scales.is_awaited(i)]:
            done.remove(index)
            twins.drop(index)
    scales.settle_rest()
    return scales.records(), records


def corrected_on(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    records: Sequence[LayerRecord],
    twins: TwinActivations,
    samples: Sequence[int],
    config: Config,
    inputs: InputsOf | None = None,
) -> list[LayerRecord]:
    """The layers as iterative bias correction leaves them if it sees only some of the samples.

    Scales, filters and gains stay as decided.

    Args:
        graph: The float network.
        layers: Its linear layers by operator index.
        records: The quantized layers, in execution order.
        twins: A finished pass; stays as it is.
        samples: Numbers of the samples.
        config: Options of that pass.
        inputs: Gives the network's inputs for a sample; the pass must still hold them if ``None``.

    Returns:
        The records with other bias corrections; their figures are those of all samples.
    """
    decided = {record.index: record for record in records}
    corrected = []
    with ActivationStore() as store:
        part = twins.part(store, graph.inputs, samples, inputs)
        runner = DecidedLayers(graph, part, config)
        readers = _Readers(graph)
        for operator in track(graph.operators, "Correcting biases without held-back samples"):
            if operator.index in decided:
                layer = layers[operator.index]
                corrected.append(runner.correct_again(layer, decided[operator.index]))
            else:
                _run_operator(graph, operator, part)
            for index in readers.done_with(operator):
                part.drop(index)
    return corrected


class _Readers:
    """Counts who is yet to read a tensor."""

    def __init__(self, graph: Graph, kept: Set[int] = frozenset()) -> None:
        """Watch all tensors but constants, the network's outputs and those to keep."""
        self._left = {
            tensor.index: len(graph.consumers(tensor.index))
            for tensor in graph.tensors
            if not tensor.is_constant and tensor.index not in {*graph.outputs, *kept}
        }

    def done_with(self, operator: Operator) -> list[int]:
        """Tensors that nobody will read any more once the operator has run."""
        found = []
        for index in {*operator.inputs, *operator.outputs} & self._left.keys():
            self._left[index] -= index in operator.inputs
            if self._left[index] == 0:
                found.append(index)
        return found


def _layer_state(
    record: LayerRecord,
    scales: ActivationScales,
    weight_scales: WeightScales,
    trace: PassTrace | None,
) -> LayerState:
    """What has been decided since the layer before."""
    tensors, waiting = scales.new_records(), weight_scales.waiting()
    searches = trace.searches([t.index for t in tensors], [record.index, *waiting]) if trace else {}
    return LayerState(record, tensors, waiting, searches)


def _title(finished: int, total: int) -> str:
    """Title of the progress bar; says once where a resumed pass goes on."""
    if not finished:
        return "Calibrating: layers"
    at = f"layer {finished + 1} of {total}" if finished < total else f"the end of {total} layers"
    note(f"Calibrating: resumed at {at}")
    return f"Calibrating: layers, resumed at {at}"


def _run_operator(graph: Graph, operator: Operator, twins: TwinActivations) -> None:
    runner = OperatorRunner(graph, operator)
    for sample in range(twins.samples):
        runner.hand_on(
            [twins.float_values(i, sample) for i in runner.feeds],
            [functools.partial(twins.put_float, i, sample, lent=True) for i in operator.outputs],
        )
    if _is_looked_up(graph, operator, twins):
        [source], [result] = runner.feeds, operator.outputs
        real = dequantize(_CODES, twins.settled[source].params)
        [results] = runner.run([real.reshape(1, -1, *[1] * (len(graph.tensors[source].shape) - 2))])
        twins.put_results(result, source, results.ravel())
        return
    for sample in range(twins.samples):
        runner.hand_on(
            [twins.quantized_feed(i, sample) for i in runner.feeds],
            [
                functools.partial(twins.put_quantized, i, sample, lent=True)
                for i in operator.outputs
            ],
        )


def _is_looked_up(graph: Graph, operator: Operator, twins: TwinActivations) -> bool:
    """Whether an operator of the quantized network is a function of 256 codes, value by value."""
    return (
        operator.kind in ELEMENTWISE
        and operator.inputs[0] in twins.settled
        and twins.rounds_alike(operator.outputs[0])
        and len(graph.tensors[operator.inputs[0]].shape) > 1
    )
