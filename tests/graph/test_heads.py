"""Boxes in pixels beside scores of 0 to 1: what each part keeps in every form of the head."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Config, calibrate, quantize
from tflite_eq.graph import schema
from tflite_eq.graph.heads import head_operators, split_heads
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]

IMAGE = (1, 16, 16, 3)


@functools.cache
def detector(form: str) -> bytes:
    """YOLO-like: 4 box values of some 0..640 and 6 scores in one tensor [1, 64, 10]."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 16, stride=2, seed=1))
        boxes = models.conv(x, 4, size=1, seed=2) * 90.0 + 320.0
        scores = models.conv(x, 6, size=1, seed=3)
        if form != "logits":
            scores = tf.sigmoid(scores)
        parts = [tf.reshape(boxes, [1, 64, 4]), tf.reshape(scores, [1, 64, 6])]
        if form == "transposed":
            return tf.transpose(tf.concat(parts, -1), [0, 2, 1])
        return tf.concat(parts, -1)

    return models.convert(network, IMAGE)


@functools.cache
def quantized(form: str, heads: str, output: str = "float32") -> Any:
    config = Config(heads=heads, output_type=output)
    return quantize(detector(form), models.samples(IMAGE, count=24), config)


def parts_db(form: str, model: bytes) -> tuple[float, float]:
    """SQNR of boxes and of scores on other samples."""
    exact, made = [], []
    for sample in models.samples(IMAGE, count=8, seed=5):
        exact.append(running.run(detector(form), sample)[0])
        outputs = running.run(model, sample)
        made.append(np.concatenate(sorted(outputs, key=lambda o: o.shape[-1]), -1))
    axis = 1 if form == "transposed" else -1
    whole = np.moveaxis(np.concatenate(exact), axis, -1)
    found = np.concatenate(made)
    found = np.moveaxis(found, axis, -1) if found.shape != whole.shape else found
    return tuple(
        running.sqnr_db(whole[..., part], found[..., part]) for part in (slice(4), slice(4, None))
    )  # type: ignore[return-value]


@pytest.mark.parametrize("form", ["sigmoid", "logits", "transposed"])
def test_scores_beside_boxes_keep_their_codes_by_default(form: str) -> None:
    boxes, scores = parts_db(form, quantized(form, "auto").model)
    assert boxes > 35
    assert scores > 20
    assert parts_db(form, quantized(form, "joint").model)[1] < 5


@pytest.mark.parametrize("form", ["sigmoid", "logits"])
def test_split_heads_give_each_part_out_by_itself(form: str) -> None:
    result = quantized(form, "split")
    boxes, scores = parts_db(form, result.model)
    assert boxes > 35
    assert scores > 20
    graph = Graph.from_bytes(result.model)
    assert [graph.tensors[i].shape for i in graph.outputs] == [(1, 64, 4), (1, 64, 6)]
    assert not any(operator.kind == "CONCATENATION" for operator in graph.operators)


def test_signatures_name_the_parts_of_a_split_head() -> None:
    graph = Graph.from_bytes(detector("sigmoid"))
    tables = schema.schema()
    definition, entry = tables.SignatureDefT(), tables.TensorMapT()
    entry.name, entry.tensorIndex = b"found", graph.outputs[0]
    definition.signatureKey, definition.inputs, definition.outputs = b"serve", [], [entry]
    graph.model.signatureDefs = [definition]
    split, change = split_heads(graph)
    assert change is not None
    assert "split into the 2 parts" in change
    named = {e.name: e.tensorIndex for e in split.model.signatureDefs[0].outputs}
    assert named == dict(zip((b"found_0", b"found_1"), split.outputs))
    assert [split.tensors[i].shape for i in split.outputs] == [(1, 64, 4), (1, 64, 6)]
    assert len(graph.outputs) == 1
    assert len(definition.outputs) == 1


def test_the_record_and_the_report_say_what_auto_came_to() -> None:
    assert quantized("sigmoid", "auto").calibration.config.heads.value == "float"
    in_float = quantized("sigmoid", "auto").report.summary["in_float"]
    assert any("CONCATENATION" in sentence and "--heads joint" in sentence for sentence in in_float)
    again = quantize(detector("sigmoid"), quantized("sigmoid", "auto").calibration)
    assert again.model == quantized("sigmoid", "auto").model


def test_int8_outputs_stay_joined_and_it_is_warned_of() -> None:
    result = quantized("logits", "auto", "int8")
    assert result.calibration.config.heads.value == "joint"
    assert any("--heads split" in warning for warning in result.report.warnings)


def test_parts_of_like_range_stay_codes() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        return tf.concat([models.conv(x, 4, seed=2), models.conv(x, 4, seed=3)], -1)

    result = quantize(models.convert(network, IMAGE), models.samples(IMAGE, count=8), Config())
    assert result.calibration.config.heads.value == "joint"
    assert result.report.summary["in_float"] == []
    plain = quantize(models.build("conv_net"), models.data("conv_net"), Config())
    assert plain.calibration.config == Config()  # there is nothing to decide


def test_samples_that_are_dropped_do_not_decide() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        return tf.concat([models.conv(x, 4, seed=2), tf.sigmoid(models.conv(x, 4, seed=3))], -1)

    model, data = models.convert(network, IMAGE), models.samples(IMAGE, count=24)
    data[5] = [x * np.float32(100) for x in data[5]]
    for treatment, heads in (("drop", "joint"), ("keep", "float")):
        config = Config(method="minmax", outlier_samples=treatment)
        record = calibrate(model, data, config)
        assert record.outliers is not None
        assert record.config.heads.value == heads


def test_a_concatenation_that_layers_read_is_no_head() -> None:
    graph = Graph.from_bytes(models.build("concat_pool_net"))
    assert head_operators(graph) == set()
    assert split_heads(graph) == (graph, None)
    joined = Graph.from_bytes(detector("sigmoid"))
    kinds = [joined.operators[index].kind for index in sorted(head_operators(joined))]
    assert kinds == ["RESHAPE", "RESHAPE", "CONCATENATION"]


def test_an_output_that_a_layer_reads_too_is_not_clipped() -> None:
    def network(x: Any) -> Any:
        features = models.conv(x, 8, seed=1)
        features = features * tf.abs(features) * features  # a few values far beyond the others
        return {"features": features, "score": models.conv(features, 4, seed=2)}

    model = models.convert(network, IMAGE)
    record = quantize(model, models.samples(IMAGE, count=16), Config()).calibration
    graph = Graph.from_bytes(model)
    given_out = {graph.tensors[index].name for index in graph.outputs}
    found = [tensor for tensor in record.tensors if tensor.name in given_out]
    assert len(found) == 2
    for tensor in found:
        low, high = ((code - tensor.zero_point) * tensor.scale for code in (-128, 127))
        assert low <= tensor.observed[0] + tensor.scale
        assert high >= tensor.observed[1] - tensor.scale
