"""The golden vectors of operators other than convolutions: text that Python and C++ both read.

TRANSPOSE_CONV has its weights, their scales and its bias beside its input.

Operators that only move codes have their constant inputs, such as paddings or an order of
dimensions, as ``arguments``, and of several outputs the one that ``piece`` names.

As in ``vectors``, a case is a line ``case NAME`` and one line per field. Tensors are their shape,
a colon and their codes, scales hexadecimal floats, flags 0 or 1. ``all`` stands for the 256 codes
in order, the input of every operator that looks at one code alone.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.one_operator import Tensor, one_operator_model
from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, Runtime

PATH = Path(__file__).with_name("operators.txt")
ALL_CODES = np.arange(-128, 128).astype(np.int8)
Codes = npt.NDArray[np.int8]


@dataclasses.dataclass(frozen=True)
class Operand:
    """An input, or where ``codes`` are those of the oracle, the output."""

    codes: Codes
    scale: float
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Case:
    """One operator as a model file describes it, its inputs and the oracle's output."""

    name: str
    operator: str
    inputs: list[Operand]
    output: Operand
    activation: str = "NONE"
    alpha: float = 0.0
    filter: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: str = "same"
    align_corners: bool = False
    half_pixel_centers: bool = False
    keep_dims: bool = True
    arguments: tuple[tuple[int, ...], ...] = ()
    axis: int = 0
    block: int = 1
    masks: tuple[int, ...] = ()
    mode: str = "REFLECT"
    pieces: int = 1
    piece: int = 0
    approximate: bool = False
    weights: tuple[int, ...] = ()  # [output channel][filter][input channel]
    weight_scales: tuple[float, ...] = ()  # one, or one per output channel
    bias: tuple[int, ...] = ()

    def model(self) -> bytes:
        """The operator alone; slopes, axes and sizes are constant."""
        inputs = [Tensor(x.codes.shape, [x.scale], x.zero_point) for x in self.inputs]
        if self.operator == "PRELU":
            inputs[1] = dataclasses.replace(inputs[1], data=self.inputs[1].codes)
        elif self.operator == "MEAN":
            inputs.append(_constant(self.arguments[0] if self.arguments else [1, 2]))
        elif self.operator == "TRANSPOSE_CONV":
            inputs = [_constant(self.output.codes.shape), self._weights(), *inputs]
            if self.bias:
                inputs.append(self._bias())
        elif self.operator.startswith("RESIZE"):
            inputs.append(_constant(self.output.codes.shape[1:3]))
        elif self.operator in ("PAD", "PADV2", "MIRROR_PAD"):
            inputs.insert(1, _constant(np.reshape(self.arguments[0], (-1, 2))))
            if self.operator == "PADV2":
                inputs[2] = dataclasses.replace(inputs[2], data=self.inputs[1].codes)
        elif self.operator in ("SPLIT", "SPLIT_V"):
            before = [_constant(a) for a in self.arguments]
            inputs = [*before, *inputs] if self.operator == "SPLIT" else [*inputs, *before]
        elif self.operator != "SQUEEZE":
            inputs += [_constant(a) for a in self.arguments]
        output = Tensor(self.output.codes.shape, [self.output.scale], self.output.zero_point)
        version = _VERSIONS.get(self.operator, 2)
        if self.operator == "TRANSPOSE_CONV":
            version = 4 if self.activation != "NONE" else 3 if self.bias else 2
        return one_operator_model(
            self.operator,
            version,
            inputs,
            output,
            self._options(),
            outputs=self.pieces,
            which=self.piece,
        )

    def run(self, runtime: Runtime) -> Codes:
        """The output codes of a runtime's reference kernels."""
        interpreter = runtime.interpreter(self.model(), Kernels.REFERENCE)
        interpreter.allocate_tensors()
        for detail, operand in zip(interpreter.get_input_details(), self.inputs):
            interpreter.set_tensor(detail["index"], operand.codes)
        interpreter.invoke()
        codes: Codes = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return codes

    def _weights(self) -> Tensor:
        shape = (self.output.codes.shape[3], *self.filter, self.inputs[0].codes.shape[3])
        data = np.array(self.weights, np.int8).reshape(shape)
        return Tensor(shape, self.weight_scales, data=data)

    def _bias(self) -> Tensor:
        scales = np.array(self.weight_scales, np.float32) * np.float32(self.inputs[0].scale)
        data = np.array(self.bias, np.int32)
        return Tensor(data.shape, [float(s) for s in scales], kind="INT32", data=data)

    def _options(self) -> tuple[str, dict[str, Any]] | None:
        generated = schema.schema()
        activation = {
            "fusedActivationFunction": getattr(generated.ActivationFunctionType, self.activation)
        }
        resize = {"alignCorners": self.align_corners, "halfPixelCenters": self.half_pixel_centers}
        pool = {
            "padding": getattr(generated.Padding, self.padding.upper()),
            "filterHeight": self.filter[0],
            "filterWidth": self.filter[1],
            "strideH": self.stride[0],
            "strideW": self.stride[1],
            **activation,
        }
        return {
            "ADD": ("Add", {"potScaleInt16": False, **activation}),
            "SUB": ("Sub", {"potScaleInt16": False, **activation}),
            "MUL": ("Mul", activation),
            "MAX_POOL_2D": ("Pool2D", pool),
            "AVERAGE_POOL_2D": ("Pool2D", pool),
            **dict.fromkeys(
                ("MEAN", "REDUCE_MAX", "REDUCE_MIN"), ("Reducer", {"keepDims": self.keep_dims})
            ),
            "TRANSPOSE_CONV": (
                "TransposeConv",
                {k: v for k, v in pool.items() if not k.startswith("filter")},
            ),
            "ABS": ("Abs", {}),
            "EXP": ("Exp", {}),
            "GELU": ("Gelu", {"approximate": self.approximate}),
            "PAD": ("Pad", {}),
            "PADV2": ("PadV2", {}),
            "RESHAPE": ("Reshape", {"newShape": list(self.output.codes.shape)}),
            "SQUEEZE": ("Squeeze", {"squeezeDims": [a for one in self.arguments for a in one]}),
            "MIRROR_PAD": ("MirrorPad", {"mode": getattr(generated.MirrorPadMode, self.mode)}),
            "CONCATENATION": ("Concatenation", {"axis": self.axis}),
            "PACK": ("Pack", {"axis": self.axis, "valuesCount": len(self.inputs)}),
            "UNPACK": ("Unpack", {"axis": self.axis, "num": self.pieces}),
            "EXPAND_DIMS": ("ExpandDims", {}),
            "TRANSPOSE": ("Transpose", {}),
            "SLICE": ("Slice", {}),
            "STRIDED_SLICE": (
                "StridedSlice",
                dict(zip(("beginMask", "endMask", "shrinkAxisMask"), self.masks or (0, 0, 0))),
            ),
            "SPLIT": ("Split", {"numSplits": self.pieces}),
            "SPLIT_V": ("SplitV", {"numSplits": self.pieces}),
            "SPACE_TO_DEPTH": ("SpaceToDepth", {"blockSize": self.block}),
            "DEPTH_TO_SPACE": ("DepthToSpace", {"blockSize": self.block}),
            "MAXIMUM": ("MaximumMinimum", {}),
            "MINIMUM": ("MaximumMinimum", {}),
            "LEAKY_RELU": ("LeakyRelu", {"alpha": self.alpha}),
            "HARD_SWISH": ("HardSwish", {}),
            "QUANTIZE": ("Quantize", {}),
            "RESIZE_BILINEAR": ("ResizeBilinear", resize),
            "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighbor", resize),
        }.get(self.operator)


