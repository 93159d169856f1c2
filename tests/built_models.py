"""Float networks put together from the flatbuffer schema alone, where there is no TensorFlow."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema

Array = npt.NDArray[Any]

IMAGE = (1, 12, 12, 3)


class NetworkBuilder:
    """Adds operators one behind the other; every method returns a tensor index."""

    def __init__(self, *input_shape: int) -> None:
        self._schema = schema.schema()
        self._model = self._schema.ModelT()
        self._model.version = 3
        self._model.buffers = [self._schema.BufferT()]
        self._model.operatorCodes = []
        self._graph = self._schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._random = np.random.default_rng(5)
        self.input = self._tensor("image", input_shape)

    def conv(self, x: int, channels: int, size: int = 3, activation: str = "NONE") -> int:
        options = self._schema.Conv2DOptionsT()
        options.strideH = options.strideW = 1
        return self._linear(
            "CONV_2D", x, (channels, size, size, self._shape(x)[-1]), options, activation
        )

    def depthwise(self, x: int, activation: str = "NONE") -> int:
        options = self._schema.DepthwiseConv2DOptionsT()
        options.strideH = options.strideW = options.depthMultiplier = 1
        return self._linear(
            "DEPTHWISE_CONV_2D", x, (1, 3, 3, self._shape(x)[-1]), options, activation
        )

    def dense(self, x: int, channels: int) -> int:
        options = self._schema.FullyConnectedOptionsT()
        return self._linear("FULLY_CONNECTED", x, (channels, self._shape(x)[-1]), options, "NONE")

    def leaky_relu(self, x: int, alpha: float = 0.1) -> int:
        options = self._schema.LeakyReluOptionsT()
        options.alpha = alpha
        return self._operator("LEAKY_RELU", [x], self._shape(x), options)

    def elementwise(self, kind: str, *inputs: int) -> int:
        """An operator whose options have their defaults, such as ADD."""
        name = f"{kind.title().replace('_', '')}OptionsT"
        options = getattr(self._schema, name, lambda: None)()
        if kind == "SOFTMAX":
            options.beta = 1.0
        return self._operator(kind, list(inputs), self._shape(inputs[0]), options)

    def operator(
        self,
        kind: str,
        inputs: list[int],
        shape: tuple[int, ...],
        options: tuple[str, dict[str, Any]] | None = None,
        dtype: str = "FLOAT32",
        version: int = 1,
    ) -> int:
        """Any operator with one result, such as ``("POW", [x, c], (1, 4), ("PowOptions", {}))``."""
        made = None
        if options is not None:
            made = getattr(self._schema, f"{options[0]}T")()
            for field, value in options[1].items():
                setattr(made, field, value)
        result = self._operator(kind, inputs, shape, made)
        self._model.operatorCodes[-1].version = version
        self._graph.tensors[result].type = getattr(self._schema.TensorType, dtype)
        return result

    def max_pool(self, x: int) -> int:
        options = self._schema.Pool2DOptionsT()
        options.strideH = options.strideW = options.filterHeight = options.filterWidth = 2
        batch, height, width, channels = self._shape(x)
        return self._operator(
            "MAX_POOL_2D", [x], (batch, height // 2, width // 2, channels), options
        )

    def spatial(self, kind: str, x: int) -> int:
        """MEAN, REDUCE_MAX or REDUCE_MIN over height and width."""
        axes = self._tensor("axes", (2,), np.array([1, 2], np.int32))
        shape = self._shape(x)
        options = self._schema.ReducerOptionsT()
        return self._operator(kind, [x, axes], (shape[0], shape[-1]), options)

    def expand_dims(self, x: int) -> int:
        axis = self._tensor("axis", (), np.array([1], np.int32))
        batch, *rest = self._shape(x)
        options = self._schema.ExpandDimsOptionsT()
        return self._operator("EXPAND_DIMS", [x, axis], (batch, 1, *rest), options)

    def squeeze(self, x: int) -> int:
        options = self._schema.SqueezeOptionsT()
        options.squeezeDims = [1]
        batch, _, *rest = self._shape(x)
        return self._operator("SQUEEZE", [x], (batch, *rest), options)

    def dense_of(self, x: int, filters: int, bias: int = -1) -> int:
        """A dense layer whose filter is a tensor of the network."""
        options = self._schema.FullyConnectedOptionsT()
        made = (self._shape(x)[0], self._shape(filters)[0])
        return self._operator("FULLY_CONNECTED", [x, filters, bias], made, options)

    def split(self, x: int, parts: int) -> list[int]:
        """Equal parts along the channels."""
        axis = self._tensor("axis", (), np.array(-1, np.int32))
        options = self._schema.SplitOptionsT()
        options.numSplits = parts
        *rest, channels = self._shape(x)
        first = self._operator("SPLIT", [axis, x], (*rest, channels // parts), options)
        others = [self._tensor("split", self._shape(first)) for _ in range(parts - 1)]
        self._graph.operators[-1].outputs = [first, *others]
        return [first, *others]

    def reshape(self, x: int, *shape: int) -> int:
        options = self._schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        return self._operator("RESHAPE", [x, self.constant(options.newShape)], shape, options)

    def transpose(self, x: int, *order: int) -> int:
        shape = tuple(self._shape(x)[axis] for axis in order)
        axes = self.constant(np.array(order, np.int32))
        return self._operator("TRANSPOSE", [x, axes], shape, self._schema.TransposeOptionsT())

    def shape(self, x: int) -> int:
        made = self._operator("SHAPE", [x], (len(self._shape(x)),), self._schema.ShapeOptionsT())
        int32 = self._schema.TensorType.INT32
        self._graph.tensors[made].type = self._graph.operators[-1].builtinOptions.outType = int32
        return made

    def custom(self, name: str, x: int, options: bytes) -> int:
        made = self._operator("CUSTOM", [x], self._shape(x), None)
        self._model.operatorCodes[-1].customCode = name
        self._graph.operators[-1].customOptions = np.frombuffer(options, np.uint8)
        return made

    def constant(self, values: Array) -> int:
        return self._tensor("constant", values.shape, values)

    def finished(self, *outputs: int) -> bytes:
        """The network with these outputs."""
        self._graph.inputs = [self.input]
        self._graph.outputs = list(outputs)
        self._model.subgraphs = [self._graph]
        return schema.serialize(self._model)

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self._graph.tensors[tensor].shape)

    def _tensor(self, name: str, shape: tuple[int, ...], values: Array | None = None) -> int:
        tensor = self._schema.TensorT()
        tensor.name = f"{name}_{len(self._graph.tensors)}".encode()
        tensor.shape = list(shape)
        tensor.type = self._schema.TensorType.FLOAT32
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = self._schema.TensorType.INT32
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _linear(
        self, kind: str, x: int, shape: tuple[int, ...], options: Any, activation: str
    ) -> int:
        is_depthwise = kind == "DEPTHWISE_CONV_2D"
        channels = shape[-1] if is_depthwise else shape[0]
        fan_in = np.prod(shape) / channels
        filters = self._random.standard_normal(shape) * 1.4 / np.sqrt(fan_in)
        filter_index = self._tensor("filter", shape, filters.astype(np.float32))
        bias = self._random.standard_normal(channels) * 0.1
        bias_index = self._tensor("bias", (channels,), bias.astype(np.float32))
        options.fusedActivationFunction = getattr(self._schema.ActivationFunctionType, activation)
        made = (*self._shape(x)[:-1], channels)
        return self._operator(kind, [x, filter_index, bias_index], made, options)

    def _operator(self, kind: str, inputs: list[int], shape: tuple[int, ...], options: Any) -> int:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self._model.operatorCodes.append(code)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs = inputs
        if options is not None:
            kind_of_options = type(options).__name__[:-1]
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind_of_options)
            operator.builtinOptions = options
        output = self._tensor(kind.lower(), shape)
        operator.outputs = [output]
        self._graph.operators.append(operator)
        return output


@functools.cache
def conv_net() -> bytes:
    """Every kind of layer, a residual, a concatenation of scales, leaky ReLU, logits."""
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 8, activation="RELU")
    y = net.depthwise(x, activation="RELU6")
    x = net.elementwise("ADD", x, net.conv(y, 8, size=1))
    x = net.max_pool(net.leaky_relu(net.conv(x, 12)))
    return net.finished(net.dense(net.spatial("MEAN", net.conv(x, 16, activation="RELU")), 10))


@functools.cache
def unusual_net() -> bytes:
    """Operators that LiteRT Quantizer does not know but TFLite has int8 kernels for."""
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 8)
    x = net.elementwise("MINIMUM", net.elementwise("RELU6", x), net.leaky_relu(x))
    x = net.squeeze(net.expand_dims(net.conv(x, 8)))
    x = net.spatial("REDUCE_MAX", net.conv(x, 8))
    return net.finished(net.elementwise("LOG_SOFTMAX", net.dense(x, 10)))


@functools.cache
def float_island_net() -> bytes:
    """SIN has no int8 kernel."""
    net = NetworkBuilder(*IMAGE)
    x = net.elementwise("SIN", net.conv(net.input, 8, activation="RELU"))
    return net.finished(net.dense(net.spatial("MEAN", net.conv(x, 8)), 4))


def samples(count: int = 8, seed: int = 0) -> list[list[Array]]:
    """Calibration samples."""
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(IMAGE).astype(np.float32)] for _ in range(count)]
