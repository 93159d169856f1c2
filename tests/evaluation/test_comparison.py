from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.evaluation import classifiers, several_outputs
from tests.evaluation.several_outputs import Held, images, network
from tests.running import parameters, run, sqnr_db
from tflite_eq.errors import ConfigError, DatasetError, ModelError, TfliteEqError
from tflite_eq.evaluation.closeness import Closeness
from tflite_eq.evaluation.comparison import OutputComparison, compare_outputs
from tflite_eq.evaluation.ends import inputs_of
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels

SAMPLES = Held(list(images()))
FLOAT = NamedModel("float", network())


def compared(model: bytes, reference: bytes, samples: Any = SAMPLES, **options: Any) -> Any:
    options = {"kernels": Kernels.REFERENCE, **options}
    return compare_outputs(
        [NamedModel("model", model)], NamedModel("float", reference), samples, **options
    )


def figures(result: OutputComparison) -> list[Closeness]:
    (model,) = result.models
    return [output.closeness for output in model.outputs]


def values_of(model: bytes, position: int = 0) -> list[Any]:
    return [run(model, [image])[position] for image in images()]


def test_a_known_error_gives_the_known_figures_output_by_output() -> None:
    """One percent off is 40 dB at every scale; a tenth is 20 dB."""
    map_figures, vector_figures = figures(compared(network(1.01, 0.9), network()))
    for found, decibels, part, position in (
        (map_figures, 40, 0.01, 0),
        (vector_figures, 20, 0.1, 1),
    ):
        assert found.n == len(images())
        assert found.sqnr_db is not None
        assert found.sqnr_db.value == pytest.approx(decibels, abs=1e-3)
        assert found.cosine is not None
        assert found.cosine.value == pytest.approx(1)
        peaks = [np.abs(values).max() for values in values_of(network(), position)]
        assert found.max_error is not None
        assert found.max_error.value == pytest.approx(part * max(peaks), rel=1e-3)
        assert found.max_error.peak == pytest.approx(max(peaks))
        assert found.max_error.sample == int(np.argmax(peaks))
        assert not found.is_identical


def test_the_largest_error_is_found_in_its_sample() -> None:
    result = compared(network(bump=0.5), network())
    same, bumped = figures(result)
    largest = [float(image.max()) for image in images()]
    assert bumped.max_error is not None
    assert bumped.max_error.sample == int(np.argmax(largest))
    assert bumped.max_error.value == pytest.approx(0.5 * max(largest), rel=1e-5)
    assert same.is_identical
    assert same.sqnr_db is not None
    assert same.sqnr_db.value == math.inf
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["models"][0]["outputs"][1]["max_error"]["sample_name"] == (
        f"held {bumped.max_error.sample}"
    )
    assert plain["models"][0]["outputs"][0]["identical"]


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_codes_are_compared_as_the_values_they_stand_for(io: str) -> None:
    model = classifiers.int8_classifier(io, softmax=False)
    reference = classifiers.float_classifier(softmax=False)
    graph = Graph.from_bytes(model)
    scales = {i: parameters(graph, i) for i in (*graph.inputs, *graph.outputs)}
    pixels = [image[np.newaxis] for image in classifiers.IMAGES[:6]]
    expected, measured = [], []
    for image in pixels:
        scale, zero_point = scales[graph.inputs[0]]
        codes = np.rint(image / scale[0]) + zero_point[0]
        (found,) = run(model, [codes.astype(io)])
        scale, zero_point = scales[graph.outputs[0]]
        measured.append((found.astype(np.float64) - zero_point[0]) * scale[0])
        expected.append(run(reference, [image.astype(np.float32)])[0])
    samples = Held([image.astype(np.float32) for image in pixels])
    result = compared(model, reference, samples)
    (found,) = figures(result)
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == pytest.approx(
        sqnr_db(np.stack(expected), np.stack(measured)), abs=1e-3
    )
    assert found.agreement is not None
    same = [a.argmax() == b.argmax() for a, b in zip(expected, measured)]
    assert found.agreement.value == pytest.approx(100 * np.mean(same))
    assert result.models[0].outputs[0].type_name == io


def test_integers_are_equal_or_not() -> None:
    first, second = several_outputs.classes(1), several_outputs.classes(2)
    (found,) = figures(compared(second, first))
    shares = [np.mean(a == b) for a, b in zip(values_of(first), values_of(second))]
    assert 0 < np.mean(shares) < 1
    assert found.equal is not None
    assert found.equal.value == pytest.approx(100 * np.mean(shares))
    assert found.sqnr_db is None
    assert found.cosine is None
    assert found.agreement is None


@pytest.mark.parametrize("integers", [True, False])
def test_outputs_whose_count_differs_are_compared_where_it_does_not(integers: bool) -> None:
    first = several_outputs.chosen(1.0, integers)
    second = several_outputs.chosen(1.01, integers)
    pairs = list(zip(values_of(first), values_of(second)))
    same = [a.shape == b.shape for a, b in pairs]
    assert 0 < sum(same) < len(same)
    (found,) = figures(compared(second, first))
    assert found.same_shape.value == pytest.approx(100 * np.mean(same))
    assert found.equal is not None
    assert found.equal.value == 100
    assert not found.is_identical
    (none,) = figures(compared(several_outputs.chosen(-9.0, integers), first))
    assert none.same_shape.value == 0
    assert none.equal is None


