"""Factors and shifts by channel behind a convolution or dense layer, such as a batch normalisation.

They are constants, as filters and biases are: the layer can have them in its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import OUTPUT_CHANNEL_AXIS, LinearKind
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

Values = npt.NDArray[np.float64]


def folded(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these operators in the layers in front, where nothing else reads those."""
    count = 0
    while True:
        rewrite = Rewrite(graph)
        taken: set[int] = set()
        for operator in graph.operators:
            layer = _layer(graph, operator)
            if layer is not None and layer.index not in taken:
                count += _fold(graph, rewrite, layer, operator)
                taken.update((layer.index, operator.index))
        if not rewrite.changed:
            break
        graph = rewrite.graph()
    if not count:
        return graph, None
    return graph, f"{counted(count, 'operator')} folded into the filter or bias in front"


def _layer(graph: Graph, operator: Operator) -> Operator | None:
    """The layer that an operator scales or shifts, if it alone reads its result."""
    if operator.kind not in ("ADD", "DIV", "MUL", "SUB"):
        return None
    variable = [index for index in operator.inputs if not graph.tensors[index].is_constant]
    if len(variable) != 1 or (operator.kind == "DIV" and variable[0] != operator.inputs[0]):
        return None
    layer = graph.producer(variable[0])
    if layer is None or not properties.has_constant_filter(graph, layer):
        return None
    is_plain = properties.fused_activation(layer) == "NONE" and layer.options is not None
    if not is_plain or variable[0] in graph.outputs or len(graph.consumers(variable[0])) > 1:
        return None
    is_alike = graph.tensors[variable[0]].shape == graph.tensors[operator.outputs[0]].shape
    return layer if is_alike and _has_stored_bias(graph, layer) else None


def _has_stored_bias(graph: Graph, layer: Operator) -> bool:
    """Whether a layer's bias is a constant or absent, so that it can be another."""
    bias = properties.linear_inputs(layer)[2]
    return bias < 0 or graph.tensors[bias].is_constant


def _fold(graph: Graph, rewrite: Rewrite, layer: Operator, operator: Operator) -> bool:
    kind = LinearKind(layer.kind)
    _, filter_index, bias_index = properties.linear_inputs(layer)
    filters = graph.constant(filter_index).astype(np.float64)
    axis = OUTPUT_CHANNEL_AXIS[kind]
    channels = filters.shape[axis]
    operand = next(i for i in operator.inputs if graph.tensors[i].is_constant)
    constant = _by_channel(graph.constant(operand), channels)
    if constant is None:
        return False
    with np.errstate(divide="ignore"):
        factor, shift = _affine(operator, operand, constant)
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        return False
    bias = graph.constant(bias_index).astype(np.float64) if bias_index >= 0 else np.zeros(channels)
    along = [1] * filters.ndim
    along[axis] = channels
    name = graph.tensors[operator.outputs[0]].name
    made = filter_index
    if not (factor == 1.0).all():
        scaled = (filters * factor.reshape(along)).astype(np.float32)
        made = rewrite.add_constant(f"{name}/filter", scaled)
    shifted = rewrite.add_constant(f"{name}/bias", (bias * factor + shift).astype(np.float32))
    inputs = [made if index == filter_index else index for index in layer.inputs]
    position = 3 if kind is LinearKind.TRANSPOSE else 2
    rewrite.connect(layer, [*inputs[:position], shifted], operator.outputs)
    activation = getattr(operator.options, "fusedActivationFunction", 0)
    if activation:
        rewrite.set_options(layer, fusedActivationFunction=activation)
    rewrite.remove(operator)
    return True


def _affine(operator: Operator, operand: int, constant: Values) -> tuple[Values, Values]:
    """Factor and shift by channel that an operator with a constant operand applies."""
    ones, zeros = np.ones_like(constant), np.zeros_like(constant)
    if operator.kind == "MUL":
        return constant, zeros
    if operator.kind == "DIV":
        return 1.0 / constant, zeros
    if operator.kind == "ADD":
        return ones, constant
    return (-ones, constant) if operator.inputs[0] == operand else (ones, -constant)


def _by_channel(values: npt.NDArray[Any], channels: int) -> Values | None:
    """A constant as one value per channel, the last dimension; None if it varies along others."""
    if values.size == 1:
        return np.full(channels, values.reshape(()), np.float64)
    if values.size != channels or values.shape[-1] != channels:
        return None
    return values.reshape(channels).astype(np.float64)
