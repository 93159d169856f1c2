"""What quantizing one layer alone costs at the network's output.

Each layer by itself is given its quantized input and weights, all else stays float, and the
operators behind it are run again: the outputs' error is then this layer's doing, with the gain of
everything it passes through on its way, which error measures at the layer itself leave out. Errors
of different layers are close to independent, so that their energies add up to about that of
the quantized network, and the layers with the largest ones are those worth keeping at more bits.

Gain and bias correction in a record answer the errors of all layers in front, which are absent
here. In their place the mean that this layer alone shifts is taken out, if the network's is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.config import BiasCorrection, Reconstruction
from tflite_eq.execution.altered_network import AlteredNetwork
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph.channel_copies import Float
from tflite_eq.graph.channel_splitting import channel_shifts
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import computed_logits
from tflite_eq.numerics import affine, weights
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.progress import track
from tflite_eq.record.calibration import Calibration, LayerRecord
from tflite_eq.record.filters import recorded_filters

Array = npt.NDArray[Any]


def layer_noise(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    calibration: Calibration,
    samples: Iterable[Mapping[int, Array]],
) -> dict[int, float]:
    """Output noise that each layer of a calibration causes alone.

    Args:
        graph: The float network that the calibration is about.
        layers: Its linear layers by operator index.
        calibration: What to quantize each layer with.
        samples: Values of the network's inputs by tensor index; iterated twice.

    Returns:
        By operator index: energy of the outputs' error by their energy over all samples, each
        output by itself and added up: none is louder than another.
    """
    targets = computed_logits(graph)
    network = AlteredNetwork(graph)
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    refitted = calibration.config.reconstruction is Reconstruction.REFIT
    shifts = channel_shifts(graph, layers.keys() - {record.index for record in calibration.layers})
    altered = [
        _AlteredLayer(graph, layers[record.index], _own_codes(record, refitted), params, shifts)
        for record in calibration.layers
    ]
    if calibration.config.bias_correction is not BiasCorrection.NONE:
        for sample in track(samples, "Guard: means"):
            values = network.run(sample)
            for layer in altered:
                layer.observe(values)
        for layer in altered:
            layer.take_out_mean()
    signal = np.zeros(len(targets))
    noise = {layer.operator: np.zeros(len(targets)) for layer in altered}
    for sample in track(samples, "Guard: sensitivity"):
        values = network.run(sample)
        exact = [values[target].astype(np.float64) for target in targets]
        signal += [float(np.vdot(one, one)) for one in exact]
        for layer in altered:
            output = graph.operators[layer.operator].outputs[0]
            found = network.run_with(values, {output: layer.run(values)}, targets)
            errors = [value - one for value, one in zip(found, exact)]
            noise[layer.operator] += [float(np.vdot(error, error)) for error in errors]
    loudest = np.maximum(signal, 1e-300)
    return {operator: float((energy / loudest).sum()) for operator, energy in noise.items()}


class _AlteredLayer:
    """One layer with a quantized input and quantized weights.

    Attributes:
        operator: Index of its operator.
    """

    def __init__(
        self,
        graph: Graph,
        layer: LinearLayer,
        record: LayerRecord,
        params: Mapping[int, AffineParams],
        shifts: Mapping[int, Float],
    ) -> None:
        self.operator = layer.operator.index
        self._graph = graph
        self._layer = layer
        self._params = params[layer.input]
        self._shifts = shifts.get(layer.input)
        filters = recorded_filters(layer, record)
        real = weights.dequantize_filters(filters.codes, filters.scales)
        self._constants = {layer.filter: layer.stored_filters(real)}
        self._exact = OperatorRunner(graph, layer.operator, drop_activation=True)
        self._linear = OperatorRunner(graph, layer.operator, self._constants, drop_activation=True)
        self._final = OperatorRunner(graph, layer.operator, self._constants)
        self._shift = np.zeros(layer.channels)
        self._seen = 0

    def observe(self, values: Mapping[int, Array]) -> None:
        """Note the mean shift before the activation function, per channel."""
        exact = self._exact.run([values[index] for index in self._exact.feeds])[0]
        difference = self._linear.run(self._feeds(self._linear, values))[0] - exact
        rows = difference.reshape(-1, self._layer.channels)
        self._shift += rows.sum(axis=0, dtype=np.float64)
        self._seen += len(rows)

    def take_out_mean(self) -> None:
        """Correct the bias by the shift observed."""
        bias = self._layer.bias_values - self._shift / max(self._seen, 1)
        constants = {**self._constants, self._layer.bias: bias.astype(np.float32)}
        self._final = OperatorRunner(self._graph, self._layer.operator, constants)

    def run(self, values: Mapping[int, Array]) -> Array:
        """The layer's output for a sample's float activations."""
        return self._final.run(self._feeds(self._final, values))[0]

    def _feeds(self, runner: OperatorRunner, values: Mapping[int, Array]) -> list[Array]:
        return [
            affine.fake_quantize(values[index], self._params, self._shifts)
            if index == self._layer.input
            else values[index]
            for index in runner.feeds
        ]


def _own_codes(record: LayerRecord, refitted: bool) -> LayerRecord:
    """Refitted codes answer errors in front of the layer, too: round to the nearest instead."""
    return dataclasses.replace(record, codes="") if refitted else record
