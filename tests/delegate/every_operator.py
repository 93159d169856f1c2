"""A model for every operator that the delegate runs, and for each way its parameters can be told.

No two sizes of one model are alike, so that parameters that trade places give another shape; an ADD
behind the operator, whose other input has the right shape, is refused then.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.one_operator import Tensor, one_operator_model
from tflite_eq.graph import schema

_SHAPE = (2, 9, 8, 4)
_SCALE, _ZERO_POINT = 0.05, 3
_IMAGE = Tensor(_SHAPE, [_SCALE], _ZERO_POINT)

Options = tuple[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Case:
    """One operator between the model's inputs and an ADD."""

    kind: str
    inputs: Sequence[Tensor]
    output_shape: tuple[int, ...]
    options: Options | None = None
    version: int = 2
    outputs: int = 1
    output: tuple[float, int] = (_SCALE, _ZERO_POINT)

    def model(self) -> bytes:
        """Content of a model file."""
        scale, zero_point = self.output
        output = Tensor(self.output_shape, [scale], zero_point)
        alone = one_operator_model(
            self.kind, self.version, self.inputs, output, self.options, outputs=self.outputs
        )
        return _followed_by_add(alone)


def _followed_by_add(content: bytes) -> bytes:
    generated = schema.schema()
    model = schema.parse(content)
    (graph,) = model.subgraphs
    output, last = graph.outputs[0], len(graph.tensors)
    other, total = (_renamed(graph.tensors[output], name) for name in (b"other", b"total"))
    code = generated.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.ADD
    code.version = 2
    model.operatorCodes.append(code)
    node = generated.OperatorT()
    node.opcodeIndex = len(model.operatorCodes) - 1
    node.inputs, node.outputs = [output, last], [last + 1]
    node.builtinOptionsType = generated.BuiltinOptions.AddOptions
    node.builtinOptions = generated.AddOptionsT()
    graph.tensors = [*graph.tensors, other, total]
    graph.operators = [*graph.operators, node]
    graph.inputs = [*graph.inputs, last]
    graph.outputs = [last + 1]
    return schema.serialize(model)


def _renamed(tensor: Any, name: bytes) -> Any:
    renamed = copy.copy(tensor)
    renamed.name = name
    return renamed


def _constant(values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(data.shape, kind="INT32", data=data)


def _weights(shape: tuple[int, ...], scales: int = 1) -> Tensor:
    data = np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)
    return Tensor(shape, [0.01 + 0.001 * i for i in range(scales)], data=data)


def _bias(channels: int) -> Tensor:
    return Tensor((channels,), [_SCALE * 0.01], kind="INT32", data=np.arange(channels, dtype="i4"))


def _window(stride: tuple[int, int], padding: str, **more: Any) -> dict[str, Any]:
    return {
        "strideH": stride[0],
        "strideW": stride[1],
        "padding": getattr(schema.schema().Padding, padding),
        **more,
    }


