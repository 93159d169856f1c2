"""A tiny model whose results are known, to tell a broken runtime from a broken model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema

# One scale for all tensors keeps every product a code, so that no kernel has anything to round.
_SCALE = 0.5

INPUT = np.array([-1.0, 0.5, 1.0, 2.0], np.float32).reshape(1, 2, 2, 1)
_FILTER_CODES = np.array([2, -4], np.int8).reshape(2, 1, 1, 1)
EXPECTED: npt.NDArray[np.float32] = INPUT * (_FILTER_CODES.ravel() * np.float32(_SCALE))


def known_model() -> bytes:
    """QUANTIZE, a convolution by 1 and -2, DEQUANTIZE: what every quantized model consists of.

    Raises:
        BackendError: No package with the schema is installed.
    """
    names = schema.schema()
    kinds = names.TensorType
    subgraph = names.SubGraphT()
    shapes = [INPUT.shape, INPUT.shape, _FILTER_CODES.shape, (2,), EXPECTED.shape, EXPECTED.shape]
    types = [kinds.FLOAT32, kinds.INT8, kinds.INT8, kinds.INT32, kinds.INT8, kinds.FLOAT32]
    stored = {2: _FILTER_CODES.tobytes(), 3: np.zeros(2, np.int32).tobytes()}
    buffers = [names.BufferT()]
    subgraph.tensors = []
    for index, (shape, kind) in enumerate(zip(shapes, types)):
        tensor = names.TensorT()
        tensor.name = f"known_{index}".encode()
        tensor.shape = np.array(shape, np.int32)
        tensor.type = kind
        if kind != kinds.FLOAT32:
            scale = _SCALE**2 if kind == kinds.INT32 else _SCALE
            tensor.quantization = names.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([0], np.int64)
        buffer = names.BufferT()
        if index in stored:
            buffer.data = np.frombuffer(stored[index], np.uint8)
        tensor.buffer = len(buffers)
        buffers.append(buffer)
        subgraph.tensors.append(tensor)
    options = names.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    codes = names.BuiltinOperator
    subgraph.operators = [
        _operator(names, 0, [0], [1]),
        _operator(names, 1, [1, 2, 3], [4], names.BuiltinOptions.Conv2DOptions, options),
        _operator(names, 2, [4], [5]),
    ]
    subgraph.inputs, subgraph.outputs = np.array([0], np.int32), np.array([5], np.int32)
    model = names.ModelT()
    model.version = 3
    model.operatorCodes = [
        _code(names, code, version)
        for code, version in ((codes.QUANTIZE, 1), (codes.CONV_2D, 3), (codes.DEQUANTIZE, 2))
    ]
    model.subgraphs, model.buffers = [subgraph], buffers
    return schema.serialize(model)


def _code(names: Any, number: int, version: int) -> Any:
    code = names.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = version
    return code


def _operator(
    names: Any, code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: Any = None
) -> Any:
    operator = names.OperatorT()
    operator.opcodeIndex = code
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array(outputs, np.int32)
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator
