"""Small valid float networks at random, and int8 ones made of them: what mutations start from."""

from __future__ import annotations

import functools
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from tests.built_models import NetworkBuilder
from tflite_eq import Config, SearchSettings, quantize
from tflite_eq.backends import BackendName
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]
Random = np.random.Generator

# What a search may cost when it is its result's form that matters, not its quality.
LEAST_EFFORT = SearchSettings(steps=2, coarse=1, rows=8, work=1, max_rounds=1)
_QUANTIZED_NETWORKS = 6


class RandomNetwork(NetworkBuilder):
    """A network of a few layers on an input of a few values; the same seed gives the same bytes."""

    def __init__(self, rng: Random) -> None:
        """Choose the shape of the input."""
        height, width, channels = (int(rng.integers(low, 9)) for low in (3, 3, 1))
        super().__init__(1, height, width, channels)
        self._rng = rng
        self._random = rng  # weights, too

    def grown(self) -> bytes:
        """Layers one behind another, some on a branch, and a head."""
        steps: list[Callable[[int], int]] = [
            self._some_conv,
            self._some_depthwise,
            self._transpose_conv,
            self._pool,
            self._residual,
            self._concatenation,
            self._padded,
            self._split,
            self._activation,
            lambda x: self.squeeze(self.expand_dims(x)),
        ]
        x = self._some_conv(self.input)
        for _ in range(int(self._rng.integers(0, 5))):
            x = steps[int(self._rng.integers(len(steps)))](x)
        outputs = [self._head(x)]
        if self._rng.random() < 0.15:
            outputs.append(x)
        return self.finished(*outputs)

    def _head(self, x: int) -> int:
        choice = self._rng.integers(4)
        if choice == 0:
            return x
        x = self.spatial(str(self._rng.choice(["MEAN", "REDUCE_MAX"])), x)
        if choice == 1:
            return x
        x = self.dense(x, int(self._rng.integers(1, 7)))
        if choice == 2:
            return x
        return self.elementwise(str(self._rng.choice(["SOFTMAX", "LOGISTIC", "TANH"])), x)

    def _fused(self) -> str:
        return str(self._rng.choice(["NONE", "RELU", "RELU6"]))

    def _channels(self) -> int:
        return int(self._rng.integers(1, 9))

    def _some_conv(self, x: int) -> int:
        size = int(self._rng.choice([1, 3]))
        made = self.conv(x, self._channels(), size, self._fused())
        options = self._graph.operators[-1].builtinOptions
        if self._rng.random() < 0.3:
            self._stride(options, made, 2)
        elif size == 3 and self._rng.random() < 0.2:
            options.dilationHFactor = options.dilationWFactor = 2
        return made

    def _some_depthwise(self, x: int) -> int:
        made = self.depthwise(x, self._fused())
        if self._rng.random() < 0.3:
            self._stride(self._graph.operators[-1].builtinOptions, made, 2)
        return made

    def _stride(self, options: Any, made: int, stride: int) -> None:
        options.strideH = options.strideW = stride
        batch, height, width, channels = self._shape(made)
        self._graph.tensors[made].shape = [
            batch,
            -(-height // stride),
            -(-width // stride),
            channels,
        ]

    def _transpose_conv(self, x: int) -> int:
        batch, height, width, depth = self._shape(x)
        channels = self._channels()
        shape = (batch, 2 * height, 2 * width, channels)
        filters = self._rng.standard_normal((channels, 3, 3, depth)) / 3 / np.sqrt(depth)
        inputs = [
            self._tensor("shape", (4,), np.array(shape, np.int32)),
            self._tensor("filter", filters.shape, filters.astype(np.float32)),
            x,
        ]
        options = self._schema.TransposeConvOptionsT()
        options.strideH = options.strideW = 2
        return self._operator("TRANSPOSE_CONV", inputs, shape, options)

    def _pool(self, x: int) -> int:
        if min(self._shape(x)[1:3]) < 2:
            return self._activation(x)
        made = self.max_pool(x)
        options = self._graph.operators[-1].builtinOptions
        options.padding = self._schema.Padding.VALID
        if self._rng.random() < 0.5:
            return made
        batch, height, width, channels = self._shape(x)
        average = self._schema.Pool2DOptionsT()
        average.strideH = average.strideW = average.filterHeight = average.filterWidth = 2
        average.padding = self._schema.Padding.VALID
        shape = (batch, height // 2, width // 2, channels)
        made_too = self._operator("AVERAGE_POOL_2D", [x], shape, average)
        return self.elementwise("ADD", made, made_too)

    def _residual(self, x: int) -> int:
        y = self.conv(x, self._shape(x)[-1], 3, self._fused())
        kind = str(self._rng.choice(["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]))
        if kind in ("MAXIMUM", "MINIMUM"):
            return self._operator(
                kind, [x, y], self._shape(x), self._schema.MaximumMinimumOptionsT()
            )
        return self.elementwise(kind, x, y)

    def _concatenation(self, x: int) -> int:
        y = self.conv(x, self._channels(), 1, self._fused())
        options = self._schema.ConcatenationOptionsT()
        options.axis = 3
        *outer, channels = self._shape(x)
        shape = (*outer, channels + self._shape(y)[-1])
        return self._operator("CONCATENATION", [x, y], shape, options)

    def _padded(self, x: int) -> int:
        amounts = self._tensor(
            "paddings", (4, 2), np.array([[0, 0], [1, 1], [1, 0], [0, 0]], np.int32)
        )
        batch, height, width, channels = self._shape(x)
        shape = (batch, height + 2, width + 1, channels)
        return self._operator("PAD", [x, amounts], shape, self._schema.PadOptionsT())

    def _split(self, x: int) -> int:
        x = self.conv(x, 4, 1)
        axis = self._tensor("axis", (), np.array([3], np.int32))
        options = self._schema.SplitOptionsT()
        options.numSplits = 2
        half = (*self._shape(x)[:-1], 2)
        first = self._operator("SPLIT", [axis, x], half, options)
        second = self._tensor("split", half)
        self._graph.operators[-1].outputs = [first, second]
        return self.elementwise("ADD", first, second)

    def _activation(self, x: int) -> int:
        if self._rng.random() < 0.5:
            return self.leaky_relu(x, 0.2)
        return self.elementwise(str(self._rng.choice(["RELU", "LOGISTIC", "TANH"])), x)


def float_network(rng: Random) -> bytes:
    """A network that ``quantize`` takes."""
    return RandomNetwork(rng).grown()


def samples_for(model: bytes, rng: Random, count: int = 3) -> list[list[Array]]:
    """Calibration samples for a float network."""
    graph = Graph.from_bytes(model)
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    return [[rng.standard_normal(s).astype(np.float32) for s in shapes] for _ in range(count)]


@functools.cache
def _quantized(number: int) -> bytes:
    rng = np.random.default_rng([7, number])
    model = float_network(rng)
    config = Config(
        bits="7" if number % 2 else "8",
        input_type=("float32", "int8", "uint8")[number % 3],
        output_type=("float32", "int8")[number % 2],
        target="x86-vnni",
        search=LEAST_EFFORT,
    )
    return quantize(model, samples_for(model, rng), config, backend=BackendName.AUTO).model


def quantized_network(rng: Random) -> bytes:
    """One of a few networks that ``quantize`` has made."""
    return _quantized(int(rng.integers(_QUANTIZED_NETWORKS)))


def any_network(rng: Random) -> bytes:
    """A float or a quantized network."""
    return float_network(rng) if rng.random() < 0.4 else quantized_network(rng)


def with_dynamic_batch(model: bytes) -> bytes:
    """The same network with any batch size."""
    parsed = schema.parse(model)
    for tensor in parsed.subgraphs[0].tensors:
        shape = [int(d) for d in tensor.shape] if tensor.shape is not None else []
        if len(shape) > 1 and parsed.buffers[tensor.buffer].data is None:
            tensor.shapeSignature = np.array([-1, *shape[1:]], np.int32)
    return schema.serialize(parsed)
