from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tflite_eq import Config, SearchSettings
from tflite_eq.data.store import ActivationStore
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.simulation import sampling
from tflite_eq.simulation.twins import TwinActivations


def twins_of(graph: Graph, samples: int) -> TwinActivations:
    twins = TwinActivations(ActivationStore(), samples)
    for number in range(samples):
        [values] = models.samples(models.IMAGE, count=1, seed=number)[0]
        twins.put_float(graph.inputs[0], number, values)
        twins.put_quantized(graph.inputs[0], number, values)
    return twins


@pytest.mark.parametrize("samples", [1, 7, 19, 20, 21, 100])
def test_rows_do_not_grow_with_the_samples(samples: int) -> None:
    graph = with_biases(Graph.from_bytes(models.conv_net()))
    first = next(iter(linear_layers(graph).values()))
    config = Config(search=SearchSettings(rows=20))
    reader = sampling.make_layer_reader(first, twins_of(graph, samples), config, int7=False)
    rows = reader._reference.output.shape[1]
    assert min(20, 144) <= rows <= 20 + samples * (samples < 20)


@pytest.mark.parametrize("samples", [1, 7, 60, 500])
def test_values_do_not_grow_with_the_samples(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_SAMPLED_VALUES", 50)
    graph = Graph.from_bytes(models.conv_net())
    values, exact, *_ = sampling.sampled_values(twins_of(graph, samples), graph.inputs[0], 0)
    assert 50 <= len(values) <= 50 + samples * (samples < 50)
    np.testing.assert_array_equal(values, exact)


@pytest.mark.parametrize(("positions", "samples"), [(10, 3), (10, 10), (10, 11), (10, 1000)])
def test_samples_looked_at_are_spread_over_all(positions: int, samples: int) -> None:
    chosen, each = sampling._share(positions, samples)
    assert len(set(chosen)) == len(chosen) == min(positions, samples)
    assert positions <= len(chosen) * each < positions + samples
    steps = np.diff([*chosen, samples])
    assert steps.max() - steps.min() <= 1
