"""Running linear layers whose scales and filters are decided."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from tflite_eq.config import BiasCorrection, Config, Reconstruction
from tflite_eq.errors import CheckpointError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics import weights
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import QuantizedFilters, recorded_filters
from tflite_eq.simulation.outputs import OutputRows, SampledOutputs, finish
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]


class DecidedLayers:
    """Runs layers whose scales and filters are decided, for one pass over samples."""

    def __init__(self, graph: Graph, twins: TwinActivations, config: Config) -> None:
        """Run layers of ``graph`` on ``twins``."""
        self._graph = graph
        self._twins = twins
        self._config = config
        # Filters are fitted to linear outputs; otherwise values are final when they are stored.
        self._fits_filters = config.reconstruction is not Reconstruction.NONE

    def run_again(self, layer: LinearLayer, record: LayerRecord) -> None:
        """Put the outputs of a layer that an interrupted run has decided.

        The figures in the record are sums over values of both networks, so that they tell whether
        this machine computes what the interrupted run computed.

        Raises:
            CheckpointError: The figures differ.
        """
        outputs, scales = self._outputs_of(layer, record)
        correction = np.zeros(layer.channels, np.float32)
        if record.bias_correction:
            correction[:] = record.bias_correction
        offset = self._rounded_bias(layer, correction, scales)
        found = outputs.error_sums.layer_errors(offset).as_dict()
        expected = record.metrics["after_correction"]
        if found != expected:
            raise CheckpointError(
                f"layer '{layer.name}' does not come out as in the interrupted run (SQNR "
                f"{found['sqnr_db']} instead of {expected['sqnr_db']} dB): another CPU or other "
                "numerical libraries. Go on where the run was started, or start afresh with a new "
                "resume folder"
            )
        self._put_outputs(layer, record.gain, offset)

    def correct_again(self, layer: LinearLayer, record: LayerRecord) -> LayerRecord:
        """Put the outputs of a decided layer with the bias correction that these samples give.

        Returns:
            The record with that correction; its figures stay those of the samples before.
        """
        outputs, scales = self._outputs_of(layer, record)
        offset, correction = self._bias_correction(layer, outputs, scales)
        self._put_outputs(layer, record.gain, offset)
        return dataclasses.replace(record, bias_correction=correction.tolist())

    @property
    def _corrects_bias(self) -> bool:
        return self._config.bias_correction is not BiasCorrection.NONE

    def _bias_correction(
        self, layer: LinearLayer, outputs: SampledOutputs, scales: Float
    ) -> tuple[Float, Float]:
        """What the int32 bias adds beyond the float bias, and the correction; empty if none."""
        plain = self._rounded_bias(layer, np.zeros(layer.channels, np.float32), scales)
        if self._corrects_bias:
            shift = (-outputs.error_sums.mean_shift).astype(np.float32)
            corrected = self._rounded_bias(layer, shift, scales)
            if self._helps(layer, outputs, plain, corrected):
                return corrected, shift
        return plain, np.zeros(0, np.float32)

    def _outputs_of(self, layer: LinearLayer, record: LayerRecord) -> tuple[SampledOutputs, Float]:
        """Put both networks' outputs without correction.

        Returns:
            Some of them, with the gain; the weight scales with gain.
        """
        filters = recorded_filters(layer, record)
        rows = self._run_float(layer)
        self._run_quantized(layer, filters, rows)
        outputs = rows.outputs().with_gain(record.gain, layer.bias_values)
        return outputs, filters.scales * np.float32(record.gain)

    def _run_float(self, layer: LinearLayer) -> OutputRows:
        """Put the float outputs; returns the pre-activation ones that corrections look at."""
        runner = OperatorRunner(self._graph, layer.operator, drop_activation=True)
        rng = np.random.default_rng([self._config.seed, layer.operator.index, 2])
        rows = OutputRows(layer.channels, self._twins.samples, self._twins.shares, rng)
        activation = properties.fused_activation(layer.operator)

        def take(values: Float) -> None:
            rows.take_exact(sample, values)
            if not self._fits_filters:
                finish(values, activation)
            self._twins.put_float(layer.output, sample, values, lent=True)

        for sample in range(self._twins.samples):
            runner.hand_on([self._twins.float_values(i, sample) for i in runner.feeds], [take])
        return rows

    def _run_quantized(
        self, layer: LinearLayer, filters: QuantizedFilters, rows: OutputRows
    ) -> None:
        """Put the quantized outputs without gain, correction and activation function."""
        real = weights.dequantize_filters(filters.codes, filters.scales)
        constants = {layer.filter: layer.stored_filters(real)}
        runner = OperatorRunner(self._graph, layer.operator, constants, drop_activation=True)

        def take(values: Float) -> None:
            rows.take_quantized(sample, values)
            self._twins.put_waiting(layer.output, sample, values, lent=True)

        for sample in range(self._twins.samples):
            runner.hand_on([self._twins.quantized_feed(i, sample) for i in runner.feeds], [take])

    def _rounded_bias(self, layer: LinearLayer, correction: Float, scales: Float) -> Float:
        """What the int32 bias really adds beyond the float bias, per channel."""
        codes, bias_scales = weights.quantize_bias(
            layer.bias_values + correction, self._twins.settled[layer.input].params.scale, scales
        )
        exact = codes.astype(np.float64) * bias_scales - layer.bias_values
        return exact.astype(np.float32)

    def _helps(
        self, layer: LinearLayer, outputs: SampledOutputs, plain: Float, corrected: Float
    ) -> bool:
        """Whether the correction lowers the error behind the activation function."""
        activation = properties.fused_activation(layer.operator)
        if activation == "NONE":
            return True  # the mean is the least-squares correction of a linear output
        without, found = outputs.errors_behind(activation, [plain, corrected])
        return found <= without

    def _put_outputs(self, layer: LinearLayer, gain: float, offset: Float) -> None:
        """Put the layer's final outputs: gain and offset, then the activation function."""
        activation = properties.fused_activation(layer.operator)
        is_linear = activation != "NONE" and self._fits_filters
        for sample in range(self._twins.samples) if is_linear else ():
            self._twins.change_float(
                layer.output, sample, functools.partial(finish, activation=activation)
            )
        last_steps = functools.partial(
            finish, activation=activation, gain=gain, bias=layer.bias_values, offset=offset
        )
        for sample in range(self._twins.samples):
            self._twins.finish_waiting(layer.output, sample, last_steps)
