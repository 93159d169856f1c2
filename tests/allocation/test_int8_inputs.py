"""Which inputs keep 8 bits: the noise of each against a network in NumPy, and the choice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests import models, running
from tests.guard import networks
from tflite_eq import Config, calibrate, quantize
from tflite_eq.allocation.int8_inputs import (
    NarrowInput,
    choose,
    narrow_inputs,
    with_kept_int8,
)
from tflite_eq.config import Bits
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph.linear import linear_layers, multiplications
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared

Array = npt.NDArray[Any]

# Equalization would give the planted network's values their codes back.
INT7 = Config(bits="7", equalization="none")


def planted_samples(count: int = 8) -> list[list[Array]]:
    return [[x[np.newaxis]] for x in networks.arrays(count, seed=1)]


def test_noise_is_that_of_rounding_one_tensor_to_seven_bits() -> None:
    data = planted_samples()
    graph = prepared(networks.planted(), "m").front
    with StoredSamples(graph, data) as samples:
        found = narrow_inputs(graph, set(), samples, INT7)
    layers = list(linear_layers(graph).values())
    assert [entry.layers for entry in found] == [(layer.name,) for layer in layers]

    # Min-max scales: on so few values the estimator that narrow_inputs takes clips next to nothing.
    scales = calibrate(networks.planted(), data, Config(bits="7", method="minmax"))
    params = {t.index: (t.scale, t.zero_point) for t in scales.tensors}

    def run(altered: int | None) -> Array:
        values: Array = np.concatenate([x for [x] in data]).astype(np.float64)
        for position, layer in enumerate(layers):
            if position == altered:
                scale, zero = params[layer.input]
                values = (np.clip(np.round(values / scale) + zero, -128, 127) - zero) * scale
            values = values @ layer.filters.T.astype(np.float64) + layer.bias_values
            if position < 2:
                values = np.maximum(values, 0)
        return values

    exact = run(None)
    expected = [((run(p) - exact) ** 2).mean() / exact.var() for p in range(len(layers))]
    for entry, noise in zip(found, expected):
        assert entry.noise == pytest.approx(noise, rel=0.5)
    assert int(np.argmax([entry.noise for entry in found])) == networks.PLANTED
    work = [multiplications(graph, layer) for layer in layers]
    assert [entry.work for entry in found] == pytest.approx([w / sum(work) for w in work])


def test_what_equalization_makes_up_for_is_no_reason() -> None:
    graph = prepared(networks.planted(), "m").front
    with StoredSamples(graph, planted_samples()) as samples:
        plain, equalized = (
            narrow_inputs(graph, set(), samples, config)[networks.PLANTED].noise
            for config in (INT7, Config(bits="7"))
        )
    assert equalized < plain / 2


def test_tensors_that_share_a_scale_are_one_choice() -> None:
    graph = prepared(models.build("concat_pool_net"), "m").front
    with StoredSamples(graph, models.data("concat_pool_net")) as samples:
        found = narrow_inputs(graph, set(), samples, INT7)
    names = [name for entry in found for name in entry.layers]
    assert len(names) == len(set(names)) == len(linear_layers(graph))
    assert sorted(len(entry.layers) for entry in found) == [1, 1, 3]
    assert all(entry.noise > 0 for entry in found)


def entry(name: str, noise: float, work: float) -> NarrowInput:
    return NarrowInput((name,), noise, work)


def test_noise_per_multiplication_decides() -> None:
    inputs = [entry("a", 0.5, 0.5), entry("b", 0.3, 0.05), entry("c", 0.2, 0.1)]
    assert [e.layers[0] for e in choose(inputs, 0.15)] == ["b", "c"]
    assert [e.layers[0] for e in choose(inputs, 0.07)] == ["b"]
    assert choose(inputs, 0.01) == []
    assert choose(inputs, 1.0) == inputs


def test_one_that_costs_too_much_makes_room_for_others() -> None:
    inputs = [entry("a", 0.9, 0.3), entry("b", 0.1, 0.2)]
    assert [e.layers[0] for e in choose(inputs, 0.25)] == ["b"]


def test_tensors_that_add_next_to_nothing_keep_seven_bits() -> None:
    inputs = [entry("a", 0.99, 0.1), entry("b", 0.01, 0.0), entry("c", 0.0, 0.0)]
    assert [e.layers[0] for e in choose(inputs, 1.0)] == ["a"]
    assert choose([entry("a", 0.0, 0.1)], 1.0) == []


def test_the_tensor_that_loses_most_keeps_eight_bits(capsys: pytest.CaptureFixture[str]) -> None:
    model, data = networks.planted(), planted_samples(20)
    share = 0.5  # the three layers have 45, 45 and 8 %
    config = dataclasses.replace(INT7, keep_int8_share=share)
    result = quantize(model, data, config)
    record = result.calibration
    bits = {t.index: t.bits for t in record.tensors}
    inputs = [bits[layer.input] for layer in record.layers]
    assert inputs[networks.PLANTED] == 8
    assert 7 in inputs
    graph = prepared(model, "m").front
    layers = linear_layers(graph)
    work = {layer.index: multiplications(graph, layers[layer.index]) for layer in record.layers}
    kept = sum(work[layer.index] for layer in record.layers if bits[layer.input] == 8)
    assert kept <= share * sum(work.values())
    said = capsys.readouterr().err
    assert f"with {100 * kept / sum(work.values()):.1f} % of the multiplications keep 8-bit" in said
    # The record names them: with the name the same model comes out.
    assert record.config.keep_int8 is not None
    assert record.config.keep_int8_share == 0
    named = dataclasses.replace(INT7, keep_int8=record.config.keep_int8)
    assert quantize(model, data, named).model == result.model

    def noise(quantized: bytes) -> float:
        exact, found = (np.concatenate(running.run_many(m, data)) for m in (model, quantized))
        return float(((found - exact) ** 2).mean())

    assert noise(result.model) < 0.6 * noise(quantize(model, data, INT7).model)


def test_what_is_named_comes_on_top() -> None:
    model, data = networks.planted(), planted_samples(20)
    names = [layer.name for layer in linear_layers(prepared(model, "m").front).values()]
    config = dataclasses.replace(INT7, keep_int8=f"^{names[-1]}$", keep_int8_share=0.5)
    record = calibrate(model, data, config)
    bits = {t.index: t.bits for t in record.tensors}
    assert [bits[layer.input] for layer in record.layers][-2:] == [8, 8]


@pytest.mark.parametrize("config", [Config(), Config(bits="7"), Config(bits="auto")])
def test_without_a_share_nothing_is_looked_at(config: Config) -> None:
    class Unread:
        count = 3

        def __getitem__(self, number: int) -> Any:
            raise AssertionError("read")

    graph: Any = None
    samples: Any = Unread()
    kept = with_kept_int8(graph, set(), samples, config)
    assert (kept.config, kept.sentence) == (config, "")


def test_where_no_tensor_would_have_seven_bits_nothing_is_kept() -> None:
    graph = prepared(models.build("conv_net"), "m").front
    config = Config(bits=Bits.AUTO, keep_int8_share=0.5)  # the generic target gains from none
    with StoredSamples(graph, models.data("conv_net")) as samples:
        kept = with_kept_int8(graph, set(), samples, config)
    assert kept.sentence == ""
    assert kept.config == dataclasses.replace(config, keep_int8_share=0)


def test_a_run_that_is_repeated_makes_the_same_choice(tmp_path: Path) -> None:
    config = Config(bits="7", bias_correction="none", equalization="none", keep_int8_share=0.3)
    model, data = models.build("conv_net"), models.data("conv_net", count=20)
    first, again = (quantize(model, data, config, resume_dir=tmp_path) for _ in range(2))
    assert first.model == again.model
    assert first.calibration.config.keep_int8


def test_fewer_bits_than_seven_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(bits="6", keep_int8_share=0.3, bias_correction="none", equalization="none")
    record = calibrate(models.build("conv_net"), models.data("conv_net", count=20), config)
    assert {t.bits for t in record.tensors} == {6, 8}
    assert "% of the noise of 6-bit ones" in capsys.readouterr().err


def test_the_written_file_has_both_widths() -> None:
    config = Config(bits="7", keep_int8_share=0.3)
    result = quantize(models.build("conv_net"), models.data("conv_net", count=20), config)
    assert {t.bits for t in result.calibration.tensors} == {7, 8}
    assert Graph.from_bytes(result.model).operators
