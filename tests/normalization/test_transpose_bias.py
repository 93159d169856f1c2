"""MediaPipe's transposed convolution, which XNNPACK runs and no other kernels."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests import models
from tests.mediapipe import transposed_net
from tests.running import run
from tflite_eq import quantize
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.transpose_bias import lowered
from tflite_eq.runtimes import Kernels


def test_is_lowered_to_what_computes_the_same() -> None:
    given = transposed_net()
    graph, change = lowered(Graph.from_bytes(given))
    assert change == "1 Convolution2DTransposeBias operator lowered"
    assert "TRANSPOSE_CONV" in [operator.kind for operator in graph.operators]
    [sample] = models.samples(models.IMAGE, count=1)
    (expected,) = run(given, sample, Kernels.DEFAULT)
    (found,) = run(schema.serialize(graph.model), sample, Kernels.DEFAULT)
    np.testing.assert_array_equal(found, expected)


def test_quantizes_to_int8_for_every_runtime() -> None:
    result = quantize(transposed_net(), models.samples(models.IMAGE))
    assert result.report.summary["in_float"] == []
    graph = Graph.from_bytes(result.model)
    assert not any(operator.kind.startswith("CUSTOM") for operator in graph.operators)


def test_cut_off_options_are_refused() -> None:
    with pytest.raises(ModelError, match="8 bytes of options, expected 3 and 12 or more"):
        lowered(Graph.from_bytes(transposed_net(struct.pack("<2i", 1, 2))))
