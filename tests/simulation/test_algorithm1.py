"""Methods as published, against the paper's equations written out for a network of three layers.

The layers are 1x1 convolutions, so that each is one matrix for every pixel, and all positions are
looked at. What is not in the paper is the form of a file: biases are whole multiples of the product
of both scales, and 8-bit codes below -127 end where int8 does.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests import running
from tests.built_models import NetworkBuilder
from tflite_eq import Calibration, Config, SearchSettings, calibrate, preset_config, quantize
from tflite_eq.checkpoint.checkpoint import Checkpoint
from tflite_eq.errors import ConfigError, VerificationError
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels
from tflite_eq.writing.assembly import Assembly

Double = npt.NDArray[np.float64]

LIMITS = {"8": 127, "7": 63, "6": 31, "5": 15}
STEPS = np.linspace(0.5, 2.0, 101)


@functools.cache
def network() -> bytes:
    net = NetworkBuilder(1, 5, 5, 4)
    x = net.conv(net.input, 7, size=1, activation="RELU")
    return net.finished(net.conv(net.conv(x, 6, size=1, activation="RELU"), 5, size=1))


def samples(count: int = 10) -> list[list[Any]]:
    """Heavy tails, so that clipping pays, and a sample that is much louder than the others."""
    rng = np.random.default_rng(8)
    found = [rng.standard_t(3, (1, 5, 5, 4)).astype(np.float32) for _ in range(count)]
    found[3] *= 4
    return [[x] for x in found]


@functools.cache
def layers() -> list[LinearLayer]:
    return list(linear_layers(Graph.from_bytes(network())).values())


def pixels() -> Double:
    """[samples, pixels, channels]."""
    return np.stack([x.reshape(-1, 4).astype(np.float64) for [x] in samples()])


@dataclasses.dataclass
class Published:
    """The paper's notation: ``S`` multiplies, weights have one for each filter."""

    weights: list[Double]
    activations: list[float]


def q(values: Double, scale: float, ends: tuple[int, int]) -> Double:
    """Q(X, S) of the paper, and back."""
    return np.clip(np.rint(values * scale), *ends) / scale


def q_filters(filters: Double, scales: Any, limit: int) -> Double:
    """The same in float32, halves away from zero: half the largest weight's code is a half."""
    steps = np.float32(1) / np.asarray(scales, np.float32)
    steps = np.broadcast_to(np.reshape(steps, (-1, 1)), (len(filters), 1))
    units = filters.astype(np.float32) * (np.float32(1) / steps)
    codes = np.copysign(np.floor(np.abs(units) + np.float32(0.5)), units)
    return np.asarray(np.clip(codes, -limit, limit) * steps.astype(np.float64))


def cosine(one: Double, other: Double) -> float:
    """Eq. (4): the mean over samples [n, ...] of the cosines of flattened outputs."""
    found = []
    for a, b in zip(one.reshape(len(one), -1), other.reshape(len(other), -1)):
        found.append(a @ b / np.sqrt((a @ a) * (b @ b)))
    return float(np.mean(found))


def best(present: float, initial: float, judge: Callable[[float], float]) -> float:
    """The present scale, unless a candidate is better; of equal ones the first."""
    chosen, most = present, judge(present)
    for step in STEPS:
        found = judge(initial * step)
        if found > most + max(1e-9, 1e-6 * (1 - most)):
            chosen, most = initial * step, found
    return chosen


def of_filter(
    exact: Double, x: Double, filters: Double, bias: float, limit: int, scale: float
) -> float:
    """Cosine of one channel under a scale of its filter [1, C]."""
    return cosine(exact, x @ q_filters(filters, scale, limit)[0] + bias)


def of_input(
    exact: Double, x: Double, fixed: Double, bias: Double, ends: tuple[int, int], scale: float
) -> float:
    """Cosine of the whole output under a scale of the input."""
    return cosine(exact, q(x, scale, ends) @ fixed.T + bias)


