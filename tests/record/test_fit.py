from __future__ import annotations

import copy
from typing import Callable

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Calibration, Config, quantize
from tflite_eq.errors import ConfigError
from tflite_eq.record.codes import encode_codes

SCALES = r"2 weight scales for 8 output channels"
BIASES = r"3 bias corrections for 8 output channels"


# Of the second layer of wide_net, which goes on the lattice.
WIDE_FILTERS = (32, 3, 3, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.layers.pop(1), r"lacks 1 layer\(s\) of the model"),
        (lambda c: c.tensors.pop(1), r"lacks 1 tensor\(s\) of the model"),
        (lambda c: c.layers.append(c.layers[0]), "2 times"),
        (lambda c: c.tensors.append(c.tensors[0]), "2 times"),
        (lambda c: setattr(c.tensors[0], "index", 4711), "index 4711, which the model lacks"),
        (lambda c: setattr(c.tensors[0], "index", -1), "index -1, which the model lacks"),
        (lambda c: setattr(c.tensors[1], "name", "other"), "'other' .* the model lacks"),
        (lambda c: setattr(c.layers[1], "name", "other"), "made for another model"),
        (lambda c: setattr(c.layers[1], "input", 4711), "has input 4711, expected"),
        (lambda c: setattr(c.layers[0], "scales", [0.1, 0.1]), SCALES),
        (lambda c: setattr(c.layers[0], "bias_correction", [0.0] * 3), BIASES),
        (lambda c: setattr(c.layers[-1], "grid", "even_triplets"), "only 3x3 convolutions"),
    ],
)
def test_edits_that_do_not_fit_the_network_are_refused(
    change: Callable[[Calibration], None], message: str
) -> None:
    record = copy.deepcopy(running.quantized("conv_net").calibration)
    change(record)
    with pytest.raises(ConfigError, match=message):
        quantize(models.conv_net(), record)


def test_one_scale_for_a_group_of_tensors() -> None:
    record = copy.deepcopy(running.quantized("concat_pool_net").calibration)
    scales = [tensor.scale for tensor in record.tensors]
    group = [tensor for tensor in record.tensors if scales.count(tensor.scale) > 1]
    group[-1].scale *= 2
    with pytest.raises(ConfigError, match="pass codes on unchanged, so give both the same"):
        quantize(models.concat_pool_net(), record)
    for tensor in group[:-1]:
        tensor.scale *= 2
    assert quantize(models.concat_pool_net(), record).report.warnings == []


def test_layer_that_is_kept_in_float_needs_no_record() -> None:
    result = running.quantized("conv_net", Config(skip="Mean|Identity"))
    assert quantize(models.conv_net(), result.calibration).model == result.model


@pytest.mark.parametrize(
    ("codes", "target", "message"),
    [
        ("?", "generic", "damaged weight codes"),
        (encode_codes(np.zeros(3, np.int8)), "generic", "3 codes for weights of shape"),
        (encode_codes(np.full(WIDE_FILTERS, 64, np.int8)), "generic", "outside its grid 'int7'"),
        (encode_codes(np.ones(WIDE_FILTERS, np.int8)), "x86-vnni", "its grid 'even_triplets'"),
    ],
)
def test_codes_that_do_not_fit_the_layer_are_refused(codes: str, target: str, message: str) -> None:
    config = Config(bits="7", target=target, reconstruction="rounding")
    record = copy.deepcopy(running.quantized("wide_net", config).calibration)
    record.layers[1].codes = codes
    with pytest.raises(ConfigError, match=message):
        quantize(models.wide_net(), record)
