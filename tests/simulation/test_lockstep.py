"""The simulated quantized network against the written file on integer kernels."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.statistics import observe_ranges
from tflite_eq.graph import edit
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.quantizer import skipped_operators
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation.lockstep import run_lockstep
from tflite_eq.simulation.store import ActivationStore
from tflite_eq.simulation.twins import TwinActivations

Array = npt.NDArray[Any]

CONFIGS = {
    "int8": Config(),
    "int7": Config(bits="7"),
    "int7 lattice": Config(bits="auto", target="armv8.2-dotprod"),
    "symmetric": Config(activation_mode="symmetric"),
    "symmetric int7": Config(bits="7", activation_mode="symmetric"),
    "cosine": Config(objective="cosine"),
    "minmax": Config(method="minmax", bias_correction="none"),
    "kl": Config(method="kl"),
    "per tensor": Config(per_tensor=True),
}


def simulate(name: str, config: Config, memory_budget: int = 1 << 30) -> tuple[Any, list[Any]]:
    """Records, and the simulated network's outputs [sample][output]."""
    graph = edit.with_biases(Graph.from_bytes(models.build(name)))
    layers = linear_layers(graph)
    skipped = skipped_operators(graph, config.skip)
    groups = scale_groups(graph, layers, skipped)
    with ActivationStore(memory_budget) as store:
        twins = TwinActivations(store, samples=0)
        reader = SampleReader(graph, models.data(name))
        observers = observe_ranges(graph, reader, twins, config.seed)
        records = run_lockstep(graph, layers, groups, skipped, observers, twins, config)
        outputs = [
            [np.array(twins.quantized_values(i, sample)) for i in graph.outputs]
            for sample in range(twins.samples)
        ]
    return records, outputs


def code_differences(name: str, config: Config, kernels: Kernels) -> Array:
    """How many codes the file's outputs lie off the simulated ones, over all samples."""
    result = running.quantized(name, config)
    _, simulated = simulate(name, config)
    steps = {t.index: t.scale for t in result.calibration.tensors}
    graph = Graph.from_bytes(models.build(name))
    found = []
    for sample, expected in zip(models.data(name), simulated):
        outputs = running.run(result.model, sample, kernels)
        for index, output, simulation in zip(graph.outputs, outputs, expected):
            found.append(((output - simulation) / steps[index]).ravel())
    return np.concatenate(found)


def assert_codes_agree(name: str, config: Config) -> None:
    # XNNPACK rounds convolutions as the simulation does, additions not quite. Built-in kernels
    # round twice, which moves some percent of the codes of each layer by one. Either way logits of
    # a small range, where one code of an early layer is many, move by a few; their mean shows a
    # real fault.
    difference = np.abs(code_differences(name, config, Kernels.DEFAULT))
    assert difference.max() < 10
    assert difference.mean() < 1.0
    difference = code_differences(name, config, Kernels.BUILTIN)
    assert np.abs(difference).max() < 10
    assert np.abs(difference).mean() < 1.2
    assert abs(difference.mean()) < 0.8


@pytest.mark.parametrize("name", sorted(models.SHAPES))
@pytest.mark.parametrize("config", ["int8", "int7"])
def test_simulation_is_what_integer_kernels_compute(name: str, config: str) -> None:
    assert_codes_agree(name, CONFIGS[config])


@pytest.mark.parametrize("name", ["conv_net", "leaky_net"])
@pytest.mark.parametrize("config", sorted(set(CONFIGS) - {"int8", "int7"}))
def test_simulation_is_what_integer_kernels_compute_in_every_mode(name: str, config: str) -> None:
    assert_codes_agree(name, CONFIGS[config])


@pytest.mark.parametrize("name", ["conv_net", "depthwise_net", "dense_net"])
def test_simulation_is_exact_where_only_convolutions_round(name: str) -> None:
    """XNNPACK's requantization is the simulation's: one rounding of a float32 product."""
    assert np.abs(code_differences(name, CONFIGS["minmax"], Kernels.DEFAULT)).max() < 1.1


@pytest.mark.parametrize("name", ["conv_net", "residual_net", "two_input_net"])
def test_spilling_to_disk_changes_nothing(name: str) -> None:
    in_memory, outputs = simulate(name, Config())
    on_disk, spilled = simulate(name, Config(), memory_budget=0)
    assert in_memory == on_disk
    for one, other in zip(outputs, spilled):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


def test_only_tensors_with_readers_left_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    drop = TwinActivations.drop

    def dropping(self: TwinActivations, tensor: int) -> None:
        drop(self, tensor)
        held.append(len(self._present))

    monkeypatch.setattr(TwinActivations, "drop", dropping)
    simulate("conv_net", Config())
    assert max(held) == 1


def errors_of(name: str, config: Config) -> float:
    """SQNR of the real quantized model's outputs over the calibration samples, dB."""
    model = models.build(name)
    result = running.quantized(name, config)
    pairs = [
        (running.run(model, x)[0], running.run(result.model, x, Kernels.BUILTIN)[0])
        for x in models.data(name)
    ]
    return running.sqnr_db(*(np.stack(side) for side in zip(*pairs)))


