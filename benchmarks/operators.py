"""Time of single operators on stock runtimes, INT8 beside float: which are slow, and in which form.

Every operator is a network by itself, written by the quantizer's own writer, and all of them run in
turns in one process with one thread, so that a slow spell of the machine hits all alike. Prints a
table, and writes every figure as JSON.

    python -m benchmarks.operators [--runtime ai-edge-litert] [--shape 56,56,96] [--rounds 40]
        [--only RELU] [--output operators.json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from benchmarks.tables import markdown
from tests.operators.builder import Network, OperatorBuilder
from tests.writing.records import written
from tflite_eq.config import Forms
from tflite_eq.delegate.benchmark import Times
from tflite_eq.delegate.peer import peer_instructions
from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.runtimes import Kernels, Runtime, runtime_named

# Scale of results that have one of their own; inputs have another (``tests.writing.records``).
_RESULT_SCALE = 0.04

Shape = tuple[int, ...]
Form = Callable[[OperatorBuilder, Shape], Sequence[int]]


def _float(*shape: int, low: float = -1.0, high: float = 1.0) -> Any:
    return np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)


def _unary(kind: str, **options: Any) -> Form:
    return lambda net, shape: net.operator(kind, [net.activation(shape)], **options)


def _binary(kind: str, other: str = "tensor", **options: Any) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        if other == "tensor":
            second = net.activation(shape)
        else:
            second = net.constant(_float(*((1,) if other == "one" else shape[-1:])))
        return net.operator(kind, [net.activation(shape), second], **options)

    return form


def _compared(kind: str) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        return net.operator(kind, [net.activation(shape), net.activation(shape)], ["BOOL"])

    return form


def _with_integers(kind: str, *integers: Any, scalar: bool = False, **options: Any) -> Form:
    """An operator that reads integers besides: axes, sizes, paddings."""

    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        told = [i(shape) if callable(i) else i for i in integers]
        made = [net.constant(np.array(i, np.int32)) for i in told]
        return net.operator(kind, [net.activation(shape), *made], **options)

    return form


def _pool(kind: str, size: int | None, stride: int = 1) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        height, width = (size, size) if size else shape[1:3]
        window = {"filterHeight": height, "filterWidth": width}
        strides = {"strideH": stride, "strideW": stride}
        return net.operator(kind, [net.activation(shape)], padding=1, **window, **strides)

    return form


def _prelu(same: bool) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        slopes = np.full((1, 1, shape[-1]), 0.25, np.float32) if same else _float(1, 1, shape[-1])
        return net.operator("PRELU", [net.activation(shape), net.constant(slopes)])

    return form


def _conv(size: int, made: int = 0, read: int = 0, stride: int = 1) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        x = net.activation((*shape[:3], read or shape[3]))
        filters = _float(made or shape[3], size, size, read or shape[3], low=-0.1, high=0.1)
        bias = net.constant(_float(made or shape[3]))
        strides = {"strideH": stride, "strideW": stride}
        return net.operator("CONV_2D", [x, net.constant(filters), bias], **strides)

    return form


def _depthwise(size: int, stride: int = 1) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        filters = net.constant(_float(1, size, size, shape[3], low=-0.1, high=0.1))
        inputs = [net.activation(shape), filters, net.constant(_float(shape[3]))]
        strides = {"strideH": stride, "strideW": stride}
        return net.operator("DEPTHWISE_CONV_2D", inputs, depthMultiplier=1, **strides)

    return form


def _dense(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    read = math.prod(shape[2:])
    filters = net.constant(_float(shape[1] * 4, read, low=-0.1, high=0.1))
    bias = net.constant(_float(shape[1] * 4))
    return net.operator("FULLY_CONNECTED", [net.activation((1, read)), filters, bias])


def _transpose_conv(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    batch, height, width, channels = shape
    ends = net.integers([batch, 2 * height, 2 * width, channels])
    filters = net.constant(_float(channels, 2, 2, channels, low=-0.1, high=0.1))
    inputs = [ends, filters, net.activation(shape), net.constant(_float(channels))]
    return net.operator("TRANSPOSE_CONV", inputs, strideH=2, strideW=2)


def _batch_matmul(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    return net.operator("BATCH_MATMUL", [net.activation(shape), net.activation(shape)], adjY=True)


def _joined(kind: str, **options: Any) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        half = (*shape[:-1], shape[-1] // 2)
        return net.operator(kind, [net.activation(half), net.activation(half)], **options)

    return form


def _split(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    axis = net.constant(np.array(3, np.int32))
    return net.operator("SPLIT", [axis, net.activation(shape)], ["FLOAT32"] * 2, numSplits=2)


def _split_v(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    inputs = [net.activation(shape), net.integers([shape[3] // 2] * 2), net.integers(3)]
    return net.operator("SPLIT_V", inputs, ["FLOAT32"] * 2, numSplits=2)


def _unpack(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    made = ["FLOAT32"] * shape[1]
    return net.operator("UNPACK", [net.activation(shape)], made, num=shape[1], axis=1)


def _padv2(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    value = net.constant(np.array(-1.0, np.float32))
    around = net.integers([[0, 0], [1, 1], [1, 1], [0, 0]])
    return net.operator("PADV2", [net.activation(shape), around, value])


def _select(kind: str) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        condition = net.constant(_float(*shape) > 0)
        return net.operator(kind, [condition, net.activation(shape), net.activation(shape)])

    return form


def _top_k(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
    count = net.constant(np.array(min(8, shape[-1]), np.int32))
    return net.operator("TOPK_V2", [net.activation(shape), count], ["FLOAT32", "INT32"])[:1]


def _index_of(kind: str) -> Form:
    def form(net: OperatorBuilder, shape: Shape) -> Sequence[int]:
        axis = net.constant(np.array(3, np.int32))
        return net.operator(kind, [net.activation(shape), axis], ["INT32"], outputType=2)

    return form


def _doubled(shape: Shape) -> list[int]:
    return [2 * shape[1], 2 * shape[2]]


_SPATIAL = [1, 2]
_AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]

# By name; what stands in front of the first blank is the kind.
FORMS: dict[str, Form] = {
    **{kind: _unary(kind) for kind in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")},
    "PRELU": _prelu(same=False),
    "PRELU one slope": _prelu(same=True),
    "LEAKY_RELU": _unary("LEAKY_RELU", alpha=0.25),
    "LEAKY_RELU slope 0": _unary("LEAKY_RELU", alpha=0.0),
    **{kind: _unary(kind) for kind in ("ABS", "ELU", "EXP", "HARD_SWISH", "LOGISTIC", "TANH")},
    "GELU": _unary("GELU", approximate=False),
    **{kind: _unary(kind) for kind in ("LOG", "RSQRT", "L2_NORMALIZATION", "LOG_SOFTMAX")},
    "SOFTMAX": _unary("SOFTMAX", beta=1.0),
    **{kind: _binary(kind) for kind in ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE")},
    **{f"{kind} constant": _binary(kind, "one") for kind in ("ADD", "SUB", "MUL")},
    **{f"{kind} channels": _binary(kind, "channels") for kind in ("ADD", "SUB", "MUL")},
    "ADD fused RELU": _binary("ADD", fusedActivationFunction=1),
    **{kind: _binary(kind) for kind in ("MAXIMUM", "MINIMUM")},
    **{f"{kind} constant": _binary(kind, "one") for kind in ("MAXIMUM", "MINIMUM")},
    "MAX_POOL_2D 2x2": _pool("MAX_POOL_2D", 2, 2),
    "MAX_POOL_2D 1x1": _pool("MAX_POOL_2D", 1),
    "AVERAGE_POOL_2D 2x2": _pool("AVERAGE_POOL_2D", 2, 2),
    "AVERAGE_POOL_2D 3x3 stride 1": _pool("AVERAGE_POOL_2D", 3),
    "AVERAGE_POOL_2D 7x7 stride 7": _pool("AVERAGE_POOL_2D", 7, 7),
    "AVERAGE_POOL_2D whole": _pool("AVERAGE_POOL_2D", None),
    "MEAN spatial": _with_integers("MEAN", _SPATIAL, keepDims=True),
    "MEAN channels": _with_integers("MEAN", [3], keepDims=True),
    "SUM spatial": _with_integers("SUM", _SPATIAL, keepDims=True),
    "REDUCE_MAX spatial": _with_integers("REDUCE_MAX", _SPATIAL, keepDims=True),
    "REDUCE_MIN spatial": _with_integers("REDUCE_MIN", _SPATIAL, keepDims=True),
    "RESIZE_BILINEAR half pixel": _with_integers(
        "RESIZE_BILINEAR", _doubled, halfPixelCenters=True
    ),
    "RESIZE_BILINEAR align corners": _with_integers("RESIZE_BILINEAR", _doubled, alignCorners=True),
    "RESIZE_BILINEAR": _with_integers("RESIZE_BILINEAR", _doubled),
    "RESIZE_NEAREST_NEIGHBOR": _with_integers("RESIZE_NEAREST_NEIGHBOR", _doubled),
    "CONCATENATION": _joined("CONCATENATION", axis=3),
    "PACK": _joined("PACK", axis=3, valuesCount=2),
    "PAD": _with_integers("PAD", _AROUND),
    "PADV2": _padv2,
    "MIRROR_PAD": _with_integers("MIRROR_PAD", _AROUND, mode=0),
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
    "SLICE": _with_integers("SLICE", [0, 1, 1, 0], [-1, -1, -1, -1]),
    "STRIDED_SLICE": _with_integers(
        "STRIDED_SLICE", [0, 0, 0, 0], lambda shape: list(shape), [1, 2, 2, 1]
    ),
    "RESHAPE": _with_integers("RESHAPE", [1, -1]),
    "TRANSPOSE": _with_integers("TRANSPOSE", [0, 3, 1, 2]),
    "TILE": _with_integers("TILE", [1, 1, 1, 2]),
    "GATHER": _with_integers("GATHER", lambda shape: list(range(shape[3])), axis=3),
    "DEPTH_TO_SPACE": _unary("DEPTH_TO_SPACE", blockSize=2),
    "SPACE_TO_DEPTH": _unary("SPACE_TO_DEPTH", blockSize=2),
    "SPACE_TO_BATCH_ND": _with_integers("SPACE_TO_BATCH_ND", [2, 2], [[0, 0], [0, 0]]),
    "BATCH_TO_SPACE_ND": _with_integers("BATCH_TO_SPACE_ND", [1, 1], [[0, 0], [0, 0]]),
    "REVERSE_V2": _with_integers("REVERSE_V2", [1]),
    "SELECT": _select("SELECT"),
    "SELECT_V2": _select("SELECT_V2"),
    "TOPK_V2": _top_k,
    **{kind: _index_of(kind) for kind in ("ARG_MAX", "ARG_MIN")},
    **{kind: _compared(kind) for kind in ("EQUAL", "GREATER", "LESS")},
    "CONV_2D 1x1": _conv(1),
    "CONV_2D 3x3": _conv(3),
    "CONV_2D 3x3 stride 2 of 3 channels": _conv(3, read=3, stride=2),
    "DEPTHWISE_CONV_2D 1x1": _depthwise(1),
    "DEPTHWISE_CONV_2D 3x3": _depthwise(3),
    "DEPTHWISE_CONV_2D 5x5": _depthwise(5),
    "DEPTHWISE_CONV_2D 2x2 stride 2": _depthwise(2, 2),
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV 2x2 stride 2": _transpose_conv,
    "BATCH_MATMUL": _batch_matmul,
}


@dataclasses.dataclass(frozen=True)
class Side:
    """An operator in one type.

    Attributes:
        times: Milliseconds of one inference.
        ns: Nanoseconds per value of the larger of what is read and what is written, at least.
        operators: What the runtime makes of the network, e.g. ``("DELEGATE",)``.
    """

    times: Times
    ns: float
    operators: tuple[str, ...]


def measured(
    runtime: Runtime, shape: Shape, rounds: int, only: str = ""
) -> dict[str, dict[str, Side]]:
    """Times by operator and side: ``float32``, ``int8``, and ``fast`` where that differs."""
    contenders: dict[tuple[str, str], tuple[Any, int]] = {}
    for name, form in FORMS.items():
        if only not in name:
            continue
        net = OperatorBuilder(between=False)
        network = net.network(form(net, shape))
        models = {"float32": network.model, "int8": _int8(network, Forms.PLAIN)}
        models["fast"] = _int8(network, Forms.FAST)
        if models["fast"] == models["int8"]:
            del models["fast"]
        for kind, model in models.items():
            try:
                interpreter = runtime.interpreter(model, Kernels.DEFAULT, 1)
                interpreter.allocate_tensors()
                _feed(interpreter)
                interpreter.invoke()
            except (BackendError, RuntimeError, ValueError):
                continue
            contenders[name, kind] = interpreter, _values(network)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in contenders}
    for _ in range(rounds):
        for key, (interpreter, _) in contenders.items():
            start = time.perf_counter()
            interpreter.invoke()
            times[key].append((time.perf_counter() - start) * 1e3)
    found: dict[str, dict[str, Side]] = {}
    for (name, kind), (interpreter, values) in contenders.items():
        taken = tuple(detail["op_name"] for detail in interpreter._get_ops_details())
        summary = Times.of(times[name, kind])
        side = Side(summary, round(summary.min * 1e6 / values, 4), taken)
        found.setdefault(name, {})[kind] = side
    return found


def _int8(network: Network, forms: Forms) -> bytes:
    graph = Graph.from_bytes(network.model)
    own = {
        index: _RESULT_SCALE
        for operator in graph.operators
        if INT8_KERNELS[operator.kind].scales is Scales.OWN
        for index in operator.outputs
    }
    made = written(network.model, frozenset(), "int8", "int8", own, forms)
    return schema.serialize(made.model)


def _values(network: Network) -> int:
    return max(
        sum(math.prod(shape) for shape in network.shapes),
        sum(math.prod(shape) for shape, _ in network.made),
    )


def _feed(interpreter: Any) -> None:
    random = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        if detail["dtype"] == np.int8:
            values = random.integers(-128, 128, detail["shape"], np.int8)
        else:
            values = random.standard_normal(detail["shape"], np.float32)
        interpreter.set_tensor(detail["index"], values)


def table(found: dict[str, dict[str, Side]]) -> str:
    """The figures as Markdown, the operators that lose most in INT8 first."""
    rows = []
    for name, sides in found.items():
        if "int8" in sides and "float32" in sides:
            real, codes, fast = sides["float32"], sides["int8"], sides.get("fast")
            written = "" if fast is None else f"{fast.ns:.3f}"
            ratio = codes.ns / max(real.ns, 1e-9)
            cells = (f"{real.ns:.3f}", f"{codes.ns:.3f}", f"{ratio:.2f}", _by(codes), written)
            rows.append((ratio, name, cells))
    rows.sort(reverse=True)
    heading = ("operator", "float, ns", "INT8, ns", "ratio", "INT8 by", "fast form, ns")
    return markdown([heading, *((name, *cells) for _, name, cells in rows)])


def _by(side: Side) -> str:
    return "XNNPACK" if "DELEGATE" in side.operators else "built-in kernels"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runtime", default="ai-edge-litert")
    parser.add_argument("--shape", default="56,56,96", help="height, width and channels")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="only forms with this in their names")
    parser.add_argument("--output", type=pathlib.Path)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runtime = runtime_named(args.runtime)
    shape = (1, *(int(size) for size in args.shape.split(",")))
    found = measured(runtime, shape, args.rounds, args.only)
    peer = peer_instructions(runtime.name, runtime.version)
    print(f"{runtime.description}, {peer}, one thread, {args.shape}, least of {args.rounds} runs\n")
    print(table(found))
    if args.output:
        plain = {
            name: {kind: dataclasses.asdict(side) for kind, side in sides.items()}
            for name, sides in found.items()
        }
        figures = {"runtime": runtime.description, "peer": peer, "shape": shape, "found": plain}
        args.output.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
