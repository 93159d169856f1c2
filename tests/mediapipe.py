"""Networks with MediaPipe's custom operators, which XNNPACK runs and no other kernels."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import tensorflow as tf

from tests import built_models, models
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph


def transposed_net(options: bytes = struct.pack("<3i", 1, 2, 2)) -> bytes:
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


class _Builder(built_models.NetworkBuilder):
    def pool_with_positions(self, x: int) -> tuple[int, int]:
        """Largest values of 2x2 windows, and where they were, which is declared float."""
        batch, height, width, channels = self._shape(x)
        pooled = self.custom("MaxPoolingWithArgmax2D", x, _pooling(padding=1))
        shape = (batch, height // 2, width // 2, channels)
        positions = self._tensor("positions", shape)
        self._graph.tensors[pooled].shape = list(shape)
        self._graph.operators[-1].outputs = [pooled, positions]
        return pooled, positions

    def unpool(self, x: int, positions: int) -> int:
        """The values where the largest ones were, zeros elsewhere."""
        batch, height, width, channels = self._shape(x)
        made = self.custom("MaxUnpooling2D", x, _pooling(padding=2))
        self._graph.tensors[made].shape = [batch, height * 2, width * 2, channels]
        self._graph.operators[-1].inputs = [x, positions]
        return made


def _pooling(padding: int) -> bytes:
    """``TfLitePoolParams`` as it lies in memory: strides and windows of 2, no activation."""
    return struct.pack("<6i8x", padding, 2, 2, 2, 2, 0)


def unpooling_net() -> bytes:
    """conv -> pooling that remembers positions -> conv -> unpooling -> conv."""
    net = _Builder(*built_models.IMAGE)
    pooled, positions = net.pool_with_positions(net.conv(net.input, 8, activation="RELU"))
    return net.finished(net.conv(net.unpool(net.conv(pooled, 8), positions), 4))
