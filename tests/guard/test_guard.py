"""The guard on real models: a network in which one layer needs more than 7 bits."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.guard import networks
from tflite_eq import Config, quantize
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_calibration
from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.evaluation.labels import Unlabelled
from tflite_eq.graph.model import Graph
from tflite_eq.guard.guard import Guarded, Validation, matching, quantize_guarded
from tflite_eq.guard.search import Kept
from tflite_eq.runtimes import preferred_runtime

CALIBRATION = [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
VALIDATION = networks.arrays(1000, seed=5)
CONFIG = Config(bits="7", method="minmax")


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Validation:
    path = tmp_path_factory.mktemp("data") / "x.npy"
    np.save(path, VALIDATION)
    return _validation(path, (1, networks.FEATURES))


def _validation(path: Path, shape: tuple[int, ...]) -> Validation:
    preprocessing = Preprocessing.parse("0", "1")
    samples = open_calibration(path, shape, preprocessing, 10**6, 0)
    return Validation(Unlabelled(samples), preprocessing, has_labels=False)


def guarded(validation: Validation, bound: float, **options: Any) -> Guarded:
    return quantize_guarded(
        networks.planted(),
        CALIBRATION,
        bound,
        validation,
        **{"config": CONFIG, "num_workers": 1, **options},
    )


@functools.cache
def layer_names() -> tuple[str, ...]:
    graph = Graph.from_bytes(networks.planted())
    return tuple(graph.tensors[operator.outputs[0]].name for operator in graph.operators)


def disagreement(model: bytes) -> float:
    """In percent, by an interpreter of this test's own."""
    found = []
    for content in (networks.planted(), model):
        interpreter = preferred_runtime().interpreter(content)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]
        classes = []
        for x in VALIDATION:
            interpreter.set_tensor(source, x[np.newaxis])
            interpreter.invoke()
            classes.append(interpreter.get_tensor(target).argmax())
        found.append(np.array(classes))
    return float(100 * np.mean(found[0] != found[1]))


def test_exactly_the_planted_layer_keeps_eight_bits(validation: Validation) -> None:
    plain = quantize(networks.planted(), CALIBRATION, CONFIG).model
    bound = 14.0
    assert disagreement(plain) > bound
    found = guarded(validation, bound)
    assert found.outcome.kept == Kept(int8=frozenset([layer_names()[networks.PLANTED]]))
    assert found.outcome.holds
    assert found.outcome.tries == 3  # the ranking puts the planted layer first
    assert found.outcome.drop.points == pytest.approx(disagreement(found.result.model))
    assert found.outcome.drop.points <= bound
    assert found.outcome.plain.points == pytest.approx(disagreement(plain))
    bits = {t.index: t.bits for t in found.result.calibration.tensors}
    read = [bits[layer.input] for layer in found.result.calibration.layers]
    assert read == [7, 8, 7]


def test_options_it_prints_give_the_same_model(validation: Validation) -> None:
    found = guarded(validation, 14.0)
    again = quantize(networks.planted(), CALIBRATION, found.config)
    assert again.model == found.result.model


def test_what_eight_bits_cannot_hold_becomes_float_and_the_rest_stays_at_seven(
    validation: Validation,
) -> None:
    found = guarded(validation, 3.0)
    assert found.outcome.holds
    assert found.outcome.kept == Kept(in_float=frozenset(layer_names()[:2]))
    assert disagreement(found.result.model) <= 3.0
    assert found.price.float_share > 0.9
    assert found.plain_price.float_share == 0


def test_an_impossible_bound_gives_the_best_found(validation: Validation) -> None:
    found = guarded(validation, 0.0)
    assert not found.outcome.holds
    assert found.outcome.drop.points == pytest.approx(disagreement(found.result.model))
    assert 0 < found.outcome.drop.points < found.outcome.plain.points


def test_a_generous_bound_changes_nothing(validation: Validation) -> None:
    found = guarded(validation, 50.0)
    assert found.config == CONFIG
    assert found.result.model == quantize(networks.planted(), CALIBRATION, CONFIG).model
    assert found.price == found.plain_price


def test_expressions_given_by_the_user_stay_in_force(validation: Validation) -> None:
    config = Config(bits="7", method="minmax", keep_int8="^Identity$")
    found = guarded(validation, 14.0, config=config)
    bits = {t.index: t.bits for t in found.result.calibration.tensors}
    assert [bits[layer.input] for layer in found.result.calibration.layers] == [7, 8, 8]


def test_every_model_tried_can_be_resumed(validation: Validation, tmp_path: Path) -> None:
    first = guarded(validation, 14.0, resume_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == first.outcome.tries
    again = guarded(validation, 14.0, resume_dir=tmp_path)
    assert again.result.model == first.result.model


@pytest.mark.parametrize("bound", [-0.1, 100.1, float("nan"), float("inf")])
def test_bounds_without_meaning_are_refused(validation: Validation, bound: float) -> None:
    with pytest.raises(ConfigError, match="must be percentage points from 0 to 100"):
        guarded(validation, bound)


def test_a_model_that_is_no_classifier_is_refused_before_calibrating(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((2, *models.IMAGE[1:]), np.float32))
    with pytest.raises(ModelError, match="outputs"):
        quantize_guarded(
            models.two_input_net(), [], 1.0, _validation(path, models.IMAGE), num_workers=1
        )


@pytest.mark.parametrize("names", [["a/b;c", "a.b", "x(1)"], ["a/b;c"], ["twin;1", "a.b"]])
def test_expressions_match_the_names_and_nothing_else(names: list[str]) -> None:
    every = ["a/b;c", "a.b", "x(1)", "a/bd", "aXb", "za.b", "x1", "twin;1", "twin;2", "twin;12"]
    pattern = matching(names, every)
    assert pattern is not None
    assert sorted(n for n in every if re.search(pattern, n)) == sorted(names)


def test_expressions_are_short_where_they_can_be() -> None:
    assert matching(["conv;bias;relu"], ["conv;bias;relu", "conv1;bias"]) == "^conv(;|$)"


def test_expressions_are_added_to_those_of_the_user() -> None:
    both = matching(["a.b"], [], "(?i)^MINE")
    assert both is not None
    assert re.search(both, "mine 1")
    assert re.search(both, "a.b")
    assert matching([], ["a"], "p") == "p"
    assert matching([], ["a"]) is None
