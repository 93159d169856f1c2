"""Models of single convolutions with any parameters, and what reference kernels make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.golden.vectors import Case
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, Runtime


def reference_output(case: Case, runtime: Runtime | None = None) -> npt.NDArray[np.int8]:
    """Output codes of the runtime's reference kernels."""
    from tests import running  # imports TensorFlow

    output: npt.NDArray[np.int8]
    (output,) = running.run(model_of(case), [case.input], Kernels.REFERENCE, runtime)
    return output


def model_of(case: Case) -> bytes:
    """A model with the convolution alone."""
    generated = schema.schema()
    model = generated.ModelT()
    model.version = 3
    model.buffers = [generated.BufferT()]
    code = generated.OperatorCodeT()
    kind = "DEPTHWISE_CONV_2D" if case.depth_multiplier else "CONV_2D"
    code.builtinCode = code.deprecatedBuiltinCode = getattr(generated.BuiltinOperator, kind)
    code.version = 3
    model.operatorCodes = [code]
    subgraph = generated.SubGraphT()
    subgraph.tensors = [
        _tensor("input", case.input.shape, "INT8", [case.input_scale], [case.input_zero_point]),
        _tensor("filter", case.filter.shape, "INT8", case.filter_scales, 0, model, case.filter),
        _tensor(
            "bias",
            case.bias.shape,
            "INT32",
            np.float32(case.input_scale) * case.filter_scales,
            0,
            model,
            case.bias,
        ),
        _tensor("output", (1, 1, 1, 1), "INT8", [case.output_scale], [case.output_zero_point]),
    ]
    # A depthwise filter's scales go with its last dimension.
    subgraph.tensors[1].quantization.quantizedDimension = 3 if case.depth_multiplier else 0
    if case.depth_multiplier:
        options = generated.DepthwiseConv2DOptionsT()
        options.depthMultiplier = case.depth_multiplier
        kind_of_options = generated.BuiltinOptions.DepthwiseConv2DOptions
    else:
        options = generated.Conv2DOptionsT()
        kind_of_options = generated.BuiltinOptions.Conv2DOptions
    options.padding = getattr(generated.Padding, case.padding.upper())
    options.strideH, options.strideW = case.stride
    options.dilationHFactor, options.dilationWFactor = case.dilation
    options.fusedActivationFunction = getattr(generated.ActivationFunctionType, case.activation)
    operator = generated.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType = kind_of_options
    operator.builtinOptions = options
    subgraph.operators = [operator]
    subgraph.inputs, subgraph.outputs = [0], [3]
    model.subgraphs = [subgraph]
    return schema.serialize(model)


def _tensor(
    name: str,
    shape: tuple[int, ...],
    kind: str,
    scales: Any,
    zero_points: Any,
    model: Any = None,
    data: npt.NDArray[Any] | None = None,
) -> Any:
    generated = schema.schema()
    tensor = generated.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(shape), getattr(generated.TensorType, kind)
    tensor.quantization = generated.QuantizationParametersT()
    tensor.quantization.scale = [float(s) for s in scales]
    tensor.quantization.zeroPoint = [int(z) for z in np.broadcast_to(zero_points, len(scales))]
    tensor.quantization.quantizedDimension = 0
    tensor.buffer = 0
    if data is not None:
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor
