"""What single operators must be like for kernels to compute them: options, ranks, channels.

Kernels divide by strides and index by ranks that they were not told to check; without options they
compute with zeros.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tflite_eq.errors import ModelError
from tflite_eq.graph import schema

_AGAIN = "convert the model again"

# Larger strides and windows than this come from no network.
_LARGEST_STEP = 1 << 15
_SMALLEST_BETA, _LARGEST_BETA = 1e-3, 1e3


@dataclasses.dataclass(frozen=True)
class _Form:
    """An operator's form.

    Attributes:
        inputs: How many there must be at least.
        options: Name of the options' class; ``None`` if any will do.
        positive: Options that are counts or steps.
    """

    inputs: int
    options: str | None = None
    positive: tuple[str, ...] = ()


_STRIDES = ("strideH", "strideW")
_DILATIONS = ("dilationHFactor", "dilationWFactor")
_POOL = _Form(1, "Pool2DOptions", (*_STRIDES, "filterHeight", "filterWidth"))
_REDUCER = _Form(2, "ReducerOptions")
_FORMS = {
    "CONV_2D": _Form(2, "Conv2DOptions", (*_STRIDES, *_DILATIONS)),
    "DEPTHWISE_CONV_2D": _Form(2, "DepthwiseConv2DOptions", (*_STRIDES, *_DILATIONS)),
    "TRANSPOSE_CONV": _Form(3, "TransposeConvOptions", _STRIDES),
    "FULLY_CONNECTED": _Form(2, "FullyConnectedOptions"),
    "CONV_3D": _Form(2, "Conv3DOptions", (*_STRIDES, "strideD", *_DILATIONS, "dilationDFactor")),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _POOL),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), _REDUCER),
    "CONCATENATION": _Form(1, "ConcatenationOptions"),
    "SPLIT": _Form(2, "SplitOptions", ("numSplits",)),
    "SPLIT_V": _Form(3, "SplitVOptions", ("numSplits",)),
    "PACK": _Form(1, "PackOptions", ("valuesCount",)),
    "UNPACK": _Form(1, "UnpackOptions"),
    "SPACE_TO_DEPTH": _Form(1, "SpaceToDepthOptions", ("blockSize",)),
    "DEPTH_TO_SPACE": _Form(1, "DepthToSpaceOptions", ("blockSize",)),
    "SOFTMAX": _Form(1, "SoftmaxOptions"),
    "LEAKY_RELU": _Form(1, "LeakyReluOptions"),
    "ADD": _Form(2, "AddOptions"),
    "SUB": _Form(2, "SubOptions"),
    "MUL": _Form(2, "MulOptions"),
    "DIV": _Form(2, "DivOptions"),
    "STRIDED_SLICE": _Form(4, "StridedSliceOptions"),
    "RESIZE_BILINEAR": _Form(2, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": _Form(2, "ResizeNearestNeighborOptions"),
    "MIRROR_PAD": _Form(2, "MirrorPadOptions"),
    "GATHER": _Form(2, "GatherOptions"),
    "BATCH_MATMUL": _Form(2, "BatchMatMulOptions"),
}
# Options that say how many tensors there are, which kernels believe.
_COUNTED = {
    "SPLIT": ("numSplits", "outputs"),
    "SPLIT_V": ("numSplits", "outputs"),
    "UNPACK": ("num", "outputs"),
    "PACK": ("valuesCount", "inputs"),
}
# Operators with so many inputs, no fewer and no more.
INPUTS = {
    kind: count
    for count, kinds in {
        1: """
            ABS AVERAGE_POOL_2D CAST CEIL COS DEPTH_TO_SPACE DEQUANTIZE ELU EXP FLOOR GELU
            HARD_SWISH LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MAX_POOL_2D NEG QUANTIZE RANK RELU RELU6
            RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SHAPE SIGN SIN SOFTMAX SPACE_TO_DEPTH SQRT SQUARE
            SQUEEZE TANH
        """,
        2: """
            ADD BROADCAST_TO DIV EMBEDDING_LOOKUP EQUAL EXPAND_DIMS FILL FLOOR_DIV FLOOR_MOD GREATER
            GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NOT_EQUAL PAD POW
            PRELU REDUCE_MAX REDUCE_MIN REDUCE_PROD RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SPLIT
            SQUARED_DIFFERENCE SUB SUM TILE TRANSPOSE
        """,
        3: "BATCH_TO_SPACE_ND PADV2 RANGE SELECT SELECT_V2 SLICE SPACE_TO_BATCH_ND SPLIT_V",
        4: "STRIDED_SLICE",
    }.items()
    for kind in kinds.split()
}
_SEVERAL_OUTPUTS = frozenset(
    """
    SPLIT SPLIT_V UNPACK TOPK_V2 UNIQUE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 LSTM
    BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN HASHTABLE_LOOKUP WHILE IF CALL CUSTOM
    STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_WHILE
    STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_SORT
    """.split()
)
# Operators whose integer kernels compute with scales, and end the process where one is missing.
_COMPUTES = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU
    EXP FULLY_CONNECTED GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOGISTIC LOG_SOFTMAX MEAN MUL
    PRELU QUANTIZE REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX SQUARED_DIFFERENCE
    SUB SUM TANH TRANSPOSE_CONV
    """.split()
)
# Of these, those that know no scales per channel: they take none for all of them, and end the
# process over it.
_ONE_SCALE = frozenset("ADD DIV MUL SQUARED_DIFFERENCE SUB".split())
_QUANTIZED = frozenset({"INT4", "INT8", "UINT8", "INT16"})
_WITHOUT_INPUTS = frozenset({"CALL_ONCE", "VAR_HANDLE", "HASHTABLE", "CALL", "CUSTOM"})
_WITHOUT_OUTPUTS = frozenset(
    "CALL_ONCE CALL ASSIGN_VARIABLE HASHTABLE_IMPORT WHILE IF CUSTOM".split()
)


