"""Builds TFLite models of int8 convolutions with any scales, zero points and weights: what no
converter would emit included."""

from __future__ import annotations

import dataclasses

import flatbuffers
import numpy as np
from tflite_schema import schema

ACTIVATIONS = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}


@dataclasses.dataclass
class Conv:
    """One convolution of a chain. `filter` is int8 [output, height, width, input];
    `filter_scales` has 1 or `output` entries."""

    filter: np.ndarray
    filter_scales: np.ndarray
    output_scale: float
    output_zero_point: int
    # The reference kernel of every runtime refuses to prepare an int8 convolution without one.
    bias: np.ndarray
    stride: int = 1
    dilation: int = 1
    padding: str = "same"
    activation: str = "none"


@dataclasses.dataclass
class Chain:
    """A model: the input and the convolutions that follow each other."""

    input_shape: tuple[int, int, int, int]
    input_scale: float
    input_zero_point: int
    convs: list[Conv]


class _Builder:
    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.tensors: list = []

    def tensor(self, name, shape, kind, scales, zero_points, data=None, dimension=0):
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.type = kind
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [float(s) for s in scales]
        tensor.quantization.zeroPoint = [int(z) for z in zero_points]
        tensor.quantization.quantizedDimension = dimension
        if data is None:
            tensor.buffer = 0
        else:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def _extent(size: int, filter_size: int, conv: Conv) -> int:
    reach = (filter_size - 1) * conv.dilation + 1
    return (
        -(-size // conv.stride) if conv.padding == "same" else -(-(size - reach + 1) // conv.stride)
    )


def build(chain: Chain, *, all_outputs: bool = False) -> bytes:
    """The model's flatbuffer. With `all_outputs` every convolution's result is an output of the
    model."""
    builder = _Builder()
    shape = chain.input_shape
    scale, zero_point = chain.input_scale, chain.input_zero_point
    current = builder.tensor("input", shape, schema.TensorType.INT8, [scale], [zero_point])
    operators, results = [], []
    for index, conv in enumerate(chain.convs):
        outputs = conv.filter.shape[0]
        weights = builder.tensor(
            f"filter{index}",
            conv.filter.shape,
            schema.TensorType.INT8,
            conv.filter_scales,
            np.zeros(len(conv.filter_scales)),
            conv.filter,
        )
        bias = builder.tensor(
            f"bias{index}",
            (outputs,),
            schema.TensorType.INT32,
            scale * np.asarray(conv.filter_scales, np.float32),
            np.zeros(len(conv.filter_scales)),
            conv.bias.astype(np.int32),
        )
        shape = (
            shape[0],
            _extent(shape[1], conv.filter.shape[1], conv),
            _extent(shape[2], conv.filter.shape[2], conv),
            outputs,
        )
        scale, zero_point = conv.output_scale, conv.output_zero_point
        result = builder.tensor(
            f"output{index}", shape, schema.TensorType.INT8, [scale], [zero_point]
        )
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME if conv.padding == "same" else schema.Padding.VALID
        options.strideH = options.strideW = conv.stride
        options.dilationHFactor = options.dilationWFactor = conv.dilation
        options.fusedActivationFunction = ACTIVATIONS[conv.activation]
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs = [current, weights, bias]
        operator.outputs = [result]
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        operator.builtinOptions = options
        operators.append(operator)
        results.append(result)
        current = result
    subgraph = schema.SubGraphT()
    subgraph.tensors = builder.tensors
    subgraph.inputs = [0]
    subgraph.outputs = results if all_outputs else results[-1:]
    subgraph.operators = operators
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 3
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [code]
    model.subgraphs = [subgraph]
    model.buffers = builder.buffers
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())


def random_conv(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    *,
    size: int = 3,
    values: str = "int8",
    **kwargs,
) -> Conv:
    """Random weights and scales. `values`: int8, even_triplets (INT7 by the 1-D kernel's lattice)
    or plain_int7."""
    shape = (outputs, size, size, inputs)
    if values == "even_triplets":
        weights = rng.integers(-127, 128, shape)
        weights[:, :, 2] += (weights.sum(axis=2) % 2) * np.where(weights[:, :, 2] > 0, -1, 1)
        for sign in (1, -1):  # |w0 +- w1 + w2| <= 254
            total = weights[:, :, 0] + sign * weights[:, :, 1] + weights[:, :, 2]
            weights[np.broadcast_to((np.abs(total) > 254)[:, :, None], shape)] = 0
    else:
        limit = 63 if values == "plain_int7" else 127
        weights = rng.integers(-limit, limit + 1, shape)
    per_channel = rng.random() < 0.7
    scales = np.exp(rng.uniform(-6, -4, outputs if per_channel else 1)).astype(np.float32)
    spread = np.sqrt(size * size * inputs) * 74 * 74 * float(scales.mean())
    defaults = {
        "output_scale": float(np.float32(spread / 60 * np.exp(rng.uniform(-2, 1)))),
        "output_zero_point": int(rng.integers(-128, 128))
        if values == "int8"
        else int(rng.integers(-64, 64)),
        "bias": rng.integers(-30000, 30000, outputs),
    }
    defaults.update(kwargs)
    return Conv(weights.astype(np.int8), scales, **defaults)
