"""Lists of layers to keep: each of them can be given to the quantizer, and helps."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from tests import models
from tests.guard import networks
from tests.report import reports
from tflite_eq import Config, quantize
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.report.model import LayerComparison, Report, Suggestion
from tflite_eq.report.suggest import suggest

SAMPLES = [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
COMPARISON = ComparisonSet([[x[np.newaxis]] for x in networks.arrays(50, seed=5)], "50 samples")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Three dense layers, of which the second adds most noise."""
    return _report(tmp_path_factory, Config(bits="7", method="minmax"))


def _report(factory: pytest.TempPathFactory, config: Config) -> Report:
    folder = factory.mktemp("report")
    return quantize(
        networks.planted(), SAMPLES, config, report_dir=folder, comparison=COMPARISON
    ).report


def test_every_list_can_be_given_and_lowers_the_noise(
    planted: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert {suggestion.option for suggestion in planted.suggestions} == {"--keep_int8", "--skip"}
    for suggestion in planted.suggestions:
        assert networks.PLANTED in suggestion.layers
        option = suggestion.option.lstrip("-")
        changed = {option: suggestion.pattern}
        again = _report(tmp_path_factory, Config(bits="7", method="minmax", **changed))
        before, after = planted.models[-1].sqnr_db, again.models[-1].sqnr_db
        assert before is not None
        assert after is not None
        assert after > before + 3


def with_noise(
    *added: float, bits: int = 8, config: Config | None = None
) -> tuple[Suggestion, ...]:
    """What is suggested for the layers of a small network, had they added so much."""
    graph = with_biases(Graph.from_bytes(models.conv_net()))
    linear = list(linear_layers(graph).values())
    layers = [
        dataclasses.replace(
            layer,
            input_bits=bits,
            comparison=LayerComparison(30.0, 30.0, 1.0, 1.0, noise, None, 0.0),
        )
        for layer, noise in zip(reports.conv_net().report.layers, added)
    ]
    return suggest(graph, linear, set(), layers, config or Config())


def test_the_worst_layer_and_those_with_half_of_the_noise() -> None:
    lists = [s for s in with_noise(0.01, 0.02, 0.03, 0.035, 0.005) if s.option == "--skip"]
    assert [suggestion.layers for suggestion in lists] == [(3,), (3, 2)]
    assert [s.noise_share for s in lists] == pytest.approx([0.35, 0.65])
    assert 0 < lists[0].float_share < lists[1].float_share < 1


def test_expressions_name_the_layers_and_what_computes_their_inputs() -> None:
    names = [layer.name for layer in reports.conv_net().report.layers]
    [keep, skip] = with_noise(0.0, 0.01, 0.0, 0.0, 0.0, bits=7)
    assert (keep.option, skip.option) == ("--keep_int8", "--skip")
    assert [n for n in names if re.search(keep.pattern, n)] == [names[1]]
    assert [n for n in names if re.search(skip.pattern, n)] == names[:2]


def test_suggestions_take_the_place_of_given_expressions() -> None:
    given = {"skip": "^already_float$", "keep_int8": "^already_wide$"}
    [keep, skip] = with_noise(0, 0.01, 0, 0, 0, bits=7, config=Config(bits="7", **given))
    [new_keep, new_skip] = with_noise(0, 0.01, 0, 0, 0, bits=7)
    for old, found, new in ((given["keep_int8"], keep, new_keep), (given["skip"], skip, new_skip)):
        assert re.search(found.pattern, old.strip("^$"))
        assert found.pattern.endswith(new.pattern)
    only_wide = with_noise(0, 0.01, 0, 0, 0, config=Config(bits="7", **given))
    assert {suggestion.option for suggestion in only_wide} == {"--skip"}


def test_nothing_is_suggested_where_no_layer_adds_noise() -> None:
    assert with_noise(0.0, -0.1, 0.0, 0.0, -0.2) == ()


def test_at_least_one_layer_stays_quantized() -> None:
    names = [layer.name for layer in reports.conv_net().report.layers]
    for suggestion in with_noise(*[0.01] * 5):
        assert not all(re.search(suggestion.pattern, name) for name in names)


def test_without_a_comparison_there_is_no_ranking() -> None:
    assert quantize(models.dense_net(), models.data("dense_net")).report.suggestions == ()
