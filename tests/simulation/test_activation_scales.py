"""Decisions about activation scales that the whole pass takes."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import QuantizationResult, quantize
from tflite_eq.config import Config
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
def test_no_calibration_code_leaves_a_seven_bit_window(mode: str) -> None:
    # Nothing saturates at the ends of a signed window: a scale below the extremes, KL's too, would
    # send a kernel that relies on the window to its slow path.
    result = running.quantized("leaky_net", Config(bits="7", activation_mode=mode))
    signed = [t for t in result.calibration.tensors if t.bits == 7 and t.window[1] == 63]
    assert signed
    assert [t.outside for t in signed] == [0.0] * len(signed)


# Beyond what int8 inputs can be is no input: a larger one saturates there. In floating point the
# first layer's output reaches far beyond its own codes, and so does every one behind.
FAR = 100


def floored_net(x: Any) -> Any:
    """Behind one function a pool and padding, behind others a function clamped at another value."""
    x = tf.nn.leaky_relu(models.conv(x, 8, seed=1), 0.1)
    x = tf.pad(tf.nn.max_pool2d(x, 2, 2, "SAME"), [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = tf.nn.leaky_relu(models.conv(x, 8, seed=2), 0.4)
    y = models.conv(x, 8, seed=3)
    x = tf.concat([tf.nn.leaky_relu(y, 0.3), tf.nn.relu(models.conv(x, 8, seed=4))], -1)
    return tf.reduce_mean(models.conv(x, 10, size=1, seed=6), [1, 2])


@functools.cache
def floored() -> QuantizationResult:
    model = models.convert(floored_net, models.IMAGE)
    return quantize(model, models.samples(models.IMAGE), Config(bits="7"))


@pytest.mark.parametrize("kernels", [Kernels.REFERENCE, Kernels.DEFAULT])
@pytest.mark.parametrize("name", ["leaky_net", "floored_net"])
def test_no_input_makes_windows_that_saturate_leak(name: str, kernels: Kernels) -> None:
    result = floored() if name == "floored_net" else running.quantized(name, Config(bits="7"))
    promised = {
        t.name: t for t in result.calibration.tensors if t.saturates and t.window == (0, 127)
    }
    assert sum(t.zero_point > 0 for t in promised.values()) >= 3
    graph = Graph.from_bytes(result.model)
    seen = set()
    used = 0
    for sample in models.samples(models.IMAGE, count=3, seed=99):
        for sign in (1, -1):
            wild = [x * np.float32(sign * FAR) for x in sample]
            codes = running.codes_of_all_tensors(result.model, wild, kernels)
            for index, values in codes.items():
                tensor = graph.tensors[index]
                if tensor.type_name != "INT8" or tensor.name not in promised:
                    continue
                seen.add(tensor.name)
                record = promised[tensor.name]
                assert running.parameters(graph, index)[1] == record.zero_point
                assert values.min() >= 0, tensor.name
                used = max(used, record.zero_point - int(values.min()))
    assert len(seen) >= 3
    assert used > 10, "values below 0 are met"


def test_constants_below_count_for_the_window() -> None:
    """Behind a ReLU alone the window would begin at 0, with the constant at a negative code."""
    edges = [[0, 0], [1, 1], [1, 1], [0, 0]]
    model = models.convert(
        lambda x: models.conv(
            tf.pad(tf.nn.relu(models.conv(x, 4)), edges, constant_values=-0.4), 4
        ),
        models.IMAGE,
    )
    result = quantize(model, models.samples(models.IMAGE), Config(bits="7"))
    padding = next(o for o in Graph.from_bytes(model).operators if o.kind == "PADV2")
    record = next(t for t in result.calibration.tensors if t.index == padding.outputs[0])
    assert (record.window, record.saturates) == ((0, 127), True)
    assert record.zero_point * record.scale >= 0.4 * (1 - 1e-6)


@pytest.mark.parametrize("bits", ["7", "auto"])
def test_layers_named_keep_eight_bits_and_the_weights_of_eight_bits(bits: str) -> None:
    plain = running.quantized("wide_net", Config(bits=bits, target="x86-vnni"))
    narrow = {t.index for t in plain.calibration.tensors if t.bits == 7}
    kept = next(layer for layer in plain.calibration.layers if layer.input in narrow)
    config = Config(bits=bits, target="x86-vnni", keep_int8=f"^{re.escape(kept.name)}$")
    result = running.quantized("wide_net", config)
    assert {t.index for t in result.calibration.tensors if t.bits == 7} == narrow - {kept.input}
    assert next(r for r in result.calibration.layers if r.index == kept.index).grid == "int8"


def test_layers_that_read_the_scale_of_a_kept_layer_keep_eight_bits_too() -> None:
    # Two convolutions behind one pooling operator.
    plain = running.quantized("concat_pool_net", Config(bits="7")).calibration
    inputs = [layer.input for layer in plain.layers]
    first, second = (layer for layer in plain.layers if inputs.count(layer.input) == 2)
    config = Config(bits="7", keep_int8=f"^{re.escape(first.name)}$")
    found = running.quantized("concat_pool_net", config).calibration
    bits = {t.index: t.bits for t in found.tensors}
    assert bits[second.input] == 8
    grids = {layer.index: layer.grid for layer in found.layers}
    assert grids[first.index] == grids[second.index] == "int8"
    assert "int7" in grids.values()


def test_an_expression_for_layers_to_keep_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"keep_int8: 'layer_99' matches no convolution"):
        running.quantized("conv_net", Config(bits="7", keep_int8="layer_99"))
