"""The integer filters that a layer's record stands for."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tflite_eq.graph.linear import LinearLayer
from tflite_eq.numerics import weights
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.codes import decode_codes


@dataclasses.dataclass(frozen=True)
class QuantizedFilters:
    """Quantized filters: codes under ``scales``, read back with ``scales`` times the layer's gain.

    Attributes:
        codes: Output channels first, [K, ...].
        scales: Real units per code before the gain, [K].
        grid: The set the codes are taken from.
    """

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    grid: WeightGrid


def recorded_filters(layer: LinearLayer, record: LayerRecord) -> QuantizedFilters:
    """The filters that the layer was given when the record was made.

    The one place that turns a record into codes: the writer and a resumed calibration must agree
    with the calibration that made the record.

    Raises:
        ValueError: Codes in the record are damaged; ``check_fits`` refuses such records.
    """
    scales = np.empty(layer.channels, np.float32)
    scales[:] = np.asarray(record.scales, np.float32)  # one scale serves all channels
    grid = WeightGrid(record.grid)
    if record.codes:
        codes = decode_codes(record.codes, layer.filters.shape)
    else:
        codes = weights.quantize_filters(layer.filters, scales, grid, layer.copies)
    return QuantizedFilters(codes, scales, grid)