# The others' is 2.
_VERSIONS = {
    "PRELU": 1,
    "HARD_SWISH": 1,
    "RELU_N1_TO_1": 1,
    "RELU_0_TO_1": 1,
    "DEPTH_TO_SPACE": 1,
    "EXPAND_DIMS": 1,
    "RESHAPE": 1,
    "SQUEEZE": 1,
    "SPLIT_V": 2,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
}


def outputs_of(runtime: Runtime, cases: list[Case]) -> list[Codes | str]:
    """What a runtime answers to each case: codes, or why it does not."""
    outputs: list[Codes | str] = []
    for case in cases:
        try:
            outputs.append(case.run(runtime))
        except (BackendError, RuntimeError, ValueError) as error:
            outputs.append(str(error))
    return outputs


def is_too_old(answer: Codes | str) -> bool:
    """Whether a runtime does not have the operator in the version that the case asks for."""
    return isinstance(answer, str) and "Didn't find op" in answer


def write(cases: list[Case], path: Path = PATH) -> None:
    lines = ["# Made by tests/golden/make_operator_vectors.py with TFLite's reference kernels."]
    for case in cases:
        lines += [f"case {case.name}", f"operator {case.operator}"]
        for number, operand in enumerate(case.inputs):
            lines += _operand_lines(f"input{number}", operand)
        lines += _operand_lines("output", case.output)
        # Fields that are as usual are left out.
        for field in dataclasses.fields(case)[4:]:
            value = getattr(case, field.name)
            if value != field.default:
                lines.append(f"{field.name} {_text(value)}")
    path.write_text("\n".join(lines) + "\n")


def read(path: Path = PATH) -> list[Case]:
    cases: list[dict[str, str]] = []
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == "case":
            cases.append({"name": value})
        elif key != "#":
            cases[-1][key] = value
    return [_case(fields) for fields in cases]


def _case(fields: dict[str, str]) -> Case:
    names = (f"input{number}" for number in range(len(fields)))
    inputs = [_operand(fields, name) for name in names if name in fields]
    usual: dict[str, Any] = {}
    for field in dataclasses.fields(Case)[4:]:
        if field.name == "arguments" and field.name in fields:
            usual["arguments"] = tuple(_value(one, ()) for one in fields["arguments"].split(";"))
        elif field.name in fields:
            usual[field.name] = _value(fields[field.name], field.default)
    return Case(fields["name"], fields["operator"], inputs, _operand(fields, "output"), **usual)


def _operand(fields: dict[str, str], key: str) -> Operand:
    shape, _, codes = fields[key].partition(" : ")
    values = ALL_CODES if codes == "all" else np.array(codes.split(), np.int64).astype(np.int8)
    return Operand(
        values.reshape([int(n) for n in shape.split()]),
        float.fromhex(fields[f"{key}_scale"]),
        int(fields[f"{key}_zero_point"]),
    )


def _operand_lines(key: str, operand: Operand) -> list[str]:
    codes = operand.codes
    is_all = codes.size == ALL_CODES.size and bool((codes.ravel() == ALL_CODES).all())
    values = "all" if is_all else " ".join(map(str, codes.ravel()))
    return [
        f"{key} {' '.join(map(str, codes.shape))} : {values}",
        f"{key}_scale {float(operand.scale).hex()}",
        f"{key}_zero_point {operand.zero_point}",
    ]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return " ; ".join(map(_text, value))
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def _value(text: str, like: Any) -> Any:
    if isinstance(like, bool):
        return text == "1"
    if isinstance(like, float):
        return float.fromhex(text)
    if isinstance(like, int):
        return int(text)
    if isinstance(like, tuple):
        return tuple(float.fromhex(w) if "0x" in w else int(w) for w in text.split())
    return text


def _constant(values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(data.shape, kind="INT32", data=data)
