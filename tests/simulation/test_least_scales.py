"""Networks whose scales kernels refuse, or lose a tensor by, run here on every kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Config, quantize
from tflite_eq.graph.model import Graph
from tflite_eq.record.comparison import MIN_MAX
from tflite_eq.runtimes import Kernels

SHAPE = (1, 8, 8, 3)
SAMPLES = models.samples(SHAPE, count=12)


def sqnr(model: bytes, quantized: bytes, kernels: Kernels) -> float:
    pairs = [[running.run(m, x, kernels)[0] for m in (model, quantized)] for x in SAMPLES]
    noise = sum(float(((a - b) ** 2).sum()) for a, b in pairs)
    return float(10 * np.log10(sum(float((a**2).sum()) for a, _ in pairs) / noise))


def cancelling(x: Any) -> Any:
    """Large products cancel down to a millionth: XNNPACK refuses the scale of what is left."""
    filters = models.weights(1, 1, 3, 4)
    doubled = np.concatenate([filters, filters * np.float32(-1.000001)], axis=2)
    left = tf.nn.conv2d(tf.concat([x, x], 3), doubled, 1, "SAME")
    return tf.concat([models.conv(left, 4), models.conv(x, 4, seed=1)], 3)


@pytest.mark.parametrize("bits", ["8", "7"])
@pytest.mark.parametrize("kernels", list(Kernels))
def test_scales_that_xnnpack_refuses_are_avoided(bits: str, kernels: Kernels) -> None:
    model = models.convert(cancelling, SHAPE)
    result = quantize(model, SAMPLES, Config(bits=bits))
    assert sqnr(model, result.model, kernels) > (25 if bits == "8" else 18)
    assert result.calibration.comparison is not None
    assert MIN_MAX in result.calibration.comparison.sqnr_db  # which runs, too
    graph = Graph.from_bytes(result.model)
    for operator in graph.operators:
        if operator.kind == "CONV_2D":
            source, filters, _ = operator.inputs
            own, weights = (
                running.parameters(graph, source)[0],
                running.parameters(graph, filters)[0],
            )
            made = running.parameters(graph, operator.outputs[0])[0]
            assert (own * weights / made < 256).all()


def test_small_weights_that_large_inputs_need_are_kept() -> None:
    def net(x: Any) -> Any:
        large = tf.nn.relu(models.conv(x, 4) * np.float32(1e12))
        return models.conv(tf.nn.conv2d(large, models.weights(3, 3, 4, 4) * 1e-12, 1, "SAME"), 4)

    model = models.convert(net, SHAPE)
    graph = Graph.from_bytes(model)
    smallest = min(
        float(np.abs(graph.constant(operator.inputs[1])).max())
        for operator in graph.operators
        if operator.kind == "CONV_2D"
    )
    assert smallest < 1e-10  # or the converter has folded the factors
    result = quantize(model, SAMPLES)
    assert sqnr(model, result.model, Kernels.REFERENCE) > 25
    assert sqnr(model, result.model, Kernels.DEFAULT) > 25


@pytest.mark.parametrize(("factor", "is_lost"), [(1e-3, True), (1.0, False)])
def test_narrow_tensors_beside_wide_ones_are_said_to_be_lost(factor: float, is_lost: bool) -> None:
    def net(x: Any) -> Any:
        wide = tf.nn.relu(models.conv(x, 4))
        narrow = tf.nn.relu(models.conv(x, 4, seed=1)) * np.float32(factor)
        joined = tf.concat([wide, tf.nn.relu(models.conv(narrow, 4, seed=2) * factor)], 3)
        return tf.reshape(joined, [1, -1])

    result = quantize(models.convert(net, SHAPE), SAMPLES, Config(heads="joint"))
    warnings = result.report.warnings
    found = [warning for warning in warnings if "shares the scale of what CONCATENATION" in warning]
    assert len(found) == is_lost
    assert all("of 256 codes for it" in warning for warning in found)
