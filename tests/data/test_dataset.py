from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tflite_eq import Config, calibrate
from tflite_eq.data.dataset import SampleReader
from tflite_eq.data.stored_samples import StoredSamples, spread_positions
from tflite_eq.errors import DatasetError
from tflite_eq.graph.model import Graph

IMAGE = np.arange(8 * 8 * 3, dtype=np.float32).reshape(1, 8, 8, 3)


def one_input() -> Graph:
    """Signature input ``image`` with a dynamic batch."""
    return Graph.from_bytes(models.keras_net())


def two_inputs() -> Graph:
    return Graph.from_bytes(models.two_input_net())


def fixed_batch() -> Graph:
    return Graph.from_bytes(models.conv_net())


def read(graph: Graph, dataset: Any, limit: int | None = None) -> list[dict[int, Any]]:
    return list(SampleReader(graph, dataset, limit))


class WithGenerator:
    """As ``tf.lite.RepresentativeDataset``."""

    def __init__(self, generator: Any) -> None:
        self.input_gen = generator


ELEMENTS = {
    "list": [IMAGE],
    "tuple": (IMAGE,),
    "dict": {"image": IMAGE},
    "pair with signature": ("serving_default", {"image": IMAGE}),
    "bare array": IMAGE,
    "without batch axis": [IMAGE[0]],
    "float64": [IMAGE.astype(np.float64)],
    "tensor": [tf.constant(IMAGE)],
    "nested lists": [IMAGE.astype(np.float64).tolist()],
}


@pytest.mark.parametrize("form", sorted(ELEMENTS))
def test_forms_of_an_element(form: str) -> None:
    graph = one_input()
    samples = read(graph, [ELEMENTS[form]])
    assert len(samples) == 1
    assert list(samples[0]) == list(graph.inputs)
    value = samples[0][graph.inputs[0]]
    assert value.dtype == np.float32
    np.testing.assert_array_equal(value, IMAGE)


CONTAINERS = {
    "list": lambda elements: elements,
    "generator function": lambda elements: lambda: iter(elements),
    "function returning a list": lambda elements: lambda: elements,
    "iterator": iter,
    "input_gen": lambda elements: WithGenerator(lambda: iter(elements)),
    "RepresentativeDataset": lambda elements: tf.lite.RepresentativeDataset(lambda: elements),
    "tf.data": lambda elements: tf.data.Dataset.from_tensor_slices(np.stack(elements)).map(
        lambda x: (x,)
    ),
}


@pytest.mark.parametrize("form", sorted(CONTAINERS))
def test_forms_of_a_data_set(form: str) -> None:
    graph = one_input()
    elements = [IMAGE, IMAGE + 1] if form == "tf.data" else [[IMAGE], [IMAGE + 1]]
    samples = read(graph, CONTAINERS[form](elements))
    assert len(samples) == 2
    np.testing.assert_array_equal(samples[1][graph.inputs[0]], IMAGE + 1)


def test_larger_batches_are_split() -> None:
    graph = one_input()
    batch = np.stack([IMAGE[0] + i for i in range(5)])
    samples = read(graph, [[batch], [IMAGE]])
    assert len(samples) == 6
    for i, sample in enumerate(samples[:5]):
        np.testing.assert_array_equal(sample[graph.inputs[0]], IMAGE + i)


def test_split_batches_give_the_same_record_as_single_samples() -> None:
    data = models.data("keras_net", count=4)
    single = calibrate(models.keras_net(), data)
    batched = calibrate(models.keras_net(), [[np.concatenate([x[0] for x in data])]])
    assert single.to_text() == batched.to_text()


def test_several_inputs_by_order_and_by_name() -> None:
    graph = two_inputs()
    image, vector = np.ones(models.IMAGE, np.float32), np.zeros((1, 5), np.float32)
    ordered = read(graph, [[image, vector]])[0]
    names = [graph.tensors[i].name for i in graph.inputs]
    named = read(graph, [dict(zip(reversed(names), (vector, image)))])[0]
    for index in graph.inputs:
        np.testing.assert_array_equal(ordered[index], named[index])


def test_limit_counts_samples_not_elements() -> None:
    graph = one_input()
    reader = SampleReader(graph, [[np.concatenate([IMAGE] * 4)]] * 3, limit=6)
    assert len(list(reader)) == 6
    assert reader.count == 6


def test_limit_stops_an_endless_generator() -> None:
    def forever() -> Any:
        while True:
            yield [IMAGE]

    assert len(read(one_input(), forever, limit=3)) == 3


@pytest.mark.parametrize("equalization", ["activations", "none"])
def test_an_endless_iterator_is_read_no_further_than_asked_for(equalization: str) -> None:
    data = models.data("conv_net")
    endless = (
        pytest.fail("read on") if n > 100 else data[n % len(data)] for n in itertools.count()
    )
    config = Config(equalization=equalization)
    found = calibrate(models.conv_net(), endless, config, num_samples=4)
    assert found == calibrate(models.conv_net(), data[:4], config)