def check_operator(
    kind: str, operator: schema.OperatorT, tensors: Sequence[schema.TensorT], where: str
) -> None:
    """Refuse an operator that its kernel could not compute.

    Args:
        kind: Name of the operator.
        operator: As stored; its tensor indices are those of tensors.
        tensors: All tensors of its subgraph.
        where: What to call it in messages.

    Raises:
        ModelError: Says what is wrong.
    """
    inputs, outputs = _ints(operator.inputs), _ints(operator.outputs)
    name = kind.split(":")[0]
    form = _FORMS.get(kind, _Form(0 if name in _WITHOUT_INPUTS else 1))
    if len(inputs) < form.inputs or any(index < 0 for index in inputs[: form.inputs]):
        raise ModelError(
            f"{where} has the inputs {inputs[:10]}; it needs {form.inputs} or more, all of them "
            f"tensors; {_AGAIN}"
        )
    count = INPUTS.get(kind, len(inputs))
    if len(inputs) != count:
        raise ModelError(f"{where} has the inputs {inputs[:10]}; it takes {count}; {_AGAIN}")
    if name not in _WITHOUT_OUTPUTS:
        _check_outputs(name, len(outputs), where)
    _check_unions(operator, where)
    if form.options is not None:
        _check_options(operator.builtinOptions, form, where)
    if kind in _COUNTED:
        field, counted = _COUNTED[kind]
        told, found = getattr(operator.builtinOptions, field), len(getattr(operator, counted))
        if told != found:
            raise ModelError(f"{where} has {found} {counted}, but {field} {told}; {_AGAIN}")
    _check_activation(operator.builtinOptions, where)
    if kind in _COMPUTES:
        ends = [tensors[i] for i in (*inputs, *outputs) if i >= 0]
        _check_numbers(ends, where)
        _check_scales(ends, where)
    if kind in _ONE_SCALE:
        _check_one_scale(ends, where)
    if kind in ("ADD", "SUB"):
        _check_sum([tensors[i] for i in inputs[:2]], tensors[outputs[0]], where)
    if kind == "SOFTMAX":
        _check_softmax(operator.builtinOptions, tensors[inputs[0]], where)
    shapes = [_ints(tensors[index].shape) if index >= 0 else [] for index in inputs]
    if kind in _LINEAR:
        _LINEAR[kind](shapes, _ints(tensors[outputs[0]].shape), where)


