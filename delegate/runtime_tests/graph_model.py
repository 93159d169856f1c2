"""TFLite models of the cases that `describe_cases` prints (delegate/fuzz): any graph of a few int8
operators."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tflite_schema import schema

# TfLiteType of the C API to TensorType of the file format.
_TYPES = {1: 0, 2: 2, 3: 3, 4: 4, 6: 6, 7: 7, 9: 9}

_ADD, _AVERAGE_POOL, _CONCATENATION, _CONV, _DEPTHWISE = 0, 1, 2, 3, 4
_MAX_POOL, _MUL, _RELU, _RESHAPE, _PAD, _SUB = 17, 18, 19, 22, 34, 41
_PRELU, _LEAKY_RELU = 54, 98
_RESIZE_BILINEAR, _RESIZE_NEAREST, _MEAN, _SPLIT = 23, 97, 40, 49
# The versions from which operators take int8.
_VERSIONS = {_CONV: 3, _DEPTHWISE: 3, _RESHAPE: 1, _PRELU: 1, _RESIZE_BILINEAR: 3, _RESIZE_NEAREST: 3}
_ARITHMETIC = {_ADD: "AddOptions", _SUB: "SubOptions", _MUL: "MulOptions"}


def _tensor(model: Any, index: int, described: dict[str, Any]) -> Any:
    tensor = schema.TensorT()
    tensor.name = f"tensor{index}"
    tensor.shape = described["shape"]
    tensor.type = _TYPES[described["type"]]
    tensor.buffer = 0
    if described["scales"]:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [float(s) for s in described["scales"]]
        tensor.quantization.zeroPoint = described["zero_points"]
        tensor.quantization.quantizedDimension = described["dimension"]
    if described["constant"]:
        buffer = schema.BufferT()
        buffer.data = np.array(described["data"], np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor


def _set_options(operator: Any, node: dict[str, Any], shape: list[int]) -> None:
    code = node["code"]
    padding = schema.Padding.SAME if node["padding"] == 1 else schema.Padding.VALID
    # TfLiteFusedActivation and ActivationFunctionType number the first four alike.
    activation = node["activation"]
    if code in (_CONV, _DEPTHWISE):
        conv = code == _CONV
        options = schema.Conv2DOptionsT() if conv else schema.DepthwiseConv2DOptionsT()
        operator.builtinOptionsType = (
            schema.BuiltinOptions.Conv2DOptions
            if conv
            else schema.BuiltinOptions.DepthwiseConv2DOptions
        )
        options.dilationHFactor, options.dilationWFactor = node["dilation"]
        if not conv:
            options.depthMultiplier = node["depth_multiplier"]
    elif code in (_MAX_POOL, _AVERAGE_POOL):
        options = schema.Pool2DOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
        options.filterHeight, options.filterWidth = node["pool"]
    elif code in _ARITHMETIC:
        name = _ARITHMETIC[code]
        options = getattr(schema, f"{name}T")()
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        if hasattr(options, "potScaleInt16"):
            options.potScaleInt16 = False
    elif code == _LEAKY_RELU:
        options = schema.LeakyReluOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.LeakyReluOptions
        options.alpha = node["alpha"]
    elif code == _CONCATENATION:
        options = schema.ConcatenationOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.ConcatenationOptions
        options.axis = node["axis"]
    elif code == _MEAN:
        options = schema.ReducerOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
        options.keepDims = node["keep_dims"]
    elif code in (_RESIZE_BILINEAR, _RESIZE_NEAREST):
        name = f"Resize{'Bilinear' if code == _RESIZE_BILINEAR else 'NearestNeighbor'}Options"
        options = getattr(schema, f"{name}T")()
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        options.alignCorners = node["align_corners"]
        options.halfPixelCenters = node["half_pixel_centers"]
    elif code == _SPLIT:
        options = schema.SplitOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.SplitOptions
        options.numSplits = len(node["outputs"])
    elif code == _RESHAPE:
        options = schema.ReshapeOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        options.newShape = shape
    else:
        return
    if hasattr(options, "strideH"):
        options.strideH, options.strideW = node["stride"]
        options.padding = padding
    if hasattr(options, "fusedActivationFunction"):
        options.fusedActivationFunction = activation
    operator.builtinOptions = options


def build(case: dict[str, Any]) -> bytes:
    """The flatbuffer of a case."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    model.operatorCodes = []
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(model, i, tensor) for i, tensor in enumerate(case["tensors"])]
    graph.inputs, graph.outputs = case["inputs"], case["outputs"]
    graph.operators = []
    codes: dict[int, int] = {}
    for node in case["nodes"]:
        if node["code"] not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = node["code"]
            code.version = _VERSIONS.get(node["code"], 2)
            codes[node["code"]] = len(model.operatorCodes)
            model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = codes[node["code"]]
        operator.inputs, operator.outputs = node["inputs"], node["outputs"]
        _set_options(operator, node, case["tensors"][node["outputs"][0]]["shape"])
        graph.operators.append(operator)
    model.subgraphs = [graph]
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())
