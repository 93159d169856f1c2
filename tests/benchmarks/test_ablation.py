"""Float models out of parts of a quantized one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tflite_eq
from benchmarks import ablation_page
from benchmarks.ablation import Parts, tie_shares
from tests import models
from tests.benchmarks.entries import figures
from tests.running import run
from tflite_eq import Config
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared

SAMPLES = models.samples(models.IMAGE, count=12, seed=3)


@pytest.fixture(scope="module")
def network() -> bytes:
    def function(x: Any) -> Any:
        import tensorflow as tf

        inner = tf.nn.relu(models.conv(x, 8, size=1, seed=1))
        return tf.nn.avg_pool2d(models.conv(inner, 4, seed=2), 2, 2, "VALID")

    return models.convert(function, models.IMAGE)


def parts_of(model: bytes, **options: Any) -> tuple[Parts, tflite_eq.QuantizationResult]:
    config = Config(equalization="none", method="minmax", bias_correction="none", **options)
    result = tflite_eq.quantize(model, SAMPLES, config)
    return Parts(model, result), result


def first_layer(model: bytes) -> str:
    layer = next(iter(linear_layers(prepared(model, "m").front).values()))
    return f"^{re.escape(layer.name)}$"


def noise(model: bytes, other: bytes) -> float:
    """Mean squared difference of two models on samples whose values nothing clips."""
    errors = [run(model, sample)[0] - run(other, sample)[0] for sample in SAMPLES]
    return float(np.square(errors).mean())


def test_without_any_part_it_is_the_float_model(network: bytes) -> None:
    parts, _ = parts_of(network, split_channels=first_layer(network))
    assert noise(parts.assemble([], []), network) < 1e-9


@pytest.mark.parametrize("splits", [False, True])
def test_all_parts_stand_for_the_integer_file(network: bytes, splits: bool) -> None:
    options = {"split_channels": first_layer(network)} if splits else {}
    parts, result = parts_of(network, **options)
    both = parts.assemble(list(parts.layers), parts.activations())
    assert noise(both, network) > 0
    # The rounding of the outputs is left out.
    assert noise(both, result.model) < 0.8 * noise(result.model, network)


def test_copies_of_channels_are_rounded_apart_without_their_layers_weights(network: bytes) -> None:
    """Two copies, half a step apart, leave a quarter of the noise of one."""
    found = []
    for options in ({}, {"split_channels": first_layer(network)}):
        parts, _ = parts_of(network, **options)
        graph = Graph.from_bytes(network)
        tensor = next(iter(linear_layers(graph).values())).output
        found.append(noise(parts.assemble([], [tensor]), network))
    assert found[1] < 0.4 * found[0]


def test_copies_do_not_count_as_an_error_of_the_weights(network: bytes) -> None:
    plain, _ = parts_of(network)
    split, _ = parts_of(network, split_channels=first_layer(network))
    layers = list(plain.layers)
    noises = [noise(parts.assemble(layers, []), network) for parts in (plain, split)]
    assert noises[1] < 1.5 * noises[0]


def test_ties_are_lost_where_another_class_comes_first() -> None:
    exact = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [0.0, 3.0, 1.0]])
    found = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 1.0, 2.0]])
    shares = tie_shares(exact, found)
    assert (shares["tied"]["value"], shares["lost"]["value"]) == (75, 25)


def test_the_page_has_parts_that_some_results_lack() -> None:
    first, second = ({"model": m, "variant": "best int8"} for m in "ab")
    plain = [{"part": p, **figures(90, 20, 0)} for p in ("both", "integer file")]
    first["whole"] = plain
    second["whole"] = [*plain[:1], {"part": "both, logits as they are", **figures(95, 22, 0)}]
    second["whole"].append(plain[1])
    ties = {"lost": {"value": 2.0, "low": 1.0, "high": 3.0}}
    first["ties"], second["ties"] = ties, {**ties, "tied": ties["lost"]}
    page = ablation_page.render([first, second])
    assert "| both, logits as they are |  | 95.0 [94.0, 96.0] / 22.0 [21.0, 23.0] |" in page
    assert "| a, best: INT8 |  | 2.0 [1.0, 3.0] | 90.0 [89.0, 91.0] | 92.0 |" in page