def test_outputs_and_inputs_are_matched_by_name() -> None:
    swapped = several_outputs.with_outputs_swapped(network(1.01, 0.9))
    result = compared(swapped, network())
    assert [round(f.sqnr_db.value) for f in figures(result) if f.sqnr_db] == [40, 20]
    assert result.notes == ()

    def swap(subgraph: Any) -> None:
        subgraph.inputs = list(subgraph.inputs)[::-1]

    two = models.two_input_net()
    names = [end.name for end in inputs_of(Graph.from_bytes(two))]
    fed = Held([dict(zip(names, sample)) for sample in models.data("two_input_net", 3)])
    assert all(
        f.is_identical for f in figures(compared(several_outputs.edited(two, swap), two, fed))
    )


def test_other_names_are_matched_by_position_and_that_is_said() -> None:
    result = compared(several_outputs.with_outputs_renamed(network(1.01, 0.9)), network())
    assert [round(f.sqnr_db.value) for f in figures(result) if f.sqnr_db] == [40, 20]
    (note,) = result.notes
    assert note.startswith("model: its outputs are not called as those of float")
    assert "'renamed_0' with " in note


def test_the_number_of_workers_changes_nothing() -> None:
    results = [
        compared(network(1.01), network(), Held(list(images(40))), num_workers=workers).to_dict()
        for workers in (1, 2)
    ]
    assert results[0] == results[1]
    assert results[0]["models"][0]["outputs"][0]["n"] == 40


def test_open_dimensions_and_half_floats_run_as_they_are() -> None:
    import tensorflow as tf

    def function(x: Any) -> Any:
        return models.conv(x, 4, seed=1, dilation=2)

    traced = tf.function(
        function, input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="x")]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    plain = bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    half = bytes(converter.convert())
    assert "DEQUANTIZE" in {o.kind for o in Graph.from_bytes(half).operators}
    rng = np.random.default_rng(0)
    sizes = [(1, 9, 7, 3), (1, 12, 12, 3), (1, 5, 20, 3)]
    samples = Held([rng.standard_normal(size).astype(np.float32) for size in sizes])
    (found,) = figures(compared(half, plain, samples))
    assert found.same_shape.value == 100
    assert found.sqnr_db is not None
    assert 60 < found.sqnr_db.value < 90  # 11 bits of mantissa
    (back,) = figures(compared(plain, half, samples))
    assert back.sqnr_db is not None
    assert back.sqnr_db.value == pytest.approx(found.sqnr_db.value, abs=0.1)


def test_not_a_number_is_told() -> None:
    import tensorflow as tf

    def function(x: Any) -> Any:
        return tf.math.log(models.conv(x, 4, seed=1))

    broken = models.convert(function, several_outputs.IMAGE)
    result = compared(broken, broken)
    assert "holds NaN or infinity in 5 of 5 samples; check the preprocessing" in result.notes[0]
    (found,) = figures(
        compared(models.convert(lambda x: models.conv(x, 4, seed=1), (1, 6, 6, 3)), broken)
    )
    assert found.sqnr_db is not None
    assert found.sqnr_db.value == -math.inf
    assert found.max_error is not None
    assert found.max_error.value == math.inf
    assert found.to_dict()["max_error"]["value"] is None


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: several_outputs.classes(1), ModelError, r"model has 1 outputs, float has 2; .*'"),
        (models.two_input_net, ModelError, "model has 2 inputs, float has 1"),
        (
            lambda: models.convert(
                lambda x: (models.conv(x, 5, seed=1), x[:, 0, 0, :]), several_outputs.IMAGE
            ),
            ModelError,
            r"model: output '.*' has shape \[1, 6, 6, 5\], '.*' of float has \[1, 6, 6, 4\]",
        ),
        (
            lambda: models.convert(
                lambda x: (models.conv(x, 4, seed=1), _integers(x)), several_outputs.IMAGE
            ),
            ModelError,
            "model: output '.*' .* holds integers or texts, '.* of float real values; if these",
        ),
        (
            lambda: models.convert(
                lambda x: (models.conv(x, 4, seed=1), x[:, 0, 0, :]), (1, 8, 8, 3)
            ),
            DatasetError,
            r"model: input '.*' takes \[1, 8, 8, 3\], the samples have \[1, 6, 6, 3\]",
        ),
        (lambda: b"no model", ModelError, "model: not a TFLite flatbuffer"),
    ],
)
def test_models_that_cannot_be_compared(
    model: Any, error: type[TfliteEqError], message: str
) -> None:
    with pytest.raises(error, match=message):
        compared(model(), network())


def _integers(x: Any) -> Any:
    import tensorflow as tf

    return tf.cast(x[:, 0, 0, :], tf.int32)


def test_samples_that_do_not_fit() -> None:
    two = models.two_input_net()
    (first, _) = (end.name for end in inputs_of(Graph.from_bytes(two)))
    with pytest.raises(DatasetError, match="the samples lack '"):
        compared(two, two, Held([{first: np.zeros(models.IMAGE, np.float32)}]))
    with pytest.raises(DatasetError, match="the samples are arrays, the model has 2 inputs"):
        compared(two, two, Held([np.zeros(models.IMAGE, np.float32)]))
    with pytest.raises(DatasetError, match="there are no samples"):
        compared(network(), network(), Held([]))
    with pytest.raises(ConfigError, match="nothing to compare with float"):
        compare_outputs([], FLOAT, SAMPLES)
    with pytest.raises(ConfigError, match="--num_workers 0"):
        compared(network(), network(), num_workers=0)
