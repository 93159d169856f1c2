"""Models of one operator, with any tensors and options: what no converter would write included."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the model; one with ``data`` is constant."""

    shape: tuple[int, ...]
    scales: Sequence[float] = ()
    zero_point: int = 0
    kind: str = "INT8"
    data: npt.NDArray[Any] | None = None
    dimension: int = 0  # that scales go with, if there are several


def one_operator_model(
    operator: str,
    version: int,
    inputs: Sequence[Tensor],
    output: Tensor,
    options: tuple[str, dict[str, Any]] | None = None,
    *,
    outputs: int = 1,
    which: int = 0,
) -> bytes:
    """Content of a model file.

    Args:
        operator: Name in the schema, e.g. ``CONV_2D``.
        version: The operator's version.
        inputs: Its inputs; those without data are the model's inputs, in order.
        output: Its output, which is the model's; the one at ``which``, if it has several.
        options: Name of the options' table without ``Options``, and values of its fields.
        outputs: How many tensors it writes.
        which: The one of them that is the model's output.
    """
    generated = schema.schema()
    model = generated.ModelT()
    model.version = 3
    model.buffers = [generated.BufferT()]
    code = generated.OperatorCodeT()
    code.builtinCode = getattr(generated.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    model.operatorCodes = [code]
    node = generated.OperatorT()
    node.inputs, node.outputs = list(range(len(inputs))), [len(inputs) + i for i in range(outputs)]
    if options is not None:
        name, values = options
        node.builtinOptionsType = getattr(generated.BuiltinOptions, f"{name}Options")
        node.builtinOptions = getattr(generated, f"{name}OptionsT")()
        for field, value in values.items():
            if not hasattr(node.builtinOptions, field):
                raise AttributeError(f"{name}Options has no field {field}")
            setattr(node.builtinOptions, field, value)
    subgraph = generated.SubGraphT()
    subgraph.tensors = [_tensor(f"input{i}", t, model) for i, t in enumerate(inputs)]
    subgraph.tensors += [
        _tensor("output" if i == which else f"output{i}", output, model) for i in range(outputs)
    ]
    subgraph.operators = [node]
    subgraph.inputs = [i for i, tensor in enumerate(inputs) if tensor.data is None]
    subgraph.outputs = [len(inputs) + which]
    model.subgraphs = [subgraph]
    return schema.serialize(model)


def _tensor(name: str, described: Tensor, model: Any) -> Any:
    generated = schema.schema()
    tensor = generated.TensorT()
    tensor.name, tensor.shape = name, list(described.shape)
    tensor.type = getattr(generated.TensorType, described.kind)
    tensor.buffer = 0
    if len(described.scales):
        tensor.quantization = generated.QuantizationParametersT()
        tensor.quantization.scale = [float(s) for s in described.scales]
        tensor.quantization.zeroPoint = [described.zero_point] * len(described.scales)
        tensor.quantization.quantizedDimension = described.dimension
    if described.data is not None:
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(described.data.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor
