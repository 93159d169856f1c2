from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
from typing import Any, Callable

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Calibration, Config, TfliteEqError, quantize
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph


def record() -> Calibration:
    return copy.deepcopy(running.quantized("conv_net", Config(bits="7", skip="^Mean$")).calibration)


def test_text_round_trip() -> None:
    original = record()
    again = Calibration.from_text(original.to_text())
    assert again == original
    assert again.to_text() == original.to_text()


def test_saved_record_gives_the_same_bytes_without_data(tmp_path: pathlib.Path) -> None:
    for name in ("conv_net", "two_input_net"):
        result = running.quantized(name)
        path = tmp_path / f"{name}.json"
        result.calibration.save(path)
        again = quantize(models.build(name), Calibration.load(path))
        assert again.model == result.model
        assert again.report.layers == result.report.layers


@pytest.mark.parametrize("bits", ["8", "auto"])
def test_record_of_reconstructed_weights_gives_the_same_bytes(bits: str) -> None:
    """The weights cannot be computed without data, so the record holds their codes."""
    config = Config(bits=bits, target="x86-vnni", reconstruction="refit")
    result = running.quantized("conv_net", config)
    assert all(layer.codes for layer in result.calibration.layers)
    again = Calibration.from_text(result.calibration.to_text())
    assert again == result.calibration
    written = quantize(models.conv_net(), again)
    assert written.model == result.model
    assert written.report.layers == result.report.layers
    assert result.model != running.quantized("conv_net", Config(bits=bits)).model


def test_lines_are_short_enough_to_diff() -> None:
    first = record()
    second = copy.deepcopy(first)
    second.tensors[3].scale *= 1.25
    second.layers[1].scales[0] *= 0.5
    changed = [
        (a, b) for a, b in zip(first.to_text().split("\n"), second.to_text().split("\n")) if a != b
    ]
    assert len(changed) == 2
    assert first.tensors[3].name in changed[0][0]


def test_edited_scales_take_effect() -> None:
    edited = record()
    tensor = edited.tensors[2]
    tensor.scale, tensor.zero_point = 0.25, -17
    edited.layers[0].scales[3] = 0.0625
    result = quantize(models.conv_net(), edited)
    graph = Graph.from_bytes(result.model)
    scales, zero_points = running.parameters(graph, running.tensor_named(graph, tensor.name))
    assert scales.tolist() == [0.25]
    assert zero_points.tolist() == [-17]
    filters = graph.operators[1].inputs[1]
    assert running.parameters(graph, filters)[0][3] == 0.0625


def test_file_edited_by_hand_takes_effect(tmp_path: pathlib.Path) -> None:
    """As a person would: one line of the file in an editor, nothing calibrated again."""
    path = tmp_path / "record.json"
    original = running.quantized("conv_net")
    original.calibration.save(path)
    tensor = original.calibration.tensors[2]
    lines = path.read_text().split("\n")
    [number] = [
        n for n, line in enumerate(lines) if json.dumps(tensor.name) in line and "window" in line
    ]
    before = f'"scale": {tensor.scale}, "zero_point": {tensor.zero_point}'
    [number] = [n for n, line in enumerate(lines) if before in line]
    assert json.dumps(tensor.name) in lines[number]
    lines[number] = lines[number].replace(before, '"scale": 0.0625, "zero_point": -100')
    path.write_text("\n".join(lines))
    result = quantize(models.conv_net(), Calibration.load(path))
    graph = Graph.from_bytes(result.model)
    scales, zero_points = running.parameters(graph, running.tensor_named(graph, tensor.name))
    assert (scales.tolist(), zero_points.tolist()) == ([0.0625], [-100])
    # The layer that reads it gets a bias for the new scale.
    reader = next(
        o for o in graph.operators if running.tensor_named(graph, tensor.name) in o.inputs
    )
    filter_scales, _ = running.parameters(graph, reader.inputs[1])
    bias_scales, _ = running.parameters(graph, reader.inputs[2])
    np.testing.assert_array_equal(bias_scales, np.float32(0.0625) * filter_scales)


def test_edited_bias_correction_and_gain_take_effect() -> None:
    edited = copy.deepcopy(running.quantized("conv_net").calibration)
    layer = edited.layers[1]
    layer.bias_correction = [0.5] * len(layer.scales)
    layer.gain = 2.0
    graphs = [
        Graph.from_bytes(quantize(models.conv_net(), record).model)
        for record in (running.quantized("conv_net").calibration, edited)
    ]
    (codes_before, _, _), (codes, scales, bias) = (stored_layer(g, layer.name) for g in graphs)
    np.testing.assert_array_equal(codes, codes_before)  # the gain is no part of the rounding
    np.testing.assert_array_equal(scales, np.asarray(layer.scales, np.float32) * 2)
    original = Graph.from_bytes(models.conv_net())
    operator = next(
        o for o in original.operators if original.tensors[o.outputs[0]].name == layer.name
    )
    np.testing.assert_allclose(bias, original.constant(operator.inputs[2]) + 0.5, atol=1e-4)


def stored_layer(graph: Graph, name: str) -> tuple[Any, Any, Any]:
    """Filter codes, filter scales and real bias of the layer with an output name."""
    operator = next(o for o in graph.operators if graph.tensors[o.outputs[0]].name == name)
    scales, _ = running.parameters(graph, operator.inputs[1])
    bias_scales, _ = running.parameters(graph, operator.inputs[2])
    codes, bias = (graph.constant(i) for i in operator.inputs[1:3])
    return codes, scales, bias * bias_scales


def test_ends_can_be_chosen_when_a_record_is_applied() -> None:
    result = quantize(models.conv_net(), record(), Config(input_type="int8", output_type="uint8"))
    graph = Graph.from_bytes(result.model)
    assert graph.tensors[graph.inputs[0]].type_name == "INT8"
    assert graph.tensors[graph.outputs[0]].type_name == "UINT8"
    assert result.calibration.config.bits == record().config.bits


def test_record_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"belongs to another model .* calibrate again"):
        quantize(models.dense_net(), record())


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_cut_record_is_refused(part: float) -> None:
    text = record().to_text()
    with pytest.raises(ConfigError, match=r"rec\.json: not valid JSON"):
        Calibration.from_text(text[: int(len(text) * part)], "rec.json")


@pytest.mark.parametrize("text", ["[]", "{}", "3", '{"format": "something else"}'])
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a calibration record"):
        Calibration.from_text(text)


def edited(change: Callable[[dict[str, Any]], None]) -> str:
    plain = json.loads(record().to_text())
    change(plain)
    return json.dumps(plain)


def without(plain: dict[str, Any], key: str) -> None:
    del plain[key]


def saturating(plain: dict[str, Any]) -> dict[str, Any]:
    """A tensor behind a ReLU whose 7-bit window the kernel keeps to."""
    return next(t for t in plain["tensors"] if t["saturates"] and t["window"] == [0, 127])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: without(p, "layers"), "entry 'layers' is missing"),
        (lambda p: without(p["tensors"][0], "scale"), "tensor 'x0': field 'scale' is missing"),
        (lambda p: p["tensors"][0].update(colour=3), "tensor 'x0': unknown field 'colour'"),
        (lambda p: p["layers"][0].update(colour=3), "layer 'Relu;.*': unknown field 'colour'"),
        (
            lambda p: p["layers"].__setitem__(2, "text"),
            r'layers\[2\] is "text", expected an object',
        ),
        (lambda p: p.update(samples="many"), 'samples is "many", expected a whole number'),
        (lambda p: p["config"].update(colour=3), "unknown configuration entry"),
        (lambda p: p["config"].update(bits=9), "bits: 9 is not one of"),
        (lambda p: p["tensors"][1].update(scale=float("inf")), "must be between"),
        (lambda p: p["tensors"][1].update(scale=float("nan")), "must be between"),
        (lambda p: p["tensors"][1].update(scale=0), "must be between"),
        (lambda p: p["tensors"][1].update(scale=1e35), "must be between"),
        (lambda p: p["tensors"][1].update(scale="wide"), 'scale is "wide", expected a number'),
        (lambda p: p["tensors"][1].update(scale=10**400), "scale has more digits"),
        (lambda p: p["tensors"][1].update(zero_point=3.7), "zero_point is 3.7, expected a whole"),
        (lambda p: p["tensors"][1].update(saturates="no"), 'saturates is "no", expected true or'),
        (lambda p: p["tensors"][1].update(factor=None), "factor is null, expected a number"),
        (lambda p: p["tensors"][1].update(zero_point=128), "zero point 128"),
        (lambda p: p["tensors"][1].update(window=[3]), r"window is \[3\], expected two"),
        (lambda p: p["tensors"][1].update(window=[0.5, 3]), "window is 0.5, expected a whole"),
        (lambda p: p.update(colour=3), "unknown entry 'colour'"),
        (lambda p: p.update(tensors=None), "tensors is null, expected a list"),
        (lambda p: p.update(equalization={}), "equalization is {}, expected a list"),
        (lambda p: p.update(samples=-1), "made from -1 samples"),
        (lambda p: p.update(config=[]), "must be a dictionary"),
        (lambda p: p["config"].update(per_tensor="false"), "per_tensor must be true or false"),
        (lambda p: p["layers"][0].update(scales=[]), "weight scale"),
        (lambda p: p["layers"][0]["scales"].__setitem__(0, 1e300), "weight scale"),
        (lambda p: p["layers"][0]["scales"].__setitem__(0, 1e-45), "weight scale"),
        (lambda p: p["layers"][0].update(gain=1e300), "gain 1e.300"),
        (lambda p: p["layers"][0].update(gain=1e-29), "product with the gain"),
        (lambda p: p["layers"][0].update(bias_correction=[1e300]), "bias correction"),
        (lambda p: p["layers"][0]["scales"].__setitem__(0, -1.0), "weight scale"),
        (lambda p: p["layers"][0].update(scales=[1, "x"]), r'scales\[1\] is "x", expected a'),
        (lambda p: p["layers"][0].update(scales=0.5), "scales is 0.5, expected a list"),
        (lambda p: p["layers"][0].update(bias_correction=[float("inf")]), "bias correction"),
        (lambda p: p["layers"][0].update(grid="ternary"), "ternary"),
        (lambda p: p["layers"][0].update(gain=0), "gain"),
        (lambda p: p["layers"][0].update(gain=float("nan")), "gain"),
        (lambda p: p["layers"][0].update(gain="loud"), 'gain is "loud", expected a number'),
        (lambda p: p["layers"][0].update(metrics={}), "lacks 'before_correction'"),
        (lambda p: p["layers"][0].update(metrics=3), "metrics is 3, expected an object"),
        (lambda p: without(p["layers"][0]["metrics"]["after_correction"], "mssr"), "mssr"),
        (lambda p: p["tensors"][1].update(window=[10, -10]), r"window \[10, -10\]"),
        (lambda p: p["tensors"][1].update(window=[-64, 200]), r"window \[-64, 200\]"),
        (lambda p: saturating(p).update(zero_point=-128), "cannot saturate at the window"),
        (lambda p: saturating(p).update(window=[1, 127]), "cannot saturate at the window"),
        (lambda p: saturating(p).update(window=[0, 126]), "cannot saturate at the window"),
        (
            lambda p: saturating(p).update(window=[5, 127], zero_point=40),
            r"the window \[5, 127\] with zero point 40: .* with the zero point at 0 or higher",
        ),
    ],
)
def test_bad_entries_are_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Calibration.from_text(edited(change))


@pytest.mark.parametrize("zero_point", [0, 1, 31, 127])
def test_windows_with_a_floor_are_taken(zero_point: int) -> None:
    text = edited(lambda plain: saturating(plain).update(zero_point=zero_point))
    found = Calibration.from_text(text).tensors
    assert zero_point in {t.zero_point for t in found if t.saturates and t.window == (0, 127)}


def test_unreadable_files_are_refused(tmp_path: pathlib.Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    for path in (tmp_path / "missing.json", tmp_path, binary):
        with pytest.raises(TfliteEqError, match="cannot read"):
            Calibration.load(path)


def test_bits_follow_the_window() -> None:
    tensor = record().tensors[0]
    bits = {
        window: dataclasses.replace(tensor, window=window).bits
        for window in ((-128, 127), (0, 127), (-64, 63), (-63, 63), (-127, 127), (-65, 63))
    }
    assert bits == {
        (-128, 127): 8, (0, 127): 7, (-64, 63): 7, (-63, 63): 7, (-127, 127): 8, (-65, 63): 8,
    }  # fmt: skip


def test_scales_survive_text_to_the_last_bit() -> None:
    original = record()
    original.tensors[0].scale = float(np.float32(0.1))
    again = Calibration.from_text(original.to_text())
    assert again.tensors[0].scale == original.tensors[0].scale


@pytest.mark.parametrize("observed", [(float("nan"), 1.0), (-1e40, 1.0), (2.0, 1.0)])
def test_observed_range_that_is_none_is_refused(observed: tuple[float, float]) -> None:
    record = copy.deepcopy(running.quantized("dense_net").calibration)
    record.tensors[0].observed = observed
    with pytest.raises(ConfigError, match="expected the smallest and the largest value"):
        Calibration.from_text(record.to_text())
