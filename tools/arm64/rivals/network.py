"""A quantized TFLite model as a list of layers, in the layout that other runtimes have.

Only what networks are compared by: convolutions, dense layers, additions, concatenations and pools.
Values take part in the cost of no runtime here, so that quantization parameters are carried over
as far as every runtime has a place for them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator

Array = npt.NDArray[Any]
Pads = tuple[int, int, int, int]

# Operators that only change what a tensor is called once activations are channels first.
_RENAMES = ("RESHAPE", "QUANTIZE", "DEQUANTIZE", "SQUEEZE")


class RivalError(Exception):
    """A model that cannot be put into another runtime's format, and why."""


@dataclasses.dataclass(frozen=True)
class Quantization:
    """Scale and zero point of an int8 tensor."""

    scale: float
    zero_point: int

    @property
    def largest(self) -> float:
        """The largest magnitude that the codes stand for."""
        return self.scale * max(127 - self.zero_point, self.zero_point + 128)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Filters of a convolution or a dense layer.

    Attributes:
        codes: int8, ``[outputs, inputs of a group, height, width]``.
        scales: One for each output.
        bias: Real values.
    """

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        kind: ``conv``, ``dense``, ``add``, ``concat``, ``max_pool``, ``average_pool``,
            ``global_pool`` or ``softmax``.
        inputs: Names of tensors.
        output: Name of the result.
        activation: ``NONE``, ``RELU`` or ``RELU6``, applied to the result.
        weights: Of ``conv`` and ``dense``.
        groups: Groups of channels of ``conv``; as many as channels is depthwise.
        kernel: Height and width of a window.
        strides: Of a window.
        pads: Above, left, below and right of the input.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    activation: str = "NONE"
    weights: Weights | None = None
    groups: int = 1
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: Pads = (0, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Network:
    """A model with one input and one output.

    Attributes:
        shape: Channels, height and width of the input.
        layers: In the order of execution.
        quantization: Of every tensor that a layer reads or writes, by name.
        input: Name of the input.
    """

    shape: tuple[int, int, int]
    layers: list[Layer]
    quantization: dict[str, Quantization]
    input: str

    @property
    def output(self) -> str:
        """Name of the output."""
        return self.layers[-1].output

    def readers(self, name: str) -> list[Layer]:
        """The layers that read a tensor, one that reads it twice twice."""
        return [layer for layer in self.layers for i in layer.inputs if i == name]


def network_of(model: bytes) -> Network:
    """The layers of an int8 ``.tflite``.

    Raises:
        RivalError: It has operators, or shapes, without a counterpart here.
    """
    return _Reader(Graph.from_bytes(model)).network()


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names: dict[int, str] = {}  # of tensors that another one stands for
        self._padded: dict[int, Pads] = {}  # tensors that are others with a border
        self._quantization: dict[str, Quantization] = {}

    def network(self) -> Network:
        graph = self._graph
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise RivalError("rivals take models with one input and one output")
        (first,) = graph.inputs
        shape = graph.tensors[first].shape
        if len(shape) != 4:
            raise RivalError(f"rivals take images, and the input has shape {list(shape)}")
        layers = [layer for o in graph.operators for layer in self._layers(o)]
        if not layers:
            raise RivalError("the model has no layers")
        return Network(
            (shape[3], shape[1], shape[2]), layers, self._quantization, self._name(first)
        )

    def _layers(self, operator: Operator) -> list[Layer]:
        source, result = operator.inputs[0], operator.outputs[0]
        if operator.kind in _RENAMES:
            self._names[result] = self._name(source)
            return []
        if operator.kind == "PAD":
            rows = self._graph.constant(operator.inputs[1]).reshape(-1, 2)
            self._names[result] = self._name(source)
            (above, below), (left, right) = rows[1].tolist(), rows[2].tolist()
            self._padded[result] = (above, left, below, right)
            return []
        make = _MAKERS.get(operator.kind)
        if make is None:
            known = ", ".join(sorted([*_MAKERS, *_RENAMES, "PAD"]))
            raise RivalError(f"operator {operator.kind} is none that rivals are given: {known}")
        return [make(self, operator)]

    def _name(self, tensor: int) -> str:
        name = self._names.get(tensor) or f"t{tensor}"
        stored = self._graph.subgraph.tensors[tensor].quantization
        if stored is not None and stored.scale is not None and len(stored.scale) == 1:
            self._quantization.setdefault(
                name, Quantization(float(stored.scale[0]), int(stored.zeroPoint[0]))
            )
        return name

    def _linear(self, operator: Operator) -> Layer:
        graph = self._graph
        codes = graph.constant(operator.inputs[1])
        dense, depthwise = operator.kind == "FULLY_CONNECTED", operator.kind == "DEPTHWISE_CONV_2D"
        if codes.dtype != np.int8:
            raise RivalError(f"{operator.kind} has {codes.dtype} weights; rivals are given int8")
        if dense:
            codes = codes.reshape(*codes.shape, 1, 1)
        else:  # stored as 1, height, width, channels, or as outputs, height, width, inputs
            codes = codes.transpose(3, 0, 1, 2) if depthwise else codes.transpose(0, 3, 1, 2)
        stored = graph.subgraph.tensors[operator.inputs[1]].quantization
        scales = np.resize(np.asarray(stored.scale, np.float32), codes.shape[0])
        source = self._name(operator.inputs[0])
        bias = np.zeros(codes.shape[0], np.float32)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            unit = scales * np.float32(self._quantization[source].scale)
            bias = graph.constant(operator.inputs[2]).astype(np.float32) * unit
        weights = Weights(np.ascontiguousarray(codes), scales, bias)
        activation = _activation(operator)
        if dense:
            return Layer("dense", (source,), self._output(operator), activation, weights)
        options = operator.options
        if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
            raise RivalError("dilated convolutions are none that rivals are given")
        kernel = (codes.shape[2], codes.shape[3])
        return Layer(
            "conv",
            (source,),
            self._output(operator),
            activation,
            weights,
            codes.shape[0] if depthwise else 1,
            kernel,
            (options.strideH, options.strideW),
            self._pads(operator, kernel),
        )

    def _pool(self, operator: Operator) -> Layer:
        options = operator.options
        kernel = (options.filterHeight, options.filterWidth)
        _, height, width, _ = self._graph.tensors[operator.inputs[0]].shape
        inputs, output = (self._name(operator.inputs[0]),), self._output(operator)
        if operator.kind == "AVERAGE_POOL_2D" and kernel == (height, width):
            return Layer("global_pool", inputs, output)
        return Layer(
            "max_pool" if operator.kind == "MAX_POOL_2D" else "average_pool",
            inputs,
            output,
            _activation(operator),
            kernel=kernel,
            strides=(options.strideH, options.strideW),
            pads=self._pads(operator, kernel),
        )

    def _mean(self, operator: Operator) -> Layer:
        axes = sorted(self._graph.constant(operator.inputs[1]).reshape(-1).tolist())
        if axes != [1, 2]:
            raise RivalError(f"MEAN over axes {axes}; rivals are given those over [1, 2]")
        return Layer("global_pool", (self._name(operator.inputs[0]),), self._output(operator))

    def _many(self, operator: Operator) -> Layer:
        inputs = tuple(self._name(i) for i in operator.inputs)
        kind = "add" if operator.kind == "ADD" else "concat"
        return Layer(kind, inputs, self._output(operator), _activation(operator))

    def _softmax(self, operator: Operator) -> Layer:
        return Layer("softmax", (self._name(operator.inputs[0]),), self._output(operator))

    def _output(self, operator: Operator) -> str:
        return self._name(operator.outputs[0])

    def _pads(self, operator: Operator, kernel: tuple[int, int]) -> Pads:
        """The border, given by an operator before this one or by ``SAME``."""
        known = self._padded.get(operator.inputs[0])
        if known is not None:
            return known
        if operator.options.padding != schema.schema().Padding.SAME:
            return (0, 0, 0, 0)
        shape = self._graph.tensors[operator.inputs[0]].shape
        strides = (operator.options.strideH, operator.options.strideW)
        sides = []
        for size, window, stride in zip(shape[1:3], kernel, strides):
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            sides.append((total // 2, total - total // 2))
        (above, below), (left, right) = sides
        return (above, left, below, right)


def _activation(operator: Operator) -> str:
    name = schema.activation_names()[operator.options.fusedActivationFunction]
    if name not in ("NONE", "RELU", "RELU6"):
        raise RivalError(f"activation {name} is none that rivals are given")
    return name


_MAKERS = {
    "CONV_2D": _Reader._linear,
    "DEPTHWISE_CONV_2D": _Reader._linear,
    "FULLY_CONNECTED": _Reader._linear,
    "MAX_POOL_2D": _Reader._pool,
    "AVERAGE_POOL_2D": _Reader._pool,
    "MEAN": _Reader._mean,
    "ADD": _Reader._many,
    "CONCATENATION": _Reader._many,
    "SOFTMAX": _Reader._softmax,
}
