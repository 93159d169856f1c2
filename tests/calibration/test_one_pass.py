"""The float network runs once over the samples before lockstep, whatever is asked of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests import models
from tflite_eq import Config, calibrate
from tflite_eq.data.dataset import SampleReader
from tflite_eq.equalization.domains import find_domains
from tflite_eq.equalization.factors import ChannelFactors, tensor_factors, with_factors
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.model import Graph
from tflite_eq.statistics import ranges
from tflite_eq.statistics.channels import Observed, observe_channels

COUNT = 24


@pytest.mark.parametrize("equalization", ["activations", "cross_layer", "none"])
def test_every_sample_goes_through_the_float_network_once(
    monkeypatch: pytest.MonkeyPatch, equalization: str
) -> None:
    runs: Counter[int] = Counter()
    run = FloatNetwork.run

    def counted(network: FloatNetwork, sample: Any, number: int, **options: Any) -> Any:
        runs[number] += 1
        return run(network, sample, number, **options)

    monkeypatch.setattr(FloatNetwork, "run", counted)
    record = calibrate(
        models.residual_net(),
        models.data("residual_net", count=COUNT),
        Config(equalization=equalization, fixed=("equalization", "bias_correction", "method")),
    )
    assert bool(record.equalization) == (equalization != "none")
    assert runs == dict.fromkeys(range(COUNT), 1)


def scaled_and_run(loud: tuple[int, ...] = ()) -> tuple[Observed, Any, Any]:
    """A pass over a network, what it says of the scaled one, and a pass over that."""
    graph = with_biases(Graph.from_bytes(models.residual_net()))
    reader = SampleReader(graph, models.data("residual_net", count=COUNT))
    domains = find_domains(graph, set())
    tensors = sorted({tensor for domain in domains for tensor in domain.tensors})
    rng = np.random.default_rng(0)
    factors = [ChannelFactors.of(d, 2.0 ** rng.uniform(-3, 3, d.channels)) for d in domains]
    seen = observe_channels(graph, tensors, reader, seed=0, loud=loud)
    scaled = with_factors(graph, factors)
    again = observe_channels(scaled, (), reader, seed=0, loud=loud)
    return seen, seen.scaled(tensor_factors(graph, set(), factors)), again.observers


@pytest.mark.parametrize("loud", [(), (3, 20)])
def test_ranges_of_the_scaled_network_are_those_it_has_when_it_runs(loud: tuple[int, ...]) -> None:
    seen, told, found = scaled_and_run(loud)
    assert told.keys() == found.keys()
    moved = 0
    for index, own in found.items():
        for kind in ("minimum", "maximum"):
            np.testing.assert_allclose(
                getattr(told[index], kind), getattr(own, kind), rtol=1e-4, atol=1e-5
            )
        np.testing.assert_allclose(told[index].ordinary, own.ordinary, rtol=1e-4, atol=1e-5)
        assert told[index].count == own.count
        moved += not np.isclose(own.maximum, seen.observers[index].maximum, rtol=0.1)
    assert moved >= 2


def test_histograms_of_the_scaled_network_lead_to_the_same_ends() -> None:
    _, told, found = scaled_and_run()
    for index, own in found.items():
        expected = ranges.percentile(own, 99.0)
        width = max(expected[1] - expected[0], 1e-6)
        np.testing.assert_allclose(
            ranges.percentile(told[index], 99.0), expected, atol=0.03 * width
        )