def cases() -> list[Case]:
    """At least one for every operator that the delegate's registry holds."""
    relu = {"fusedActivationFunction": schema.schema().ActivationFunctionType.RELU}
    dilated = {"dilationHFactor": 1, "dilationWFactor": 3}
    plain = {"dilationHFactor": 1, "dilationWFactor": 1}
    found = [
        Case(kind, [_IMAGE, _IMAGE], _SHAPE, (kind.title(), relu)) for kind in ("ADD", "SUB", "MUL")
    ]
    for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        window = {"filterHeight": 3, "filterWidth": 2, **relu}
        valid, same = _window((2, 1), "VALID", **window), _window((2, 1), "SAME", **window)
        found += [
            Case(kind, [_IMAGE], (2, 4, 7, 4), ("Pool2D", valid)),
            Case(kind, [_IMAGE], (2, 5, 8, 4), ("Pool2D", same)),
        ]
    found += [
        Case("CONCATENATION", [_IMAGE, _IMAGE], (2, 9, 16, 4), ("Concatenation", {"axis": 2})),
        Case("CONCATENATION", [_IMAGE, _IMAGE], (2, 9, 8, 8), ("Concatenation", {"axis": -1})),
        Case(
            "CONV_2D",
            [_IMAGE, _weights((5, 3, 2, 4), 5), _bias(5)],
            (2, 4, 7, 5),
            ("Conv2D", _window((2, 1), "VALID", **plain, **relu)),
            3,
        ),
        Case(
            "CONV_2D",
            [_IMAGE, _weights((5, 3, 2, 4), 5), _bias(5)],
            (2, 7, 5, 5),
            ("Conv2D", _window((1, 1), "VALID", **dilated)),
            3,
        ),
        Case(
            "DEPTHWISE_CONV_2D",
            [_IMAGE, _weights((1, 3, 2, 8)), _bias(8)],
            (2, 5, 8, 8),
            ("DepthwiseConv2D", _window((2, 1), "SAME", depthMultiplier=2, **plain, **relu)),
            3,
        ),
        Case(
            "DEPTHWISE_CONV_2D",
            [_IMAGE, _weights((1, 3, 2, 4)), _bias(4)],
            (2, 7, 5, 4),
            ("DepthwiseConv2D", _window((1, 1), "VALID", depthMultiplier=1, **dilated)),
            3,
        ),
        Case("HARD_SWISH", [_IMAGE], _SHAPE, ("HardSwish", {}), 1),
        Case("LEAKY_RELU", [_IMAGE], _SHAPE, ("LeakyRelu", {"alpha": 0.3})),
        Case("PRELU", [_IMAGE, _weights((1, 1, 4))], _SHAPE, None, 1),
        Case("QUANTIZE", [_IMAGE], _SHAPE, ("Quantize", {})),
        *(Case(kind, [_IMAGE], _SHAPE) for kind in ("RELU", "RELU6")),
        Case("RELU_N1_TO_1", [_IMAGE], _SHAPE, None, 1),
        Case("RESHAPE", [_IMAGE], (3, 6, 32), ("Reshape", {"newShape": [3, 6, 32]}), 1),
        Case("RESHAPE", [_IMAGE, _constant([3, 6, 32])], (3, 6, 32), ("Reshape", {}), 1),
        Case("RESHAPE", [_IMAGE, _constant([3, 6, 32])], (3, 6, 32), None, 1),
        Case(
            "SQUEEZE",
            [dataclasses.replace(_IMAGE, shape=(1, 9, 1, 4))],
            (1, 9, 4),
            ("Squeeze", {"squeezeDims": [2]}),
            1,
        ),
        Case(
            "SQUEEZE",
            [dataclasses.replace(_IMAGE, shape=(1, 9, 1, 4))],
            (9, 4),
            ("Squeeze", {}),
            1,
        ),
    ]
    paddings = _constant([[0, 0], [1, 2], [4, 0], [0, 1]])
    value = Tensor((1,), [_SCALE], _ZERO_POINT, data=np.array([7], np.int8))
    found += [
        Case("PAD", [_IMAGE, paddings], (2, 12, 12, 5), ("Pad", {})),
        Case("PADV2", [_IMAGE, paddings, value], (2, 12, 12, 5), ("PadV2", {})),
    ]
    resized = (2, 5, 11, 4)
    for kind, name in (
        ("RESIZE_BILINEAR", "ResizeBilinear"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"),
    ):
        flags = {"alignCorners": False, "halfPixelCenters": True}
        found.append(Case(kind, [_IMAGE, _constant([5, 11])], resized, (name, flags), 3))
    found += [
        *(
            Case(k, [_IMAGE, _IMAGE], _SHAPE, ("MaximumMinimum", {}))
            for k in ("MAXIMUM", "MINIMUM")
        ),
        Case("TANH", [_IMAGE], _SHAPE),
        Case("TRANSPOSE", [_IMAGE, _constant([0, 3, 1, 2])], (2, 4, 9, 8), ("Transpose", {})),
        Case(
            "SLICE",
            [_IMAGE, _constant([0, 2, 1, 0]), _constant([2, 6, -1, 3])],
            (2, 6, 7, 3),
            ("Slice", {}),
        ),
        Case("EXPAND_DIMS", [_IMAGE, _constant(2)], (2, 9, 1, 8, 4), ("ExpandDims", {}), 1),
        Case("PACK", [_IMAGE, _IMAGE], (2, 9, 2, 8, 4), ("Pack", {"axis": 2, "valuesCount": 2})),
        Case("SPLIT", [_constant(3), _IMAGE], (2, 9, 8, 2), ("Split", {"numSplits": 2}), outputs=2),
        Case(
            "SPLIT_V",
            [_IMAGE, _constant([1, 7]), _constant(-2)],
            (2, 9, 1, 4),
            ("SplitV", {"numSplits": 2}),
            outputs=2,
        ),
        Case("UNPACK", [_IMAGE], (2, 9, 4), ("Unpack", {"axis": 2, "num": 8}), outputs=8),
    ]
    slices = {"beginMask": 2, "endMask": 4, "shrinkAxisMask": 8}
    strided = [_constant(x) for x in ([0, 5, 1, 2], [2, 8, 5, 3], [1, 2, 3, 1])]
    found.append(Case("STRIDED_SLICE", [_IMAGE, *strided], (2, 4, 3), ("StridedSlice", slices)))
    even = dataclasses.replace(_IMAGE, shape=(2, 6, 8, 4))
    found += [
        Case("SPACE_TO_DEPTH", [even], (2, 3, 4, 16), ("SpaceToDepth", {"blockSize": 2})),
        Case("DEPTH_TO_SPACE", [even], (2, 12, 16, 1), ("DepthToSpace", {"blockSize": 2}), 1),
    ]
    mirrored = [_IMAGE, _constant([[0, 0], [8, 2], [7, 0], [0, 1]])]
    reflect = {"mode": schema.schema().MirrorPadMode.REFLECT}
    found.append(Case("MIRROR_PAD", mirrored, (2, 19, 15, 5), ("MirrorPad", reflect)))
    # Wherever LOGISTIC's output is read by ADD, that has the scale of 1/256.
    found.append(Case("LOGISTIC", [_IMAGE], _SHAPE, output=(1 / 256, -128)))
    for kind in ("MEAN", "REDUCE_MAX", "REDUCE_MIN"):
        for keep, shape in ((True, (2, 1, 1, 4)), (False, (2, 4))):
            axes = _constant([1, 2])
            found.append(Case(kind, [_IMAGE, axes], shape, ("Reducer", {"keepDims": keep})))
    for kind, padding, shape in (
        ("TRANSPOSE_CONV", "SAME", (2, 18, 8, 5)),
        ("TRANSPOSE_CONV", "VALID", (2, 19, 9, 5)),
    ):
        inputs = [_constant(shape), _weights((5, 3, 2, 4), 5), _IMAGE, _bias(5)]
        found.append(Case(kind, inputs, shape, ("TransposeConv", _window((2, 1), padding)), 3))
    found += [
        Case("ABS", [_IMAGE], _SHAPE, ("Abs", {})),
        Case("EXP", [_IMAGE], _SHAPE, ("Exp", {})),
        Case("GELU", [_IMAGE], _SHAPE, ("Gelu", {"approximate": True})),
        Case("RELU_0_TO_1", [_IMAGE], _SHAPE, None, 1),
    ]
    return found
