"""Deciding one linear layer: its weight scales, codes, gain and bias."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.config import Method, Reconstruction
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.numerics import weights
from tflite_eq.reconstruction.layer import Reconstructed, Settings, reconstruct
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.codes import encode_codes
from tflite_eq.record.filters import QuantizedFilters
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.decided_layers import DecidedLayers
from tflite_eq.simulation.layer_moments import can_gather_moments, layer_moments
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.weight_scales import WeightScales

Float = npt.NDArray[np.float32]


class LayerRunner(DecidedLayers):
    """Decides and runs linear layers for one calibration pass."""

    def __init__(
        self, task: LockstepPass, scales: ActivationScales, weight_scales: WeightScales
    ) -> None:
        """Run layers of a pass with the scales that are decided for them."""
        super().__init__(task.network.graph, task.twins, task.config)
        self._scales = scales
        self._weight_scales = weight_scales

    def run(self, layer: LinearLayer) -> LayerRecord:
        """Run both networks' version of a layer whose input is settled, put their outputs.

        First the gain, then the bias: a gain moves the means.
        """
        rows = self._run_float(layer)
        filters = self._weight_scales.decide(layer, self._scales.is_int7(layer.input))
        reconstructed = self._reconstructed(layer, filters)
        if reconstructed is not None:
            filters = reconstructed.filters
        self._run_quantized(layer, filters, rows)
        outputs = rows.outputs()
        before = outputs.error_sums
        gain = self._gain(before)
        outputs = outputs.with_gain(gain, layer.bias_values)
        scales = filters.scales * np.float32(gain)
        plain = self._rounded_bias(layer, np.zeros(layer.channels, np.float32), scales)
        offset, correction = self._bias_correction(layer, outputs, scales)
        metrics = {
            "before_correction": before.layer_errors(plain).as_dict(),
            "after_correction": outputs.error_sums.layer_errors(offset).as_dict(),
            "rolled_back": bool(self._corrects_bias and not correction.size),
        }
        if reconstructed is not None:
            metrics["reconstruction"] = reconstructed.as_dict()
        record = LayerRecord(
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
        self._put_outputs(layer, gain, offset)
        return record

    def _smallest_scales(self, layer: LinearLayer) -> Float:
        return weights.bias_floor(layer.bias_values, self._twins.settled[layer.input].params.scale)

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
            copies=layer.copies,
        )
        folds = layer_moments(layer, self._twins, config.seed)
        return reconstruct(layer.filters, found, folds, settings)

    def _gain(self, before: ErrorSums) -> float:
        """What the weights are multiplied by; 1 where nothing is to be corrected."""
        if not (self._corrects_bias and self._config.method is Method.EASYQUANT):
            return 1.0
        return before.restoring_gain
