"""MediaPipe's transposed convolution, which XNNPACK runs and no other kernels."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.running import run
from tflite_eq import quantize
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.transpose_bias import lowered
from tflite_eq.runtimes import Kernels


def mediapipe_net(options: bytes = struct.pack("<3i", 1, 2, 2)) -> bytes:
    """conv -> transposed convolution with a bias as MediaPipe has it -> conv."""

    def network(x: Any) -> Any:
        y = models.transpose_conv(tf.nn.relu(models.conv(x, 6, seed=1)), 5, seed=2)
        return models.conv(y, 3, seed=3)

    model = schema.parse(models.convert(network, models.IMAGE))
    graph = Graph(model)
    operator = next(o for o in graph.operators if o.kind == "TRANSPOSE_CONV")
    code = schema.schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.schema().BuiltinOperator.CUSTOM
    code.customCode, code.version = b"Convolution2DTransposeBias", 1
    model.operatorCodes.append(code)
    stored = model.subgraphs[0].operators[operator.index]
    stored.opcodeIndex = len(model.operatorCodes) - 1
    stored.builtinOptions, stored.builtinOptionsType = None, 0
    stored.customOptions = np.frombuffer(options, np.uint8)
    _, filters, source, bias = operator.inputs
    stored.inputs = [source, filters, bias]
    return schema.serialize(model)


def test_is_lowered_to_what_computes_the_same() -> None:
    given = mediapipe_net()
    graph, change = lowered(Graph.from_bytes(given))
    assert change == "1 Convolution2DTransposeBias operator lowered"
    assert "TRANSPOSE_CONV" in [operator.kind for operator in graph.operators]
    [sample] = models.samples(models.IMAGE, count=1)
    (expected,) = run(given, sample, Kernels.DEFAULT)
    (found,) = run(schema.serialize(graph.model), sample, Kernels.DEFAULT)
    np.testing.assert_array_equal(found, expected)


def test_quantizes_to_int8_for_every_runtime() -> None:
    result = quantize(mediapipe_net(), models.samples(models.IMAGE))
    assert result.report.summary["in_float"] == []
    graph = Graph.from_bytes(result.model)
    assert not any(operator.kind.startswith("CUSTOM") for operator in graph.operators)


def test_cut_off_options_are_refused() -> None:
    with pytest.raises(ModelError, match="8 bytes of options, expected 3 and 12 or more"):
        lowered(Graph.from_bytes(mediapipe_net(struct.pack("<2i", 1, 2))))