def _check_outputs(name: str, count: int, where: str) -> None:
    """Kernels take their results' places for granted."""
    if count == 0 or (count > 1 and name not in _SEVERAL_OUTPUTS):
        raise ModelError(f"{where} has {count} outputs, expected one; {_AGAIN}")


def _check_unions(operator: schema.OperatorT, where: str) -> None:
    """Options are of the type that the operator says: readers look at nothing else."""
    for field in ("builtinOptions", "builtinOptions2"):
        told, options = getattr(operator, f"{field}Type", 0), getattr(operator, field, None)
        if (told != 0) != (options is not None):
            raise ModelError(
                f"{where} has options of type {told}, but "
                f"{'none' if options is None else 'others'} are there; {_AGAIN}"
            )
    if getattr(operator, "largeCustomOptionsOffset", 0) > 1:
        raise ModelError(
            f"{where} has custom options behind the flatbuffer, which this tool does not read; "
            "convert the model with them inside"
        )


def _check_options(options: Any, form: _Form, where: str) -> None:
    found = type(options).__name__[: -len("T")] if options is not None else "none"
    if found != form.options:
        raise ModelError(f"{where} has {found} for options, expected {form.options}; {_AGAIN}")
    for field in form.positive:
        value = getattr(options, field)
        if not 1 <= value <= _LARGEST_STEP:
            raise ModelError(
                f"{where} has {field} {value}, expected 1 to {_LARGEST_STEP}; {_AGAIN}"
            )
    if getattr(options, "padding", 0) not in _names("Padding"):
        raise ModelError(f"{where} has padding {options.padding}, which is none; {_AGAIN}")


def _check_activation(options: Any, where: str) -> None:
    code = getattr(options, "fusedActivationFunction", 0)
    if code not in schema.activation_names():
        raise ModelError(
            f"{where} fuses activation function {code}, which is none that TFLite has; {_AGAIN}"
        )


def _check_numbers(tensors: Sequence[schema.TensorT], where: str) -> None:
    """Kernels write numbers whatever the type is, and who reads them as text ends the process."""
    for tensor in tensors:
        if schema.tensor_type_names()[tensor.type] == "STRING":
            name = (tensor.name or b"").decode()[:100]
            raise ModelError(f"{where} computes with '{name}', which is text; {_AGAIN}")


def _check_scales(tensors: Sequence[schema.TensorT], where: str) -> None:
    for tensor in tensors:
        kind = schema.tensor_type_names()[tensor.type]
        if kind in _QUANTIZED and not len(_list(getattr(tensor.quantization, "scale", None))):
            name = (tensor.name or b"").decode()[:100]
            raise ModelError(
                f"{where} computes with '{name}', which is {kind} without a scale; quantize the "
                "float model again"
            )


def _check_one_scale(tensors: Sequence[schema.TensorT], where: str) -> None:
    for tensor in tensors:
        count = len(_list(getattr(tensor.quantization, "scale", None)))
        if count > 1 and schema.tensor_type_names()[tensor.type] in _QUANTIZED:
            name = (tensor.name or b"").decode()[:100]
            raise ModelError(
                f"{where} computes with '{name}', which has {count} scales, expected one; quantize "
                "the float model again"
            )


def _check_sum(terms: Sequence[schema.TensorT], result: schema.TensorT, where: str) -> None:
    """Kernels shift terms by 20 bits and end the process where the result's codes are finer."""
    scales = [_list(getattr(t.quantization, "scale", None)) for t in (*terms, result)]
    if any(len(found) != 1 for found in scales):
        return
    *coarse, fine = (float(found[0]) for found in scales)
    if 2 * max(coarse) >= fine * (1 << 20):
        raise ModelError(
            f"{where} adds codes of scale {max(coarse):g} to codes of scale {fine:g}, which is too "
            "small to compute with; quantize the float model again"
        )


