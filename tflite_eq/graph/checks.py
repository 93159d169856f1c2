"""Checks that a model is a plain float network this tool can quantize, before any work starts."""

from __future__ import annotations

import numpy as np

from tflite_eq.errors import ModelError
from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.moved_codes import moved_codes
from tflite_eq.graph.subgraphs import calls_itself
from tflite_eq.numerics.activation import is_fusable
from tflite_eq.text import counted_kinds

_QUANTIZED_TYPES = frozenset({"INT4", "INT8", "UINT8", "INT16"})

# Those that every version of TensorFlow from 2.14 on has.
_KNOWN_TYPES = _QUANTIZED_TYPES | frozenset(
    """
    BOOL COMPLEX64 COMPLEX128 FLOAT16 FLOAT32 FLOAT64 INT32 INT64 RESOURCE STRING UINT16 UINT32
    UINT64 VARIANT
    """.split()
)


# They run subgraphs.
_CALLERS = frozenset({"IF", "WHILE", "CALL_ONCE", "STABLEHLO_WHILE"})


def check_float_network(graph: Graph) -> None:
    """Refuse what is no float network: quantized already, or of no form that can be normalised.

    Args:
        graph: The network as the file has it.

    Raises:
        ModelError: Names the operator or tensor at fault and the remedy.
    """
    if calls_itself(graph.model):
        raise ModelError(
            f"{graph.origin}: a subgraph runs itself, which no runtime can compute; convert the "
            "model again"
        )
    _refuse_state_in_subgraphs(graph)
    if not graph.operators:
        raise ModelError(
            f"{graph.origin}: the model has no operators, there is nothing to quantize"
        )
    if not graph.inputs:
        raise ModelError(
            f"{graph.origin}: the model has no inputs, so there is nothing to calibrate with; "
            "convert the network with its input"
        )
    _refuse_new_types(graph)
    _refuse_quantized(graph)


def check_quantizable(graph: Graph) -> None:
    """Refuse networks whose quantization would fail later, crash, or silently stay float.

    Args:
        graph: The network after normalisation.

    Raises:
        ModelError: Names the operator or tensor at fault and the remedy.
    """
    _refuse_constant_outputs(graph)
    _refuse_packed(graph)
    for operator in graph.operators:
        if operator.kind in properties.UNSUPPORTED:
            raise ModelError(
                f"{graph.origin}: {describe(graph, operator)} keeps state outside the graph, "
                "which parts of a network cannot be run with. Export an inference-only model "
                "without it (freeze variables: for a Keras 3 model use from_keras_model, or "
                "model.export and from_saved_model; with from_concrete_functions leave out "
                "trackable_obj)"
            )
    _refuse_unknown_activations(graph)
    _refuse_windows_beyond_the_image(graph)
    _check_constants(graph)
    if not any(properties.has_constant_filter(graph, o) for o in graph.operators):
        weighty = [o.kind for o in graph.operators if o.kind in properties.WEIGHTS_IN_FLOAT]
        why = f" ({counted_kinds(weighty)} have no int8 form and would stay in float)"
        raise ModelError(
            f"{graph.origin}: the model has no convolution or dense layer with stored float "
            f"weights, there is nothing to quantize{why if weighty else ''}"
        )


def describe(graph: Graph, operator: Operator) -> str:
    """An operator as error messages call it: kind, position and output tensor."""
    name = graph.tensors[operator.outputs[0]].name if operator.outputs else "no output"
    return f"operator {operator.index} ({operator.kind}, output '{name}')"


def _refuse_state_in_subgraphs(graph: Graph) -> None:
    """Loops and branches are run as they are; variables would be shared by what runs in parts."""
    for number, body in enumerate(graph.model.subgraphs[1:], start=1):
        for stored in body.operators or []:
            kind = schema.operator_kind(graph.model.operatorCodes[stored.opcodeIndex])
            if kind in properties.UNSUPPORTED:
                callers = [o for o in graph.operators if o.kind in _CALLERS]
                culprit = f" (used by {describe(graph, callers[0])})" if callers else ""
                raise ModelError(
                    f"{graph.origin}: subgraph {number} of the model{culprit} has the operator "
                    f"{kind}, which keeps state outside the graph. Export an inference-only model "
                    "without variables and tables"
                )


