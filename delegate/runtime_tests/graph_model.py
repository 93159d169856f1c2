"""TFLite models of the cases that `describe_cases` prints (delegate/fuzz): any graph of int8
operators."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tflite_schema import schema

# TfLiteType of the C API to TensorType of the file format.
_TYPES = {1: 0, 2: 2, 3: 3, 4: 4, 6: 6, 7: 7, 9: 9}

# Operators by their name in the schema, and the versions from which they take int8 that are not 2.
_Operator = schema.BuiltinOperator
_NAMES = {value: name for name, value in vars(_Operator).items() if name.isupper()}
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "RESHAPE": 1,
    "PRELU": 1,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "TRANSPOSE_CONV": 3,
    "HARD_SWISH": 1,
    "RELU_N1_TO_1": 1,
    "RELU_0_TO_1": 1,
    "DEPTH_TO_SPACE": 1,
    "EXPAND_DIMS": 1,
    "SQUEEZE": 1,
}


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


def _options(node: dict[str, Any], shape: list[int]) -> tuple[str, dict[str, Any]] | None:
    """The options' table without ``Options``, and its fields."""
    padding = schema.Padding.SAME if node["padding"] == 1 else schema.Padding.VALID
    # TfLiteFusedActivation and ActivationFunctionType number the first four alike.
    activation = {"fusedActivationFunction": node["activation"]}
    window = {"strideH": node["stride"][0], "strideW": node["stride"][1], "padding": padding}
    dilation = {"dilationHFactor": node["dilation"][0], "dilationWFactor": node["dilation"][1]}
    filters = {"filterHeight": node["pool"][0], "filterWidth": node["pool"][1]}
    resize = {
        "alignCorners": node["align_corners"],
        "halfPixelCenters": node["half_pixel_centers"],
    }
    masks = dict(zip(("beginMask", "endMask", "shrinkAxisMask"), node["masks"]))
    mode = "SYMMETRIC" if node["mirror_symmetric"] else "REFLECT"
    unscaled = {"potScaleInt16": False, **activation}
    reducer = ("Reducer", {"keepDims": node["keep_dims"]})
    block = {"blockSize": node["block"]}
    pool = ("Pool2D", {**window, **filters, **activation})
    multiplier = {"depthMultiplier": node["depth_multiplier"]}
    return {
        "ABS": ("Abs", {}),
        "ADD": ("Add", unscaled),
        "AVERAGE_POOL_2D": pool,
        "CONCATENATION": ("Concatenation", {"axis": node["axis"], **activation}),
        "CONV_2D": ("Conv2D", {**window, **dilation, **activation}),
        "DEPTHWISE_CONV_2D": (
            "DepthwiseConv2D",
            {**window, **dilation, **multiplier, **activation},
        ),
        "DEPTH_TO_SPACE": ("DepthToSpace", block),
        "EXP": ("Exp", {}),
        "EXPAND_DIMS": ("ExpandDims", {}),
        "GELU": ("Gelu", {"approximate": node["approximate"]}),
        "HARD_SWISH": ("HardSwish", {}),
        "LEAKY_RELU": ("LeakyRelu", {"alpha": node["alpha"]}),
        "MAXIMUM": ("MaximumMinimum", {}),
        "MAX_POOL_2D": pool,
        "MEAN": reducer,
        "MINIMUM": ("MaximumMinimum", {}),
        "MIRROR_PAD": ("MirrorPad", {"mode": getattr(schema.MirrorPadMode, mode)}),
        "MUL": ("Mul", activation),
        "PACK": ("Pack", {"axis": node["axis"], "valuesCount": len(node["inputs"])}),
        "PADV2": ("PadV2", {}),
        "QUANTIZE": ("Quantize", {}),
        "REDUCE_MAX": reducer,
        "REDUCE_MIN": reducer,
        "RESHAPE": ("Reshape", {"newShape": shape}),
        "RESIZE_BILINEAR": ("ResizeBilinear", resize),
        "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighbor", resize),
        "SLICE": ("Slice", {}),
        "SPACE_TO_DEPTH": ("SpaceToDepth", block),
        "SPLIT": ("Split", {"numSplits": len(node["outputs"])}),
        "SPLIT_V": ("SplitV", {"numSplits": len(node["outputs"])}),
        "SQUEEZE": ("Squeeze", {"squeezeDims": node["squeeze_dims"]}),
        "STRIDED_SLICE": ("StridedSlice", masks),
        "SUB": ("Sub", unscaled),
        "TRANSPOSE_CONV": ("TransposeConv", {**window, **activation}),
        "UNPACK": ("Unpack", {"axis": node["axis"], "num": len(node["outputs"])}),
    }.get(_NAMES[node["code"]])


def _set_options(operator: Any, node: dict[str, Any], shape: list[int]) -> None:
    found = _options(node, shape)
    if found is None:
        return
    name, fields = found
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
    operator.builtinOptions = getattr(schema, f"{name}OptionsT")()
    for field, value in fields.items():
        if not hasattr(operator.builtinOptions, field):
            raise AttributeError(f"{name}Options has no field {field}")
        setattr(operator.builtinOptions, field, value)


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
    codes: dict[tuple[int, int], int] = {}
    for node in case["nodes"]:
        key = (node["code"], max(node["version"], _VERSIONS.get(_NAMES[node["code"]], 2)))
        if key not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.version = key
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            codes[key] = len(model.operatorCodes)
            model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = codes[key]
        operator.inputs, operator.outputs = node["inputs"], node["outputs"]
        _set_options(operator, node, case["tensors"][node["outputs"][0]]["shape"])
        graph.operators.append(operator)
    model.subgraphs = [graph]
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())