def _check_softmax(options: Any, source: schema.TensorT, where: str) -> None:
    """Reference kernels end the process where beta times a step of the input's codes is too small.

    They hold it in 31 bits, of which 5 are for the integer part, and want more than 1.
    """
    if not _SMALLEST_BETA <= options.beta <= _LARGEST_BETA:
        raise ModelError(
            f"{where} has beta {options.beta}, expected {_SMALLEST_BETA:g} to {_LARGEST_BETA:g}; "
            f"{_AGAIN}"
        )
    scales = _list(getattr(source.quantization, "scale", None))
    if len(scales) and options.beta * float(scales[0]) * (1 << 26) <= 1:
        raise ModelError(
            f"{where} has beta {options.beta} and reads codes of scale {float(scales[0]):g}, which "
            "is too small to compute with; keep it in float with --skip, or scale the logits up"
        )


def _list(values: Any) -> Sequence[float]:
    return [] if values is None else values


def _names(enumeration: str) -> set[int]:
    values = vars(getattr(schema.schema(), enumeration))
    return {value for name, value in values.items() if not name.startswith("_")}


def _check_conv(shapes: list[list[int]], output: list[int], where: str) -> None:
    source, filters, *rest = shapes
    _check_ranks(source, filters, output, where)
    if filters[3] == 0 or source[3] % filters[3]:
        raise _misfit(where, source, filters)
    _check_channels(filters[0], output, rest, where)


def _check_depthwise(shapes: list[list[int]], output: list[int], where: str) -> None:
    source, filters, *rest = shapes
    _check_ranks(source, filters, output, where)
    if filters[0] != 1 or source[3] == 0 or filters[3] % source[3]:
        raise _misfit(where, source, filters)
    _check_channels(filters[3], output, rest, where)


def _check_transpose_conv(shapes: list[list[int]], output: list[int], where: str) -> None:
    _, filters, source, *rest = shapes
    _check_ranks(source, filters, output, where)
    if filters[3] != source[3]:
        raise _misfit(where, source, filters)
    _check_channels(filters[0], output, rest, where)


def _check_dense(shapes: list[list[int]], output: list[int], where: str) -> None:
    source, filters, *rest = shapes
    if len(filters) != 2 or not source or filters[1] == 0:
        raise _misfit(where, source, filters)
    if not output or output[-1] != filters[0] or rest[:1] not in ([], [[]], [[filters[0]]]):
        raise _misfit(where, source, filters)


_LINEAR = {
    "CONV_2D": _check_conv,
    "DEPTHWISE_CONV_2D": _check_depthwise,
    "TRANSPOSE_CONV": _check_transpose_conv,
    "FULLY_CONNECTED": _check_dense,
}


def _check_ranks(
    source: Sequence[int], filters: Sequence[int], output: Sequence[int], where: str
) -> None:
    if not len(source) == len(filters) == len(output) == 4:
        raise ModelError(
            f"{where} has an input of shape {source}, a filter of shape {filters} and an output "
            f"of shape {output}; all must have 4 dimensions; {_AGAIN}"
        )


def _check_channels(channels: int, output: list[int], rest: list[list[int]], where: str) -> None:
    bias = rest[0] if rest else []
    if output[3] != channels or (bias and bias != [channels]):
        raise ModelError(
            f"{where} has a filter for {channels} output channels, an output of shape {output}"
            f"{f' and a bias of shape {bias}' if bias else ''}; {_AGAIN}"
        )


def _misfit(where: str, source: Sequence[int], filters: Sequence[int]) -> ModelError:
    return ModelError(
        f"{where} has an input of shape {source} and a filter of shape {filters}, which do not "
        f"fit; {_AGAIN}"
    )


def _ints(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]