def _refuse_quantized(graph: Graph) -> None:
    for operator in graph.operators:
        if operator.kind in ("QUANTIZE", "FAKE_QUANT"):
            raise ModelError(
                f"{graph.origin}: {describe(graph, operator)} quantizes inside the graph: the "
                "model is already quantized or comes from quantization-aware training. Pass the "
                "plain float model (for QAT: strip the quantization wrappers before export)"
            )
    moved = moved_codes(graph)
    for tensor in graph.tensors:
        # Constants with scales alone are how a float network's weights may be stored.
        is_weight = tensor.is_constant or tensor.index in moved
        if is_weight or tensor.type_name not in _QUANTIZED_TYPES:
            continue
        stored = graph.subgraph.tensors[tensor.index].quantization
        if stored is not None and stored.scale is not None and len(stored.scale):
            raise ModelError(
                f"{graph.origin}: tensor '{tensor.name}' is already quantized "
                f"({tensor.type_name} with a scale). Pass the float model it was made from"
            )


def _refuse_packed(graph: Graph) -> None:
    for operator in graph.operators:
        if operator.kind == "DEQUANTIZE":
            source = graph.tensors[operator.inputs[0]]
            if source.is_constant:
                raise ModelError(
                    f"{graph.origin}: weights '{source.name}' are stored as {source.type_name} "
                    "behind a DEQUANTIZE operator. Convert the original model again without "
                    "float16 or weight quantization"
                )
            origin = "an input" if source.index in graph.inputs else "computed inside the network"
            raise ModelError(
                f"{graph.origin}: {describe(graph, operator)} unpacks '{source.name}', which is "
                f"{origin} and of type {source.type_name}. Convert the original model again with "
                "inputs and computations in float32"
            )


def _refuse_new_types(graph: Graph) -> None:
    """TensorFlow's converter ends the process at types that its version does not have."""
    for tensor in graph.tensors:
        if tensor.type_name not in _KNOWN_TYPES:
            raise ModelError(
                f"{graph.origin}: tensor '{tensor.name}' has element type "
                f"{tensor.type_name}, which quantizers do not take; convert the model with "
                "float32 weights and activations"
            )


def _refuse_constant_outputs(graph: Graph) -> None:
    """What depends on no input is folded into constants, which no runtime takes for outputs."""
    computed = set(graph.inputs)
    for operator in graph.operators:
        if computed.intersection(operator.inputs):
            computed.update(operator.outputs)
    for index in graph.outputs:
        if index not in computed:
            raise ModelError(
                f"{graph.origin}: output '{graph.tensors[index].name}' depends on no input of the "
                "model; convert the model without that output"
            )


def _refuse_unknown_activations(graph: Graph) -> None:
    for operator in graph.operators:
        activation = properties.fused_activation(operator)
        if properties.has_constant_filter(graph, operator) and not is_fusable(activation):
            raise ModelError(
                f"{graph.origin}: {describe(graph, operator)} fuses the activation function "
                f"{activation}, which no int8 kernel does; export it as an operator of its own"
            )


def _refuse_windows_beyond_the_image(graph: Graph) -> None:
    """XNNPACK computes something there; other kernels compute nothing, or end the process."""
    for operator in graph.operators:
        options = operator.options
        if getattr(options, "padding", None) != schema.schema().Padding.VALID:
            continue
        if operator.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            window = (options.filterHeight, options.filterWidth)
        elif operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            _, height, width, _ = graph.tensors[operator.inputs[1]].shape
            dilations = options.dilationHFactor, options.dilationWFactor
            window = tuple((n - 1) * d + 1 for n, d in zip((height, width), dilations))
        else:
            continue
        image = graph.tensors[operator.inputs[0]].shape[1:3]
        if any(size > room for size, room in zip(window, image)):
            raise ModelError(
                f"{graph.origin}: {describe(graph, operator)} has a window of {list(window)} on an "
                f"image of {list(image)} without padding, so there is nothing to compute; give a "
                "larger input, or convert the model again"
            )


def _check_constants(graph: Graph) -> None:
    """Inf or huge weights crash the process inside MLIR; NaN poisons every later number."""
    used = {i for operator in graph.operators for i in operator.inputs if i >= 0}
    for tensor in graph.tensors:
        if not (tensor.is_constant and tensor.is_float and tensor.index in used):
            continue
        values = graph.constant(tensor.index)
        if not np.isfinite(values).all():
            raise ModelError(
                f"{graph.origin}: constant '{tensor.name}' contains NaN or infinity; the model "
                "was saved from a diverged training run or is corrupt"
            )
        if values.size and float(np.abs(values).max()) > 1e30:
            raise ModelError(
                f"{graph.origin}: constant '{tensor.name}' has values above 1e30, which no int8 "
                "scale can represent; use a moderate constant such as -1e4 in its place"
            )
