"""Our scales in LiteRT Quantizer, by that tool itself."""

from __future__ import annotations

import numpy as np
import pytest

import tflite_eq
from tests import models
from tests.guard import networks
from tflite_eq.graph.model import Graph

quantizer = pytest.importorskip("litert_quantizer.quantizer")


@pytest.mark.parametrize("bits", ["8", "7"])
def test_it_writes_the_scales_of_the_record(bits: str) -> None:
    model = models.keras_net()
    config = tflite_eq.Config(bits=bits, equalization="none")
    calibration = tflite_eq.calibrate(model, models.data("keras_net"), config)
    ours = tflite_eq.as_litert_calibration(model, calibration)
    worker = quantizer.Quantizer(bytearray(model), ours.recipe)
    made = worker.quantize(ours.ranges, enable_progress_report=False)
    written = Graph.from_bytes(bytes(made.quantized_model))
    found = {}
    for tensor, stored in zip(written.tensors, written.subgraph.tensors):
        if tensor.type_name == "INT8" and not tensor.is_constant:
            quantization = stored.quantization
            found[tensor.name] = (float(quantization.scale[0]), int(quantization.zeroPoint[0]))
    compared = [t for t in calibration.tensors if t.name in found]
    assert len(compared) > 2
    for record in compared:
        scale, zero_point = found[record.name]
        np.testing.assert_allclose(scale, record.scale, rtol=1e-6)
        assert zero_point == record.zero_point
    ends = [written.tensors[i].type_name for i in (*written.inputs, *written.outputs)]
    assert set(ends) == {"FLOAT32"}
    assert any("weight scales" in sentence for sentence in ours.lost)


def test_scaled_channels_are_refused() -> None:
    model, samples = networks.planted(), networks.arrays(12, seed=1)
    config = tflite_eq.Config(equalization="cross_layer", per_tensor=True)
    calibration = tflite_eq.calibrate(model, list(np.split(samples, 12)), config)
    assert calibration.equalization
    with pytest.raises(tflite_eq.TfliteEqError, match="equalization='none'"):
        tflite_eq.as_litert_calibration(model, calibration)


def test_channels_that_are_written_several_times_are_told() -> None:
    model, samples = networks.planted(), networks.arrays(12, seed=1)
    config = tflite_eq.Config(equalization="none", split_channels="^matmul")
    calibration = tflite_eq.calibrate(model, list(np.split(samples, 12)), config)
    ours = tflite_eq.as_litert_calibration(model, calibration)
    assert any("channels that are written several times" in sentence for sentence in ours.lost)