@pytest.mark.parametrize("name", sorted(set(models.SHAPES) - {"softmax_net", "two_input_net"}))
def test_networks_are_reproduced(name: str) -> None:
    assert errors_of(name, Config()) > 27
    assert errors_of(name, Config(bits="7")) > 21


@pytest.mark.parametrize("name", ["conv_net", "depthwise_net", "residual_net", "concat_pool_net"])
def test_search_is_no_worse_than_extremes(name: str) -> None:
    # The search lowers the error of each layer, which is not quite that of the logits. Measured on
    # conv_net at 8 bits: 41.8 dB against 44.5 for the extremes; why it loses there is not known.
    for bits in ("8", "7"):
        extremes = errors_of(name, Config(method="minmax", bits=bits))
        assert errors_of(name, Config(bits=bits)) > extremes - 4.0


def test_members_of_a_group_that_are_not_computed_yet_are_not_clipped() -> None:
    """The first reader of the group sees small values only; the large branch comes later."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        large = tf.nn.relu(models.conv(x, 8, seed=2) * 2.0)
        return models.conv(tf.concat([x, large], -1), 6, seed=3)

    model, data = models.convert(network, models.IMAGE), models.samples(models.IMAGE)
    found = []
    for method in ("easyquant", "minmax"):
        result = quantize(model, data, Config(method=method))
        pairs = [
            (running.run(model, x)[0], running.run(result.model, x, Kernels.BUILTIN)[0])
            for x in data
        ]
        found.append(running.sqnr_db(*(np.stack(side) for side in zip(*pairs))))
    assert found[0] > found[1] - 1.0


def tensors_of(record: Calibration) -> dict[str, Any]:
    return {t.name: t for t in record.tensors}


def test_records_describe_every_tensor_and_layer() -> None:
    result = running.quantized("residual_net")
    graph = Graph.from_bytes(models.residual_net())
    quantizable = {t.name for t in graph.tensors if t.is_float and not t.is_constant}
    assert set(tensors_of(result.calibration)) == quantizable
    assert [r.index for r in result.calibration.layers] == sorted(linear_layers(graph))
    for record in result.calibration.tensors:
        assert record.observed[0] <= record.observed[1]
        assert 0 <= record.outside <= 0.1


def test_members_of_a_group_share_one_scale() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.concat_pool_net()))
    groups = scale_groups(graph, linear_layers(graph), set())
    tensors = {t.index: t for t in running.quantized("concat_pool_net").calibration.tensors}
    sizes = set()
    for group in groups.values():
        sizes.add(len(group.tensors))
        parameters = {(tensors[i].scale, tensors[i].zero_point) for i in group.tensors}
        assert len(parameters) == 1
    # First convolution, max-pool, average pool, two branches and their concatenation.
    assert max(sizes) == 6


def test_logits_and_operands_of_additions_are_not_clipped() -> None:
    for name in ("residual_net", "conv_net"):
        record = running.quantized(name).calibration
        graph = Graph.from_bytes(models.build(name))
        protected = {i for o in graph.operators if o.kind == "ADD" for i in o.inputs} - {
            i for o in graph.operators if o.kind == "CONV_2D" for i in o.inputs
        }
        protected |= set(graph.outputs)
        for tensor in record.tensors:
            if tensor.index in protected:
                low, high = tensor.observed
                # The zero point is rounded, which moves both ends by up to half a step.
                assert (127.6 - tensor.zero_point) * tensor.scale >= high
                assert (-128.6 - tensor.zero_point) * tensor.scale <= low


def test_constant_operands_widen_the_range() -> None:
    def network(x: Any) -> Any:
        return models.conv(
            tf.pad(models.conv(x, 4), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-50.0), 4
        )

    model = models.convert(network, models.IMAGE)
    record = calibrate(model, models.samples(models.IMAGE))
    graph = Graph.from_bytes(model)
    pad = next(o for o in graph.operators if o.kind == "PADV2")
    tensor = next(t for t in record.tensors if t.index == pad.outputs[0])
    assert (-128 - tensor.zero_point) * tensor.scale < -45


def test_dead_tensor_and_dead_input_are_survived() -> None:
    zeros = [[np.zeros(models.IMAGE, np.float32)] for _ in range(2)]
    for config in (Config(), Config(bits="7"), Config(objective="cosine"), Config(method="kl")):
        result = quantize(models.conv_net(), zeros, config)
        output = running.run(result.model, zeros[0])[0]
        exact = running.run(models.conv_net(), zeros[0])[0]
        np.testing.assert_allclose(output, exact, atol=0.05)


def test_one_sample_is_enough() -> None:
    result = quantize(models.conv_net(), models.data("conv_net")[:1])
    assert result.calibration.samples == 1


def test_seed_changes_sampled_rows_only() -> None:
    model = models.convert(lambda x: models.conv(models.conv(x, 4), 4), (1, 64, 64, 3))
    data = models.samples((1, 64, 64, 3), count=2)
    search = {"rows": 20, "activation_share": 2}
    plain = Config.from_dict({**Config().as_dict(), "search": search})
    other = Config.from_dict({**plain.as_dict(), "seed": 1})
    first, same, second = (calibrate(model, data, c) for c in (plain, copy.copy(plain), other))
    assert first.to_text() == same.to_text()
    assert first.layers[0].scales != second.layers[0].scales
    assert [t.observed for t in first.tensors] == [t.observed for t in second.tensors]
