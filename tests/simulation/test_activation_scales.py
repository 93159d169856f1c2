"""Decisions about activation scales that the whole pass takes."""

from __future__ import annotations

import re

import pytest

from tests import running
from tflite_eq.config import Config
from tflite_eq.errors import ConfigError


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
def test_no_calibration_code_leaves_a_seven_bit_window(mode: str) -> None:
    # Nothing saturates at the ends of a signed window: a scale below the extremes, KL's too, would
    # send a kernel that relies on the window to its slow path.
    result = running.quantized("leaky_net", Config(bits="7", activation_mode=mode))
    signed = [t for t in result.calibration.tensors if t.bits == 7 and t.window[1] == 63]
    assert signed
    assert [t.outside for t in signed] == [0.0] * len(signed)


@pytest.mark.parametrize("bits", ["7", "auto"])
def test_layers_named_keep_eight_bits_and_the_weights_of_eight_bits(bits: str) -> None:
    plain = running.quantized("conv_net", Config(bits=bits, target="x86-vnni"))
    narrow = {t.index for t in plain.calibration.tensors if t.bits == 7}
    kept = next(layer for layer in plain.calibration.layers if layer.input in narrow)
    config = Config(bits=bits, target="x86-vnni", keep_int8=f"^{re.escape(kept.name)}$")
    result = running.quantized("conv_net", config)
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