def algorithm1(bits: str, rounds: int) -> Published:
    """Algorithm 1 for the network above."""
    limit = LIMITS[bits]
    ends = (-128 if bits == "8" else -limit), limit
    filters = [layer.filters.reshape(layer.channels, -1).astype(np.float64) for layer in layers()]
    biases = [layer.bias_values.astype(np.float64) for layer in layers()]
    inputs, outputs = [pixels()], []
    for w, b in zip(filters, biases):
        outputs.append(inputs[-1] @ w.T + b)
        inputs.append(np.maximum(outputs[-1], 0))
    first = Published(
        [limit / np.abs(w).max(axis=1) for w in filters],
        [limit / np.abs(x).max() for x in inputs[:-1]],
    )
    now = Published([s.copy() for s in first.weights], list(first.activations))

    def passed_on(number: int, quantized: Double) -> Double:
        """What the quantized layer gives the next: its bias is a multiple of both steps."""
        weights = now.weights[number]
        step = 1 / (weights * now.activations[number])
        bias = np.rint(biases[number] / step) * step
        return np.maximum(quantized @ q_filters(filters[number], weights, limit).T + bias, 0)

    for _ in range(rounds):
        x = inputs[0]
        for n, w in enumerate(filters):
            quantized = q(x, now.activations[n], ends)
            for k in range(len(w)):
                one, bias = w[k : k + 1], biases[n][k]
                judge = functools.partial(
                    of_filter, outputs[n][..., k], quantized, one, bias, limit
                )
                now.weights[n][k] = best(now.weights[n][k], first.weights[n][k], judge)
            x = passed_on(n, quantized)
        x = inputs[0]
        for n, w in enumerate(filters):
            fixed = q_filters(w, now.weights[n], limit)
            judge = functools.partial(of_input, outputs[n], x, fixed, biases[n], ends)
            now.activations[n] = best(now.activations[n], first.activations[n], judge)
            x = passed_on(n, q(x, now.activations[n], ends))
    return now


def scales_of(record: Calibration) -> Published:
    tensors = {tensor.index: tensor for tensor in record.tensors}
    return Published(
        [1 / np.asarray(layer.scales) for layer in record.layers],
        [1 / tensors[layer.input].scale for layer in record.layers],
    )


def assert_same(found: Published, expected: Published) -> None:
    assert found.activations == pytest.approx(expected.activations, rel=1e-5)
    for one, other in zip(found.weights, expected.weights):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def config_of(bits: str, rounds: int) -> Config:
    config = Config(method="easyquant-paper", bits=bits)
    search = dataclasses.replace(config.search, max_rounds=rounds)
    return dataclasses.replace(config, search=search)


@pytest.mark.parametrize("bits", LIMITS)
@pytest.mark.parametrize("rounds", [1, 2])
def test_scales_are_those_of_the_equations(bits: str, rounds: int) -> None:
    found = scales_of(calibrate(network(), samples(), config_of(bits, rounds)))
    expected = algorithm1(bits, rounds)
    assert_same(found, expected)
    if rounds == 2:
        once = algorithm1(bits, 1)
        assert any((one != two).any() for one, two in zip(once.weights, expected.weights))


def test_one_round_is_the_default_and_a_round_without_change_ends_the_search() -> None:
    assert Config(method="easyquant-paper").search == config_of("8", 1).search
    assert SearchSettings().max_rounds != 1  # that of other methods
    one, other = (
        scales_of(calibrate(network(), samples(), config_of("5", rounds))) for rounds in (8, 40)
    )
    assert_same(one, other)


def test_scales_of_one_filter_serve_all_if_asked_for() -> None:
    config = Config(method="easyquant-paper", per_tensor=True)
    for layer in calibrate(network(), samples(), config).layers:
        assert len(layer.scales) == 1


def test_channels_with_one_value_for_each_sample_keep_their_largest_weight() -> None:
    """The cosine of a single value is its sign, which all candidates share."""
    net = NetworkBuilder(1, 4)
    model = net.finished(net.dense(net.dense(net.input, 6), 3))
    rng = np.random.default_rng(1)
    data = [[rng.standard_normal((1, 4)).astype(np.float32)] for _ in range(8)]
    config = Config(method="easyquant-paper")
    [first, second] = linear_layers(Graph.from_bytes(model)).values()
    for layer, record in zip((first, second), calibrate(model, data, config).layers):
        largest = np.abs(layer.filters.reshape(layer.channels, -1)).max(axis=1)
        kept = np.isclose(record.scales, largest / 127, rtol=1e-5)
        assert kept.mean() > 0.5


# TensorRT's calibration.