@pytest.mark.parametrize("equalization", ["activations", "none"])
def test_an_error_in_the_users_function_stays_what_it_is(equalization: str) -> None:
    def broken() -> Any:
        yield models.data("conv_net")[0]
        raise ValueError("no such bucket")

    with pytest.raises(ValueError, match=r"^no such bucket$"):
        calibrate(models.conv_net(), broken, Config(equalization=equalization))


@pytest.mark.parametrize("equalization", ["activations", "none"])
def test_what_runs_dry_is_enough(equalization: str) -> None:
    """The data set is read once, so a function may give the same iterator every time."""
    once = iter(models.data("conv_net"))
    config = Config(equalization=equalization)
    found = calibrate(models.conv_net(), lambda: once, config)
    assert found == calibrate(models.conv_net(), models.data("conv_net"), config)


def digest(dataset: Any, limit: int | None = None) -> str:
    reader = SampleReader(one_input(), dataset, limit)
    list(reader)
    return reader.digest


def test_digest_identifies_the_data() -> None:
    assert digest([[IMAGE], [IMAGE + 1]]) == digest([np.concatenate([IMAGE, IMAGE + 1])])
    assert digest([[IMAGE], [IMAGE + 1]]) != digest([[IMAGE + 1], [IMAGE]])
    assert digest([[IMAGE]]) == digest([[IMAGE], [IMAGE + 1]], limit=1)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (None, "no representative data set"),
        ([], "is empty"),
        (lambda: iter([]), "is empty"),
        ("images/", "gives a str, .* read what it names first"),
        (b"abc", "gives a bytes"),
        ({"image": IMAGE}, r"gives a dict, .* put the samples into a list"),
        (3, "gives a int"),
        (lambda: None, "gives a NoneType"),
        (
            [[IMAGE, IMAGE]],
            r"element 0 .* has 2 arrays, .* 1 inputs: 'image' \(float32 \[1, 8, 8, 3\]\)",
        ),
        ([[]], "has 0 arrays"),
        ([[IMAGE], {"photo": IMAGE}], r"element 1 .* names an input 'photo' .* are 'image' "),
        ([{0: IMAGE}], r"names an input '0' that the model does not have"),
        ([{}], r"lacks the model's input 'image' "),
        ([("predict", {"image": IMAGE})], r"signature 'predict', .* \['serving_default'\]"),
        (
            [[IMAGE.astype(np.uint8)]],
            r"gives uint8 for input '.*', which is float32; .*preprocessing.*--image_mean",
        ),
        ([[IMAGE.astype(np.int8)]], r"gives int8 .* is float32; .*x\.astype\(np\.float32\)"),
        ([[np.zeros((1, 8, 9, 3), np.float32)]], r"shape \[1, 8, 9, 3\] .* \[None, 8, 8, 3\]"),
        ([[np.zeros((8, 8), np.float32)]], r"shape \[8, 8\]"),
        ([[np.full_like(IMAGE, np.nan)]], "contains NaN"),
        ([[np.full_like(IMAGE, np.inf)]], "contains infinity"),
        ([[np.full_like(IMAGE, 1e39, np.float64)]], "contains infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_errors_say_what_is_wrong(dataset: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(one_input(), dataset)


def test_bare_array_for_several_inputs_is_refused() -> None:
    with pytest.raises(DatasetError, match="has 2 inputs, so give a list or a dict"):
        read(two_inputs(), [IMAGE])


def test_batches_of_different_size_are_refused() -> None:
    image, vector = np.ones((2, 12, 12, 3), np.float32), np.zeros((3, 5), np.float32)
    with pytest.raises(DatasetError, match="different batch sizes"):
        read(two_inputs(), [[image, vector]])


def test_fixed_batch_of_the_model_is_kept() -> None:
    model = models.convert(lambda x: models.conv(x, 4), (2, 6, 6, 3))
    graph = Graph.from_bytes(model)
    samples = read(graph, [[np.zeros((4, 6, 6, 3), np.float32)]])
    assert [len(s[graph.inputs[0]]) for s in samples] == [2, 2]
    with pytest.raises(DatasetError, match=r"shape \[3, 6, 6, 3\]"):
        read(graph, [[np.zeros((3, 6, 6, 3), np.float32)]])


def test_integer_inputs_want_their_own_type() -> None:
    def network(x: Any, i: Any) -> Any:
        return models.conv(x, 4) + tf.cast(i, tf.float32)[0]

    traced = tf.function(
        network,
        input_signature=[
            tf.TensorSpec((1, 4, 4, 3), tf.float32, name="x"),
            tf.TensorSpec((1,), tf.int32, name="i"),
        ],
    )
    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    ).convert()
    graph = Graph.from_bytes(model)
    image = np.zeros((1, 4, 4, 3), np.float32)
    assert len(read(graph, [[image, np.zeros(1, np.int32)]])) == 1
    with pytest.raises(DatasetError, match=r"gives float32 for input .* which is int32"):
        read(graph, [[image, np.zeros(1, np.float32)]])


