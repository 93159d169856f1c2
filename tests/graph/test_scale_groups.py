from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import built_models, models, running
from tflite_eq import Config, quantize
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import SAME_SCALE
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import Kernels


def groups_of(model: bytes, skipped: set[int] | None = None) -> tuple[Graph, dict[int, ScaleGroup]]:
    graph = Graph.from_bytes(model)
    return graph, scale_groups(graph, linear_layers(graph), skipped or set())


def group_of_output(graph: Graph, groups: dict[int, ScaleGroup], kind: str) -> ScaleGroup:
    operator = next(o for o in graph.operators if o.kind == kind)
    return groups[operator.outputs[0]]


def test_every_quantized_tensor_is_in_the_group_that_names_it() -> None:
    graph, groups = groups_of(models.concat_pool_net())
    for index, group in groups.items():
        assert index in group.tensors
        assert graph.tensors[index].is_float
        assert not graph.tensors[index].is_constant


def test_pools_and_concatenations_join_their_tensors() -> None:
    graph, groups = groups_of(models.concat_pool_net())
    concat = next(o for o in graph.operators if o.kind == "CONCATENATION")
    members = set(groups[concat.outputs[0]].tensors)
    assert set(concat.inputs) <= members
    for kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        pool = next(o for o in graph.operators if o.kind == kind)
        assert {pool.inputs[0], pool.outputs[0]} <= members
    assert groups[graph.inputs[0]].tensors == (graph.inputs[0],)


def test_readers_are_the_layers_behind() -> None:
    graph, groups = groups_of(models.concat_pool_net())
    group = group_of_output(graph, groups, "CONCATENATION")
    assert [layer.operator.index for layer in group.readers] == [
        o.index for o in graph.operators if o.kind == "CONV_2D" and o.inputs[0] in group.tensors
    ]
    assert len(group.readers) == 3


def test_averages_are_noticed() -> None:
    graph, groups = groups_of(models.concat_pool_net())
    (average,) = group_of_output(graph, groups, "CONCATENATION").averages
    assert average.kind == "AVERAGE_POOL_2D"
    graph, groups = groups_of(models.leaky_net())
    assert not group_of_output(graph, groups, "MAX_POOL_2D").averages


def writers_of(group: ScaleGroup) -> list[str | None]:
    return [None if writer is None else writer.kind for writer in group.writers]


def test_writers_are_the_operators_outside_that_write_into_the_group() -> None:
    graph, groups = groups_of(models.concat_pool_net())
    group = group_of_output(graph, groups, "CONCATENATION")
    assert writers_of(group) == [
        o.kind
        for o in graph.operators
        if o.outputs[0] in group.tensors and o.kind not in SAME_SCALE
    ]
    assert len(group.writers) == 3

    def network(x: Any) -> Any:
        x = tf.concat([tf.nn.relu(models.conv(x, 4, seed=1)), tf.nn.leaky_relu(x)], -1)
        return models.conv(x, 4, seed=3)

    graph, groups = groups_of(models.convert(network, models.IMAGE))
    joined = group_of_output(graph, groups, "CONCATENATION")
    assert sorted(str(kind) for kind in writers_of(joined)) == ["CONV_2D", "LEAKY_RELU"]


def test_what_is_unknown_counts_as_a_writer() -> None:
    model = models.convert(
        lambda x: models.conv(tf.nn.max_pool2d(x, 2, 2, "SAME"), 4), models.IMAGE
    )
    graph, groups = groups_of(model)
    assert writers_of(groups[graph.inputs[0]]) == [None]
    graph, _ = groups_of(models.leaky_net())
    leaky = next(o for o in graph.operators if o.kind == "LEAKY_RELU")
    _, groups = groups_of(models.leaky_net(), {leaky.index})
    assert writers_of(group_of_output(graph, groups, "LEAKY_RELU")) == [None]


def test_fixed_parameters_hold_for_the_whole_group() -> None:
    model = models.convert(
        lambda x: models.conv(tf.nn.max_pool2d(tf.sigmoid(models.conv(x, 4)), 2, 2, "SAME"), 4),
        models.IMAGE,
    )
    graph, groups = groups_of(model)
    assert group_of_output(graph, groups, "MAX_POOL_2D").fixed == AffineParams(1 / 256, -128)


WIDE: dict[str, Any] = {
    "concatenated with a wider tensor": lambda x, s: tf.concat([x, s], -1),
    "the larger of it and a wider tensor": lambda x, s: tf.maximum(s, x),
    "behind operators that pass it on": lambda x, s: tf.concat(
        [tf.nn.max_pool2d(s, 1, 1, "SAME"), x], -1
    ),
    "together with another fixed scale": lambda x, s: tf.concat([s, tf.tanh(x)], -1),
    "the larger of it and a constant beyond its range": lambda x, s: tf.maximum(s, 3.0),
    "padded with what is beyond its range": lambda x, s: tf.pad(
        s, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-5.0
    ),
    "under zeros that are code 0": lambda x, s: tf.scatter_nd([[1], [0]], s[0, :2], [3, 12, 4])[
        None
    ],
}


@pytest.mark.parametrize("kind", WIDE)
def test_fixed_parameters_are_imposed_on_nothing_that_they_do_not_serve(kind: str) -> None:
    def network(x: Any) -> Any:
        y = models.conv(x, 4)
        return models.conv(WIDE[kind](y * 3.0, tf.sigmoid(y)), 4)

    model = models.convert(network, models.IMAGE)
    graph, groups = groups_of(model)
    sigmoid = next(o for o in graph.operators if o.kind == "LOGISTIC")
    assert groups[sigmoid.outputs[0]].fixed == AffineParams(1 / 256, -128)
    last = graph.operators[-1]
    group = groups[last.inputs[0]]
    assert group.fixed is None
    assert {"LOGISTIC", "TANH", "MAX_POOL_2D", "STRIDED_SLICE", "RESHAPE"}.intersection(
        map(str, writers_of(group))
    )
    data = models.samples(models.IMAGE)
    exact, found = (
        running.run(m, data[0], Kernels.BUILTIN)[0]
        for m in (model, quantize(model, data, Config(method="minmax")).model)
    )
    assert running.sqnr_db(exact, found) > 30


def test_fixed_parameters_that_serve_all_are_kept() -> None:
    def network(x: Any) -> Any:
        y = models.conv(x, 4)
        z = tf.concat([tf.sigmoid(y), tf.sigmoid(models.conv(x, 4, seed=2))], -1)
        return models.conv(tf.maximum(z, 0.25), 4)

    graph, groups = groups_of(models.convert(network, models.IMAGE))
    group = groups[graph.operators[-1].inputs[0]]
    assert group.fixed == AffineParams(1 / 256, -128)
    assert len(group.tensors) == 4


def test_constants_that_join_in_are_noted() -> None:
    model = models.convert(
        lambda x: models.conv(tf.maximum(models.conv(x, 4), 7.5), 4), models.IMAGE
    )
    graph, groups = groups_of(model)
    assert group_of_output(graph, groups, "MAXIMUM").constants == (0.0, 7.5)


def test_skipped_operators_join_nothing_and_leave_their_tensors_float() -> None:
    graph, _ = groups_of(models.leaky_net())
    pool = next(o for o in graph.operators if o.kind == "MAX_POOL_2D")
    _, groups = groups_of(models.leaky_net(), {pool.index})
    assert groups[pool.inputs[0]] is not groups[pool.outputs[0]]
    leaky = graph.producer(pool.inputs[0])
    assert leaky is not None
    _, groups = groups_of(models.leaky_net(), {pool.index, leaky.index})
    assert pool.inputs[0] not in groups


def test_kernels_that_fill_with_code_zero_are_noticed() -> None:
    model = models.convert(
        lambda x: models.conv(
            tf.scatter_nd([[1], [0]], models.conv(x, 4)[0, :2], [3, 12, 4])[None], 4
        ),
        models.IMAGE,
    )
    graph, groups = groups_of(model)
    assert group_of_output(graph, groups, "SCATTER_ND").needs_zero_point_0
    assert not groups[graph.outputs[0]].needs_zero_point_0


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("MINIMUM", 1e6, (0.0, 0.0)),
        ("MINIMUM", -2.0, (-2.0, 0.0)),
        ("MAXIMUM", -1e6, (0.0, 0.0)),
        ("MAXIMUM", 2.0, (0.0, 2.0)),
    ],
)
def test_limits_that_nothing_reaches_take_no_codes(kind, value, expected) -> None:
    net = built_models.NetworkBuilder(*built_models.IMAGE)
    limit = net.constant(np.full((1, 1, 1, 1), value, np.float32))
    x = net.elementwise(kind, net.conv(net.input, 4), limit)
    data = net.finished(net.conv(x, 4))
    assert group_of_output(*groups_of(data), kind).constants == expected

    samples = built_models.samples()
    model = quantize(data, samples).model
    exact, found = (
        np.array([running.run(m, s, Kernels.BUILTIN)[0] for s in samples]) for m in (data, model)
    )
    assert np.square(exact - found).mean() < 1e-2 * np.square(exact).mean()