def entropy_threshold(values: Double, bits: str) -> float:
    """The cut of |x| that loses least information, from the definition, bin by bin."""
    targets = LIMITS[bits] + 1
    magnitudes = np.abs(values[values != 0])
    top = 2.0 ** np.ceil(np.log2(magnitudes.max() * (1 + 1e-12)))
    counts = np.bincount((magnitudes / top * 2048).astype(int), minlength=2048).astype(float)
    used = int(np.flatnonzero(counts)[-1]) + 1
    found = []
    for kept in range(targets, used + 1):
        if counts[kept:].sum() > 0.01 * counts.sum():
            continue
        p, q_of_bins = counts[:kept].copy(), np.zeros(kept)
        p[-1] += counts[kept:].sum()
        owner = np.arange(kept) * targets // kept
        for target in range(targets):
            bins = owner == target
            occupied = bins & (p > 0)
            if occupied.any():
                q_of_bins[occupied] = counts[:kept][bins].sum() / occupied.sum()
        p, q_of_bins = p / p.sum(), q_of_bins / q_of_bins.sum()
        inside = p > 0
        with np.errstate(divide="ignore"):
            found.append((float(np.sum(p[inside] * np.log(p[inside] / q_of_bins[inside]))), kept))
    least = min(divergence for divergence, _ in found)
    return max(kept for divergence, kept in found if divergence <= least + 1e-9) * top / 2048


@pytest.mark.parametrize("bits", LIMITS)
def test_the_baseline_cuts_activations_by_entropy_and_keeps_the_largest_weights(bits: str) -> None:
    record = calibrate(network(), samples(), Config(method="trt", bits=bits))
    x = pixels()
    found = scales_of(record)
    for layer, weights, scale in zip(layers(), found.weights, found.activations):
        filters = layer.filters.reshape(layer.channels, -1).astype(np.float64)
        np.testing.assert_allclose(weights, LIMITS[bits] / np.abs(filters).max(axis=1), rtol=1e-5)
        end = min(entropy_threshold(x.astype(np.float32).astype(float), bits), np.abs(x).max())
        assert scale == pytest.approx(LIMITS[bits] / end, rel=2e-3)
        x = np.maximum(x @ filters.T + layer.bias_values, 0)


# What is written.


def integer_outputs(record: Calibration, x: Double, limit: int) -> Double:
    """Codes that integer kernels compute from the record if codes in between end at a limit."""
    tensors = {tensor.index: tensor for tensor in record.tensors}
    scales = [tensors[layer.input].scale for layer in record.layers]
    scales.append(record.tensors[-1].scale)
    widest = LIMITS[record.config.bits.value]
    codes = np.clip(np.rint(x / scales[0]), -limit, limit)
    for number, (layer, quantized) in enumerate(zip(layers(), record.layers)):
        filters = layer.filters.reshape(layer.channels, -1).astype(np.float64)
        steps = np.asarray(quantized.scales) * scales[number]
        w = q_filters(filters, 1 / np.asarray(quantized.scales), widest)
        sums = codes * scales[number] @ w.T + np.rint(layer.bias_values / steps) * steps
        is_last = number == len(record.layers) - 1
        ends = (-128, 127) if is_last else (0, limit)
        codes = np.clip(np.rint(sums / scales[number + 1]), *ends)
    return codes


@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
@pytest.mark.parametrize(("method", "bits"), [("trt", "7"), ("easyquant-paper", "5")])
def test_files_end_codes_where_windows_end(method: str, bits: str, io: str) -> None:
    """Whatever the network is shown: here ten times what it was calibrated on.

    Where kernels round a tie otherwise, a code in between differs by one, and those behind it by
    more: a few of them.
    """
    config = Config(method=method, bits=bits, input_type=io, output_type=io)
    result = quantize(network(), samples(), config)
    record = result.calibration
    first = {tensor.index: tensor for tensor in record.tensors}[record.layers[0].input]
    shift = {"float32": 0, "int8": 0, "uint8": 128}[io]
    for loud in (10 * samples()[0][0], -10 * samples()[1][0]):
        fed = loud
        if io != "float32":
            codes = np.clip(np.rint(loud / first.scale), -128, 127) + shift
            fed = codes.astype(io)
        for kernels in (Kernels.DEFAULT, Kernels.REFERENCE):
            [made] = running.run(result.model, [fed], kernels)
            found = made.reshape(-1, 5).astype(np.float64) - shift
            if io == "float32":
                found = np.rint(found / record.tensors[-1].scale)
            x = loud.reshape(-1, 4).astype(np.float64)
            ended, endless = (integer_outputs(record, x, end) for end in (LIMITS[bits], 10**6))
            assert (np.abs(found - ended) <= 1).mean() > 0.8
            assert (np.abs(found - endless) <= 1).mean() < 0.6


