"""Running one linear layer of both networks and correcting the quantized one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.calibration.codes import encode_codes
from tflite_eq.calibration.filters import QuantizedFilters, recorded_filters
from tflite_eq.calibration.record import LayerRecord
from tflite_eq.config import BiasCorrection, Config, Method, Reconstruction
from tflite_eq.errors import CheckpointError
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics import weights
from tflite_eq.numerics.activation import apply_activation
from tflite_eq.reconstruction.layer import Reconstructed, Settings, reconstruct
from tflite_eq.search.easyquant import initial_weight_scales
from tflite_eq.search.rows import supports_rows
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.layer_moments import can_gather_moments, layer_moments
from tflite_eq.simulation.operator_runner import OperatorRunner
from tflite_eq.simulation.sampling import make_layer_reader
from tflite_eq.simulation.trace import PassTrace
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.targets import weight_grid

Float = npt.NDArray[np.float32]


class LayerRunner:
    """Runs linear layers for one calibration pass."""

    def __init__(
        self,
        graph: Graph,
        scales: ActivationScales,
        twins: TwinActivations,
        config: Config,
        trace: PassTrace | None = None,
    ) -> None:
        """Run layers of ``graph`` on ``twins`` with the input scales that ``scales`` decides."""
        self._graph = graph
        self._scales = scales
        self._twins = twins
        self._config = config
        self._trace = trace

    def run(self, layer: LinearLayer) -> LayerRecord:
        """Run both networks' version of a layer whose input is settled, put their outputs.

        First the gain, then the bias: a gain moves the means.
        """
        self._put_float_pre_activations(layer)
        filters = self._searched_filters(layer)
        reconstructed = self._reconstructed(layer, filters)
        if reconstructed is not None:
            filters = reconstructed.filters
        self._put_quantized_pre_activations(layer, filters)
        gain, before, sums = self._correct_gain(layer)
        scales = filters.scales * np.float32(gain)
        plain = self._rounded_bias(layer, np.zeros(layer.channels, np.float32), scales)
        offset, correction = plain, np.zeros(0, np.float32)
        if self._corrects_bias:
            shift = (-sums.mean_shift).astype(np.float32)
            corrected = self._rounded_bias(layer, shift, scales)
            if self._helps(layer, plain, corrected):
                offset, correction = corrected, shift
        self._put_outputs(layer, offset)
        metrics = {
            "before_correction": before.layer_errors(plain).as_dict(),
            "after_correction": sums.layer_errors(offset).as_dict(),
            "rolled_back": bool(self._corrects_bias and not correction.size),
        }
        if reconstructed is not None:
            metrics["reconstruction"] = reconstructed.as_dict()
        return LayerRecord(
            index=layer.operator.index,
            name=layer.name,
            kind=layer.kind.value,
            input=layer.input,
            grid=filters.grid.value,
            scales=filters.scales[: 1 if self._config.per_tensor else None].tolist(),
            gain=gain,
            bias_correction=correction.tolist(),
            metrics=metrics,
            codes="" if reconstructed is None else encode_codes(filters.codes),
        )

    def run_again(self, layer: LinearLayer, record: LayerRecord) -> None:
        """Put the outputs of a layer that an interrupted run has decided.

        The figures in the record are sums over all values of both networks, so that they tell
        whether this machine computes what the interrupted run computed.

        Raises:
            CheckpointError: The figures differ.
        """
        filters = recorded_filters(layer, record)
        self._put_float_pre_activations(layer)
        self._put_quantized_pre_activations(layer, filters)
        self._apply_gain(layer, record.gain)
        correction = np.zeros(layer.channels, np.float32)
        if record.bias_correction:
            correction[:] = record.bias_correction
        scales = filters.scales * np.float32(record.gain)
        offset = self._rounded_bias(layer, correction, scales)
        found = self._error_sums(layer).layer_errors(offset).as_dict()
        expected = record.metrics["after_correction"]
        if found != expected:
            raise CheckpointError(
                f"layer '{layer.name}' does not come out as in the interrupted run (SQNR "
                f"{found['sqnr_db']} instead of {expected['sqnr_db']} dB): another CPU or other "
                "numerical libraries. Go on where the run was started, or start afresh with a new "
                "resume folder"
            )
        self._put_outputs(layer, offset)

    @property
    def _corrects_bias(self) -> bool:
        return self._config.bias_correction is not BiasCorrection.NONE

    def _searched_filters(self, layer: LinearLayer) -> QuantizedFilters:
        """Filters rounded to the nearest codes under the scales that the search has found."""
        input_params = self._twins.params[layer.input]
        int7 = self._scales.is_int7(layer.input)
        grid = weight_grid(layer.geometry, self._config.target, int7)
        reader = self._scales.readers.pop(layer.operator.index, None)
        searches = self._config.method is Method.EASYQUANT and supports_rows(layer)
        if reader is None and searches:
            reader = make_layer_reader(layer, self._twins, self._config, int7)
            reader.search_weights(input_params, self._config.search)
        if reader is not None:
            scales = reader.scales
            if self._trace is not None:
                self._trace.weight_searches[layer.operator.index] = reader.trials
        else:
            scales = initial_weight_scales(layer.filters, grid, self._config.per_tensor)
        scales = np.maximum(scales, self._smallest_scales(layer))
        if self._config.per_tensor:
            scales = np.full_like(scales, scales.max())
        codes = weights.quantize_filters(layer.filters, scales, grid)
        return QuantizedFilters(codes, scales, grid)

    def _smallest_scales(self, layer: LinearLayer) -> Float:
        return weights.bias_floor(layer.bias_values, self._twins.params[layer.input].scale)

    def _reconstructed(self, layer: LinearLayer, found: QuantizedFilters) -> Reconstructed | None:
        """Better filters, if they are asked for and the layer's moments can be gathered."""
        config = self._config
        if config.reconstruction is Reconstruction.NONE or not can_gather_moments(layer):
            return None
        settings = Settings(
            reconstruction=config.reconstruction,
            centred=self._corrects_bias,
            per_tensor=config.per_tensor,
            search=config.search if config.method is Method.EASYQUANT else None,
            smallest_scales=self._smallest_scales(layer),
        )
        folds = layer_moments(layer, self._twins, config.seed)
        return reconstruct(layer.filters, found, folds, settings)

    def _put_float_pre_activations(self, layer: LinearLayer) -> None:
        runner = OperatorRunner(self._graph, layer.operator, drop_activation=True)
        for sample in range(self._twins.samples):
            values = runner.run([self._twins.float_values(i, sample) for i in runner.feeds])[0]
            self._twins.put_float(layer.output, sample, values)

    def _put_quantized_pre_activations(self, layer: LinearLayer, filters: QuantizedFilters) -> None:
        real = weights.dequantize_filters(filters.codes, filters.scales)
        constants = {layer.filter: layer.stored_filters(real)}
        runner = OperatorRunner(self._graph, layer.operator, constants, drop_activation=True)
        for sample in range(self._twins.samples):
            feeds = [self._twins.quantized_values(i, sample) for i in runner.feeds]
            self._twins.put_waiting(layer.output, sample, runner.run(feeds)[0])

    def _correct_gain(self, layer: LinearLayer) -> tuple[float, ErrorSums, ErrorSums]:
        """The layer's gain, and its error sums before and behind it."""
        before = self._error_sums(layer)
        if not (self._corrects_bias and self._config.method is Method.EASYQUANT):
            return 1.0, before, before
        gain = before.restoring_gain
        if gain == 1.0:
            return 1.0, before, before
        self._apply_gain(layer, gain)
        return gain, before, self._error_sums(layer)

    def _apply_gain(self, layer: LinearLayer, gain: float) -> None:
        if gain == 1.0:
            return
        for sample in range(self._twins.samples):
            linear = self._twins.waiting_values(layer.output, sample) - layer.bias_values
            scaled = linear * np.float32(gain) + layer.bias_values
            self._twins.put_waiting(layer.output, sample, scaled)

    def _error_sums(self, layer: LinearLayer) -> ErrorSums:
        sums = ErrorSums(layer.channels)
        for sample in range(self._twins.samples):
            sums.update(
                self._twins.float_values(layer.output, sample),
                self._twins.waiting_values(layer.output, sample),
            )
        return sums

    def _rounded_bias(self, layer: LinearLayer, correction: Float, scales: Float) -> Float:
        """What the int32 bias really adds beyond the float bias, per channel."""
        codes, bias_scales = weights.quantize_bias(
            layer.bias_values + correction, self._twins.params[layer.input].scale, scales
        )
        exact = codes.astype(np.float64) * bias_scales - layer.bias_values
        return exact.astype(np.float32)

    def _helps(self, layer: LinearLayer, plain: Float, corrected: Float) -> bool:
        """Whether the correction lowers the error behind the activation function."""
        activation = properties.fused_activation(layer.operator)
        if activation == "NONE":
            return True  # the mean is the least-squares correction of a linear output
        errors = np.zeros(2)
        for sample in range(self._twins.samples):
            reference = apply_activation(self._twins.float_values(layer.output, sample), activation)
            quantized = self._twins.waiting_values(layer.output, sample)
            for i, offset in enumerate((plain, corrected)):
                difference = apply_activation(quantized + offset, activation)
                difference -= reference
                errors[i] += np.vdot(difference, difference)
        return bool(errors[1] <= errors[0])

    def _put_outputs(self, layer: LinearLayer, offset: Float) -> None:
        """Put the layer's final outputs: offset added, activation applied."""
        activation = properties.fused_activation(layer.operator)
        for sample in range(self._twins.samples):
            exact = self._twins.float_values(layer.output, sample)
            self._twins.put_float(layer.output, sample, apply_activation(exact, activation))
            waiting = self._twins.waiting_values(layer.output, sample)
            real = apply_activation(waiting + offset, activation)
            self._twins.put_quantized(layer.output, sample, real)