def converted(function: Any, *specs: Any) -> Graph:
    traced = tf.function(function, input_signature=specs)
    concrete = [traced.get_concrete_function()]
    return Graph.from_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions(concrete, traced).convert()
    )


def test_inputs_without_a_batch_and_without_dimensions() -> None:
    graph = converted(
        lambda x, gain: tf.reshape(x, (1, 6)) @ models.weights(6, 3) * gain,
        tf.TensorSpec((6,), tf.float32, name="x"),
        tf.TensorSpec((), tf.float32, name="gain"),
    )
    row = np.arange(6, dtype=np.float32)
    samples = read(graph, [{"x": row, "gain": np.float32(2)}, {"x": row + 1, "gain": 3.0}])
    by_name = {graph.tensors[i].name.split(":")[0]: i for i in graph.inputs}
    (x,) = [i for name, i in by_name.items() if name.endswith("x")]
    (gain,) = [i for name, i in by_name.items() if name.endswith("gain")]
    assert [sample[x].shape for sample in samples] == [(6,), (6,)]
    np.testing.assert_array_equal(samples[1][x], row + 1)
    assert [(sample[gain].shape, float(sample[gain])) for sample in samples] == [
        ((), 2.0),
        ((), 3.0),
    ]
    two = read(graph, [{"x": np.concatenate([row, row + 1]), "gain": np.float32(2)}])
    assert [float(sample[x][0]) for sample in two] == [0, 1]
    assert [float(sample[gain]) for sample in two] == [2, 2]
    with pytest.raises(DatasetError, match=r"shape \[1\] for input '.*gain"):
        read(graph, [{"x": row, "gain": np.ones(1, np.float32)}])


@pytest.mark.parametrize("name", ["image", "image:0", "serving_default_image:0"])
def test_names_as_tensorflow_decorates_them(name: str) -> None:
    graph = one_input()
    assert len(read(graph, [{name: IMAGE}])) == 1
    with pytest.raises(DatasetError, match=r"two arrays for the input 'image', one of them as 'im"):
        read(graph, [{"serving_default_image": IMAGE, "image:1": IMAGE}])


@pytest.mark.parametrize("kind", ["uint8", "int8", "int32", "int64", "bool"])
def test_an_input_takes_arrays_of_its_own_type(kind: str) -> None:
    graph = converted(
        lambda x, y: tf.cast(x, tf.float32) @ models.weights(4, 3) + y,
        tf.TensorSpec((1, 4), kind, name="x"),
        tf.TensorSpec((1, 3), tf.float32, name="y"),
    )
    y = np.zeros((1, 3), np.float32)
    (sample,) = read(graph, [{"x": np.ones((1, 4), kind), "y": y}])
    assert {str(values.dtype) for values in sample.values()} == {kind, "float32"}
    remedy = rf"is {kind}; convert, e\.g\. x\.astype\(np\.{kind}"
    with pytest.raises(DatasetError, match=remedy):
        read(graph, [{"x": np.ones((1, 4), np.float32), "y": y}])


def test_strings_are_refused() -> None:
    graph = converted(
        lambda x, text: (x @ models.weights(4, 3), text),
        tf.TensorSpec((1, 4), tf.float32, name="x"),
        tf.TensorSpec((1,), tf.string, name="text"),
    )
    element = {"x": np.zeros((1, 4), np.float32), "text": np.array(["a"])}
    with pytest.raises(DatasetError, match=r"input '.*text.*' takes strings, and only numbers"):
        read(graph, [element])


@pytest.mark.parametrize("total", [1, 4, 5, 9, 50, 1000])
def test_subset_is_spread_over_all_samples(total: int) -> None:
    kept = list(spread_positions(total, 4))
    assert min(total, 2) <= len(kept) <= 4
    strides = set(np.diff(kept).tolist())
    assert len(strides) <= 1
    assert kept[0] == 0
    assert total - kept[-1] <= max(strides, default=1)
    assert list(spread_positions(total, 0)) == []


def test_kept_samples_are_in_input_order() -> None:
    graph = two_inputs()
    given = models.data("two_input_net")
    with StoredSamples(graph, given, 3) as samples:
        assert samples.count == 3
        for kept, expected in zip(samples.spread(10), given):
            for values, wanted in zip(kept, expected):
                np.testing.assert_array_equal(values, wanted)


def test_the_last_sample_is_not_waited_for() -> None:
    def stuck() -> Any:
        yield [IMAGE]
        yield [IMAGE]
        pytest.fail("asked for one more")

    assert len(read(one_input(), stuck, limit=2)) == 2


def test_digest_tells_shapes_apart_where_they_may_vary() -> None:
    def network(x: Any) -> Any:
        return tf.reduce_mean(models.conv(x, 4), [1, 2])

    graph = Graph.from_bytes(models.convert(network, (1, None, None, 3)))

    def found(*shape: int) -> str:
        reader = SampleReader(graph, [np.zeros(shape, np.float32)])
        list(reader)
        return reader.digest

    assert found(1, 4, 6, 3) != found(1, 6, 4, 3)