def test_files_without_their_ends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Assembly.append

    def without_end(self: Assembly, kind: str, inputs: list[int], *rest: Any) -> None:
        append(self, kind, [inputs[0]] * 2 if kind == "MINIMUM" else inputs, *rest)

    record = calibrate(network(), samples(), Config(method="trt", bits="5"))
    for tensor in record.tensors:
        tensor.scale *= 0.5 if tensor.limited else 1  # many codes beyond the ends
    quantize(network(), record)
    monkeypatch.setattr(Assembly, "append", without_end)
    with pytest.raises(VerificationError, match="MINIMUM"):
        quantize(network(), record)


def test_records_of_limited_tensors_make_the_same_file() -> None:
    result = quantize(network(), samples(), Config(bits="6"))
    text = result.calibration.to_text()
    assert '"limited": true' in text
    again = Calibration.from_text(text)
    assert again == result.calibration
    assert quantize(network(), again).model == result.model
    plain = quantize(network(), samples(), Config()).calibration
    assert "limited" not in plain.to_text()
    broken = text.replace('"saturates": true', '"saturates": false')
    with pytest.raises(ConfigError, match="is said to be limited to the window"):
        Calibration.from_text(broken)


def test_interrupted_runs_go_on_to_the_same_end(tmp_path: Path) -> None:
    config = Config(method="easyquant-paper", bits="6")
    whole = calibrate(network(), samples(), config)
    runs = 0
    finish = Checkpoint.finish_layer

    def stop_at_second(self: Checkpoint, *arguments: Any) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise KeyboardInterrupt
        finish(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Checkpoint, "finish_layer", stop_at_second)
        with pytest.raises(KeyboardInterrupt):
            calibrate(network(), samples(), config, resume_dir=tmp_path)
    assert calibrate(network(), samples(), config, resume_dir=tmp_path) == whole


# The settings' other parts.


@pytest.mark.parametrize("method", ["easyquant-paper", "trt"])
@pytest.mark.parametrize("bits", LIMITS)
def test_codes_are_symmetric_and_nothing_is_corrected(method: str, bits: str) -> None:
    record = calibrate(network(), samples(), Config(method=method, bits=bits))
    tensors = {tensor.index: tensor for tensor in record.tensors}
    for layer in record.layers:
        assert layer.gain == 1
        assert not layer.bias_correction
        assert not layer.codes
        assert tensors[layer.input].zero_point == 0
        limit = LIMITS[bits]
        assert tensors[layer.input].window in ((-limit, limit), (0, limit))
        assert tensors[layer.input].limited == (bits != "8")
    assert not record.equalization


def test_options_that_are_not_the_settings_are_refused() -> None:
    refused: Sequence[tuple[dict[str, Any], str]] = (
        ({"method": "trt", "bits": "auto"}, "bits: 'auto' does not go with method 'trt'"),
        ({"method": "trt", "reconstruction": "refit"}, "reconstruction: 'refit' does not go"),
        ({"method": "easyquant-paper", "equalization": "cross_layer"}, "leave equalization out"),
    )
    for options, message in refused:
        with pytest.raises(ConfigError, match=message):
            Config(**options)
    # Where options are given one by one, defaults are known to have been asked for.
    with pytest.raises(ConfigError, match="activation_mode: 'asymmetric' does not go with"):
        preset_config("default", method="easyquant-paper", activation_mode="asymmetric")
    with pytest.raises(ConfigError, match="objective: 'mse' does not go with"):
        preset_config("default", method="easyquant-paper", objective="mse")
    same = preset_config("default", method="easyquant-paper", activation_mode="symmetric")
    assert same == Config(method="easyquant-paper")
    assert Config.from_dict(same.as_dict()) == same
