"""The estimate of speed on stock runtimes: order, silence, and the shapes it goes by."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models, shared_data
from tests.built_models import NetworkBuilder
from tests.operators.catalogue import LAYERS
from tflite_eq.config import Config, Forms
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import INT8_KERNELS
from tflite_eq.preparation import prepared
from tflite_eq.selection import skipped_operators
from tflite_eq.stock_prices import OPERATOR_NS, operator_time
from tflite_eq.stock_speed import StockSpeed, stock_speed
from tflite_eq.writing.fast_forms import FAST_FORMS, has_fast_form


def speed(model: bytes, forms: Forms = Forms.FAST) -> StockSpeed:
    network, config = prepared(model, "m"), Config(forms=forms)
    return stock_speed(network, skipped_operators(network.front, config), config)


@pytest.mark.parametrize("forms", Forms)
@pytest.mark.parametrize("name", models.SHAPES)
def test_nothing_is_said_about_ordinary_networks(name: str, forms: Forms) -> None:
    if name == "residual_net" and forms is Forms.PLAIN:
        pytest.skip("has a RELU by itself and hardly anything else")
    assert speed(models.build(name), forms).sentences == ()


# Ratios of INT8 to float that were measured (docs/speed.md), for networks as trained.
MEASURED = {
    ("data/models/resnet8_large_cifar10_mlperftiny_float.tflite", Forms.FAST): 0.23,
    ("data/models/squeezenet1_1_gluon_float.tflite", Forms.FAST): 0.21,
    ("data/models/mobilenet_v1_0.25_224_float.tflite", Forms.FAST): 0.62,
    ("zoo/deeplabv3_257.tflite", Forms.FAST): 0.42,
    ("zoo/rfb320_face.tflite", Forms.FAST): 0.56,
    ("zoo/blazeface_front_f32.tflite", Forms.FAST): 0.72,
    ("zoo/mtcnn_rnet.tflite", Forms.FAST): 0.50,
    ("zoo/facemesh_f32.tflite", Forms.FAST): 0.97,
    ("zoo/mp_selfie_segmentation.tflite", Forms.FAST): 0.83,
    ("zoo/mp_selfie_segmentation.tflite", Forms.PLAIN): 1.5,
    ("zoo/mtcnn_rnet.tflite", Forms.PLAIN): 1.5,
    ("zoo/mp_palm_detection_lite.tflite", Forms.PLAIN): 2.7,
    ("zoo/facemesh_f32.tflite", Forms.PLAIN): 3.9,
}


@pytest.mark.parametrize(("path", "forms"), MEASURED)
def test_real_networks_are_estimated_within_a_factor_of_two(path: str, forms: Forms) -> None:
    where, _, name = path.partition("/")
    found = shared_data.path(name) if where == "data" else shared_data.zoo(name)
    estimate, measured = speed(found.read_bytes(), forms), MEASURED[path, forms]
    assert 1 / 2 < estimate.ratio / measured < 2
    assert (estimate.ratio > 1) == (measured > 1)
    assert bool(estimate.sentences) == (measured > 1)


def test_every_kind_is_priced_by_its_work() -> None:
    """Twice the values, or products, cost twice as much beyond what every operator costs."""
    for size in (8, 16):
        net = NetworkBuilder(1, size, 8, 32)
        x = net.conv(net.input, 16)
        x = net.depthwise(net.max_pool(net.leaky_relu(x)))
        graph = Graph.from_bytes(net.finished(net.elementwise("ADD", x, x)))
        times = [operator_time(graph, operator, True) for operator in graph.operators]
        work = np.array([(time.real, time.codes) for time in times]) - OPERATOR_NS
        if size == 8:
            before = work
    np.testing.assert_allclose(work, 2 * before)


def test_multiplications_are_those_of_the_layer() -> None:
    net = NetworkBuilder(1, 8, 8, 32)
    graph = Graph.from_bytes(net.finished(net.conv(net.conv(net.input, 16), 16, size=1)))
    first, second = (operator_time(graph, o, True).codes - OPERATOR_NS for o in graph.operators)
    assert first / second == pytest.approx(9 * 32 / 16)


def test_only_slow_operators_have_fast_forms() -> None:
    """And their price falls by them."""
    assert INT8_KERNELS.keys() >= FAST_FORMS
    for kind in sorted(FAST_FORMS - {"AVERAGE_POOL_2D"}):
        net = NetworkBuilder(1, 16, 16, 8)
        slopes = [net.constant(np.linspace(-1, 1, 8).astype(np.float32))] * (kind == "PRELU")
        y = net.operator(kind, [net.input, *slopes], (1, 16, 16, 8))
        graph = Graph.from_bytes(net.finished(y))
        [operator] = graph.operators
        assert has_fast_form(graph, operator)
        plain, fast = (operator_time(graph, operator, is_fast) for is_fast in (False, True))
        assert plain.codes - OPERATOR_NS > 5 * (fast.codes - OPERATOR_NS)
        assert plain.codes > 3 * plain.real
    assert LAYERS.keys() >= FAST_FORMS


def test_conversions_around_float_operators_cost_something() -> None:
    def network(x: object) -> object:
        return models.conv(models.tf.math.sin(models.conv(x, 32, 1)), 4, 1, seed=2)

    def without(x: object) -> object:
        return models.conv(models.tf.math.tanh(models.conv(x, 32, 1)), 4, 1, seed=2)

    shape = (1, 64, 64, 8)
    island, none = (speed(models.convert(f, shape)) for f in (network, without))
    assert island.int8_ms > none.int8_ms + 2 * 0.1 * 64 * 64 * 32 / 1e6
