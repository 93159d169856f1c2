"""Operators that stock runtimes are slow at in int8, written as others: the same codes or better.

What a form computes from all 256 codes is compared with the exact result of the float function, in
codes before rounding, and with what the operator's own kernel gives.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import numpy as np
import pytest

from tests.built_models import NetworkBuilder, samples
from tests.writing.records import kinds, record_of
from tflite_eq import quantize
from tflite_eq.config import Config, Forms, IoType
from tflite_eq.graph import schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes, preferred_runtime
from tflite_eq.writing.fast_forms import with_fast_swish
from tflite_eq.writing.writer import write

Array = np.ndarray[Any, Any]

REFERENCE = Kernels.REFERENCE

# One rounding; fixed-point requantization of a layer adds up to 2 of its multipliers, which are
# below 1/127 of a ratio of scales here, and XNNPACK's addition has multipliers of 21 bits.
NEAREST = 0.52

CHANNELS = 6
SHAPE = (1, 16, 16, CHANNELS)
# Of both signs, above 1, 0, and -1.
SLOPES = np.array([0.25, -0.3, 1.6, 0.0, -1.0, 0.037], np.float32)

# Result's codes: all of int8 with 0 at its lower end, inside, and 7-bit windows.
RESULTS = [(0.7, -128), (1.0, -128), (0.41, -60), (1.37, 3), (1.4, 0), (2.1, -64)]


def network(kind: str, slopes: Array | None = None) -> bytes:
    net = NetworkBuilder(*SHAPE)
    inputs = [net.input] if slopes is None else [net.input, net.constant(slopes)]
    return net.finished(net.operator(kind, inputs, SHAPE))


def quantized(
    data: bytes, source: AffineParams, result: AffineParams, forms: Forms = Forms.FAST
) -> Graph:
    graph = Graph.from_bytes(data)
    record = dataclasses.replace(record_of(graph), config=Config(forms=forms))
    by_index = {graph.inputs[0]: source, graph.outputs[0]: result}
    for tensor in record.tensors:
        params = by_index[tensor.index]
        tensor.scale, tensor.zero_point = params.scale, params.zero_point
    made = write(graph, linear_layers(graph), record, frozenset(), IoType.INT8, IoType.INT8)
    return Graph.from_bytes(schema.serialize(made.model))


def codes_of(graph: Graph, given: Array, runtime: Runtime, kernels: Kernels) -> Array:
    interpreter = runtime.interpreter(schema.serialize(graph.model), kernels)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    found: Array = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found


def all_codes() -> Array:
    codes = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
    return np.ascontiguousarray(np.broadcast_to(codes, SHAPE))


def exact(given: Array, source: AffineParams, result: AffineParams, function: Any) -> Array:
    """The result in codes before rounding, clipped to int8."""
    scale = np.float64(np.float32(source.scale))
    real = function((given.astype(np.float64) - source.zero_point) * scale)
    codes = real / np.float64(np.float32(result.scale)) + result.zero_point
    return np.asarray(codes.clip(-128, 127))


def sloped(slopes: Any) -> Callable[[Array], Array]:
    return lambda x: np.where(x < 0, slopes * x, x)


FUNCTIONS: dict[str, tuple[bytes, Callable[[Array], Array], list[str]]] = {
    "RELU": (network("RELU"), lambda x: x.clip(0, None), ["ADD"]),
    "RELU6": (network("RELU6"), lambda x: x.clip(0, 6), ["ADD"]),
    "RELU_N1_TO_1": (network("RELU_N1_TO_1"), lambda x: x.clip(-1, 1), ["ADD"]),
    "ABS": (network("ABS"), np.abs, ["ADD", "MUL", "ADD"]),
    "PRELU of both signs": (
        network("PRELU", SLOPES),
        sloped(SLOPES),
        ["ADD", "QUANTIZE", "DEPTHWISE_CONV_2D", "ADD"],
    ),
    "PRELU not negative": (
        network("PRELU", np.abs(SLOPES)),
        sloped(np.abs(SLOPES)),
        ["ADD", "DEPTHWISE_CONV_2D", "ADD"],
    ),
    "PRELU not positive": (
        network("PRELU", -np.abs(SLOPES).reshape(1, 1, -1)),
        sloped(-np.abs(SLOPES)),
        ["ADD", "DEPTHWISE_CONV_2D", "ADD"],
    ),
}


@pytest.mark.parametrize(("scale", "zero_point"), RESULTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_codes_are_no_further_from_the_exact_result_than_the_operators_own(
    name: str, scale: float, zero_point: int
) -> None:
    data, function, expected = FUNCTIONS[name]
    source, result = AffineParams(0.05, 17), AffineParams(0.05 * scale, zero_point)
    fast, plain = (quantized(data, source, result, forms) for forms in (Forms.FAST, Forms.PLAIN))
    assert (kinds(fast), kinds(plain)) == (expected, [name.split()[0]])
    given = all_codes()
    right = exact(given, source, result, function)
    runtime = preferred_runtime()
    found, own = (codes_of(g, given, runtime, Kernels.REFERENCE) for g in (fast, plain))
    assert np.abs(found - right).max() <= NEAREST
    assert np.square(found - right).mean() <= np.square(own - right).mean() + 1e-9


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_runtime_gives_the_nearest_codes_with_all_its_kernels(name: str) -> None:
    data, function, _ = FUNCTIONS[name]
    given = all_codes()
    for scale, zero_point in RESULTS:
        source, result = AffineParams(0.05, 17), AffineParams(0.05 * scale, zero_point)
        fast = quantized(data, source, result)
        right = exact(given, source, result, function)
        for runtime in available_runtimes():
            for kernels in (Kernels.DEFAULT, Kernels.BUILTIN):
                off = np.abs(codes_of(fast, given, runtime, kernels) - right)
                assert off.max() <= NEAREST


@pytest.mark.parametrize(("scale", "zero_point"), [(0.03, -128), (0.04, -9), (1 / 255, -128)])
@pytest.mark.parametrize("name", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_clamps_give_the_codes_of_their_own_reference_kernels(
    name: str, scale: float, zero_point: int
) -> None:
    """Except half-way between two codes."""
    source, result = AffineParams(0.03, -21), AffineParams(scale, zero_point)
    fast, plain = (quantized(network(name), source, result, forms) for forms in Forms)
    found, own = (
        codes_of(graph, all_codes(), preferred_runtime(), REFERENCE) for graph in (fast, plain)
    )
    right = exact(all_codes(), source, result, FUNCTIONS[name][1])
    is_half_way = np.abs(right - np.floor(right) - 0.5) < 1e-3
    assert ((found == own) | is_half_way).all()
    assert is_half_way.mean() < 0.2


def test_clamp_to_0_and_1_is_any_that_ends_codes_there() -> None:
    """No operator fuses it; a code for 1.5 must not appear behind it."""
    source = AffineParams(0.03, 0)
    for result in (AffineParams(1 / 255, -128), AffineParams(0.02, -128)):
        fast = quantized(network("RELU_0_TO_1"), source, result)
        assert kinds(fast) == ["ADD"]
        right = exact(all_codes(), source, result, lambda x: x.clip(0, 1))
        found = codes_of(fast, all_codes(), preferred_runtime(), REFERENCE)
        assert np.abs(found - right).max() <= NEAREST
    fast = quantized(network("RELU_0_TO_1"), source, AffineParams(0.02, 0))
    assert kinds(fast) == ["RELU_0_TO_1"]


def test_slopes_that_differ_by_orders_of_magnitude() -> None:
    slopes = np.array([1e-9, 1.0, 1e-3, -1e-6, 2e-5, -3e-2], np.float32)
    source, result = AffineParams(0.05, 100), AffineParams(0.01, -100)
    fast = quantized(network("PRELU", slopes), source, result)
    assert kinds(fast) == ["ADD", "QUANTIZE", "DEPTHWISE_CONV_2D", "ADD"]
    right = exact(all_codes(), source, result, sloped(slopes))
    for runtime in available_runtimes():
        for kernels in Kernels:
            found = codes_of(fast, all_codes(), runtime, kernels)
            assert np.abs(found - right).max() <= NEAREST + 0.02


@pytest.mark.parametrize("scale", [0.05 * 2.0**-8, 0.05 * 2.0**10 * 1.01])
@pytest.mark.parametrize("name", ["RELU", "ABS", "PRELU of both signs"])
def test_scales_that_xnnpack_does_not_add_or_multiply_leave_the_operator(
    name: str, scale: float
) -> None:
    data, *_ = FUNCTIONS[name]
    fast = quantized(data, AffineParams(0.05, 0), AffineParams(scale, -128))
    assert kinds(fast) == [name.split()[0]]


@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 3, 4), (1, 2, 3, 4), (1, 2, 2, 3, 2)])
@pytest.mark.parametrize("kind", ["ABS", "RELU"])
def test_any_number_of_dimensions(kind: str, shape: tuple[int, ...]) -> None:
    net = NetworkBuilder(*shape)
    data = net.finished(net.operator(kind, [net.input], shape))
    source, result = AffineParams(0.05, 7), AffineParams(0.04, -128)
    given = np.arange(np.prod(shape), dtype=np.int8).reshape(shape) * 3 - 40
    function = FUNCTIONS[kind][1]
    for runtime in available_runtimes():
        for kernels in Kernels:
            found = codes_of(quantized(data, source, result), given, runtime, kernels)
            assert found.shape == shape
            assert np.abs(found - exact(given, source, result, function)).max() <= NEAREST


@pytest.mark.parametrize("slopes", [(4,), (1, 4), (3, 4), (3, 1), (2, 3, 4)])
def test_slopes_of_any_shape_that_the_operator_takes(slopes: tuple[int, ...]) -> None:
    """Those that are not one for each channel of an image are coded together."""
    shape = (2, 3, 4)
    values = np.random.default_rng(0).uniform(-0.5, 1.5, slopes).astype(np.float32)
    net = NetworkBuilder(*shape)
    data = net.finished(net.operator("PRELU", [net.input, net.constant(values)], shape))
    source, result = AffineParams(0.01, 7), AffineParams(0.012, -20)
    fast = quantized(data, source, result)
    assert kinds(fast) == ["ADD", "QUANTIZE", "MUL", "ADD"]
    given = np.arange(24, dtype=np.int8).reshape(shape) * 10 - 120
    right = exact(given, source, result, sloped(values))
    # Slopes are off by half a step of theirs.
    most = NEAREST + 2.0 / 255 / 2 * (128 + 7) * 0.01 / 0.012
    for kernels in Kernels:
        found = codes_of(fast, given, preferred_runtime(), kernels)
        assert np.abs(found - right).max() <= most


POOLED = [(2, 2, 2, 0), (3, 3, 1, 1), (2, 3, 2, 1), (5, 5, 3, 1)]


def pool(net: NetworkBuilder, height: int, width: int, stride: int, padding: int) -> int:
    sizes = [-(-16 // stride)] * 2
    if padding:
        sizes = [(16 - size) // stride + 1 for size in (height, width)]
    window = {"filterHeight": height, "filterWidth": width}
    strides = {"strideH": stride, "strideW": stride, "padding": padding}
    options = ("Pool2DOptions", {**window, **strides})
    return net.operator("AVERAGE_POOL_2D", [net.input], (1, *sizes, CHANNELS), options)


@pytest.mark.parametrize(("height", "width", "stride", "padding"), POOLED)
def test_averages_are_rounded_to_the_nearest_codes(
    height: int, width: int, stride: int, padding: int
) -> None:
    net = NetworkBuilder(*SHAPE)
    data = net.finished(pool(net, height, width, stride, padding))
    params = AffineParams(0.05, -128)
    fast, plain = (quantized(data, params, params, forms) for forms in Forms)
    assert (kinds(fast), kinds(plain)) == (["DEPTHWISE_CONV_2D"], ["AVERAGE_POOL_2D"])
    # As behind a ReLU: few are large.
    given = (np.random.default_rng(3).exponential(30, SHAPE) - 128).clip(-128, 127).astype(np.int8)
    windows = np.lib.stride_tricks.sliding_window_view(given, (height, width), (1, 2))
    right = windows[:, ::stride, ::stride].mean((-1, -2), dtype=np.float64)
    for runtime in available_runtimes():
        for kernels in Kernels:
            off = codes_of(fast, given, runtime, kernels) - right
            own = codes_of(plain, given, runtime, kernels) - right
            assert np.abs(off).max() <= NEAREST
            # Half-way values go up in built-in kernels, down in those of the operator itself.
            if kernels is Kernels.DEFAULT:
                assert abs(off.mean()) <= abs(own.mean()) + 0.01
            assert np.square(off).mean() <= np.square(own).mean() + 1e-9


def test_averages_that_padding_takes_part_in_stay() -> None:
    net = NetworkBuilder(*SHAPE)
    data = net.finished(pool(net, 3, 3, 1, 0))
    params = AffineParams(0.05, 0)
    assert kinds(quantized(data, params, params)) == ["AVERAGE_POOL_2D"]


@pytest.mark.parametrize("size", [7, 16])
def test_averages_of_large_windows_stay(size: int) -> None:
    """Depthwise convolutions of more than 25 weights are slower than the pool."""
    net = NetworkBuilder(*SHAPE)
    data = net.finished(pool(net, size, size, 1, 1))
    params = AffineParams(0.05, 0)
    assert kinds(quantized(data, params, params)) == ["AVERAGE_POOL_2D"]


def hard_swish(x: Array) -> Array:
    return x * (x + 3).clip(0, 6) / 6


@pytest.mark.parametrize("scale", [0.0237, 0.031, 0.05, 0.11])
@pytest.mark.parametrize("zero_point", [-90, 0, 31])
def test_hard_swish_rounds_once_where_3_is_a_multiple_of_the_scale(
    scale: float, zero_point: int
) -> None:
    given, data = all_codes(), network("HARD_SWISH")
    source = with_fast_swish(AffineParams(scale, zero_point))
    assert scale <= source.scale <= 17 / 16 * scale
    assert source.zero_point == zero_point
    highest = (127 - zero_point) * source.scale
    result = AffineParams((highest + 0.375) / 255, round(-128 + 0.375 * 255 / (highest + 0.375)))
    fast, plain = (quantized(data, source, result, forms) for forms in Forms)
    assert (kinds(fast), kinds(plain)) == (["MUL", "ADD", "MUL"], ["HARD_SWISH"])
    right = exact(given, source, result, hard_swish)
    for runtime in available_runtimes():
        for kernels in Kernels:
            off, own = (codes_of(g, given, runtime, kernels) - right for g in (fast, plain))
            assert np.abs(off).max() <= (0.501 if kernels is Kernels.DEFAULT else 0.53)
            assert np.square(off).mean() <= 1.02 * np.square(own).mean()


def test_hard_swish_under_other_scales_stays() -> None:
    """3 is no multiple; results that reach beyond 1 and have no code for it; nothing to share."""
    for scale, zero_point in ((0.0501, 0), (3 / 200, 20), (3.5, 0), (1.0, 0)):
        source = AffineParams(scale, zero_point)
        fast = quantized(network("HARD_SWISH"), source, AffineParams(scale / 2, -100))
        assert kinds(fast) == ["HARD_SWISH"]
    assert with_fast_swish(AffineParams(0.2, 7)) == AffineParams(0.2, 7)
    # All values are below 3: those beyond, which have no codes, do not appear.
    source = AffineParams(3 / 140, 20)
    fast = quantized(network("HARD_SWISH"), source, AffineParams(0.01, -100))
    assert kinds(fast) == ["MUL", "ADD", "MUL"]
    right = exact(all_codes(), source, AffineParams(0.01, -100), hard_swish)
    found = codes_of(fast, all_codes(), preferred_runtime(), REFERENCE)
    assert np.abs(found - right).max() <= NEAREST


def test_calibration_gives_hard_swish_such_a_scale() -> None:
    net = NetworkBuilder(1, 12, 12, 3)
    x = net.elementwise("HARD_SWISH", net.conv(net.input, 8))
    data = net.finished(net.dense(net.spatial("MEAN", net.conv(x, 8)), 4))
    wide = [[4 * x for x in sample] for sample in samples()]
    for forms, times in ((Forms.FAST, 0), (Forms.PLAIN, 1)):
        result = quantize(data, wide, Config(forms=forms))
        assert kinds(Graph.from_bytes(result.model)).count("HARD_SWISH") == times
        assert result.report.summary["forms"] == ("" if times else "1 HARD_SWISH")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_xnnpack_runs_all_of_a_form(name: str) -> None:
    """In one piece, where it left the operator itself to built-in kernels."""
    source, result = AffineParams(0.05, 17), AffineParams(0.04, -60)
    left = {}
    for forms in Forms:
        graph = quantized(FUNCTIONS[name][0], source, result, forms)
        interpreter = preferred_runtime().interpreter(schema.serialize(graph.model))
        interpreter.allocate_tensors()
        delegates = [d["op_name"] for d in interpreter._get_ops_details()].count("DELEGATE")
        left[forms] = delegates
    assert left == {Forms.FAST: 1, Forms.PLAIN: 0}
