"""The simulated quantized network against the written file on integer kernels."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tests.simulation import leaky_relu
from tflite_eq import Calibration, Config, QuantizationResult, calibrate, quantize
from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.data.dataset import SampleReader
from tflite_eq.data.store import ActivationStore
from tflite_eq.graph import edit
from tflite_eq.graph.channel_splitting import with_split_channels
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.network import Network
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.normalization.passes import normalized
from tflite_eq.numerics.affine import AffineParams, dequantize
from tflite_eq.numerics.affine import quantize as quantize_values
from tflite_eq.numerics.windows import Window
from tflite_eq.quantizer import skipped_operators
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation.kernel_tables import KernelTable
from tflite_eq.simulation.lockstep import corrected_on, run_lockstep
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations

Array = npt.NDArray[Any]


def _config(**options: Any) -> Config:
    """Options that leave the float network as it is, so that ``simulate`` can start from it."""
    return Config(equalization="none", **options)


CONFIGS = {
    "int8": _config(),
    "int7": _config(bits="7"),
    "int7 lattice": _config(bits="auto", target="armv8.2-dotprod"),
    "symmetric": _config(activation_mode="symmetric"),
    "symmetric int7": _config(bits="7", activation_mode="symmetric"),
    "cosine": _config(objective="cosine"),
    "minmax": _config(method="minmax", bias_correction="none"),
    "kl": _config(method="kl"),
    "per tensor": _config(per_tensor=True),
    "refit": _config(bits="auto", target="x86-vnni", reconstruction="refit"),
}


class RememberingTwins(TwinActivations):
    """Keeps what the quantized network computed, whatever became of the store."""

    def __init__(self, store: ActivationStore) -> None:
        super().__init__(store, samples=0)
        self._computed: dict[int, list[Array]] = {}
        self._were_settled: set[int] = set()
        self._all_tables: dict[int, KernelTable] = {}

    @property
    def codes(self) -> dict[int, list[Array]]:
        """Codes by tensor index, one array a sample. Scales may come after the last reader."""
        return {
            tensor: [self._code(tensor, sample) for sample in values]
            for tensor, values in self._computed.items()
            if tensor in self.settled
        }

    def _code(self, tensor: int, values: Array) -> Array:
        table = None if tensor in self._were_settled else self._all_tables.get(tensor)
        if table is None:
            settled = self.settled[tensor]
            return quantize_values(values, settled.params, settled.shifts)
        return table.encode(values)

    def settle(
        self,
        tensor: int,
        params: AffineParams,
        window: Window,
        table: KernelTable | None = None,
        written: bool = True,
    ) -> None:
        if table is not None:
            self._all_tables[tensor] = table
        super().settle(tensor, params, window, table, written)

    def remember(self, tensor: int) -> None:
        if tensor in self.settled:
            self._were_settled.add(tensor)
        self._computed[tensor] = [
            np.array(self.quantized_values(tensor, sample)) for sample in range(self.samples)
        ]

    def drop(self, tensor: int) -> None:
        if self.has_values(tensor):
            self.remember(tensor)
        super().drop(tensor)


def simulate(
    name: str, config: Config, memory_budget: int = 1 << 30
) -> tuple[Graph, list[LayerRecord], RememberingTwins]:
    """The float network, the layers' records, and what the simulation computed."""
    return simulate_model(models.build(name), models.data(name), config, memory_budget)


def simulate_model(
    model: bytes, data: list[list[Array]], config: Config, memory_budget: int = 1 << 30
) -> tuple[Graph, list[LayerRecord], RememberingTwins]:
    graph = edit.with_biases(normalized(Graph.from_bytes(model)).graph)
    graph = with_split_channels(graph, config.split_channels, config.channel_copies)
    skipped = skipped_operators(graph, config)
    network = Network.of(graph, skipped)
    with ActivationStore(memory_budget) as store:
        twins = RememberingTwins(store)
        twins.shifts = network.shifts
        observers = observe_ranges(graph, SampleReader(graph, data), twins, config.seed)
        _, records = run_lockstep(LockstepPass(network, observers, twins, config))
        for index in graph.outputs:
            twins.remember(index)
    return graph, records, twins


def operator_differences(name: str, config: Config, kernels: Kernels) -> dict[str, Array]:
    """``operator_differences_of`` a network of ``models``."""
    written = running.quantized(name, config).model
    return operator_differences_of(models.build(name), models.data(name), config, written, kernels)


def operator_differences_of(
    model: bytes, data: list[list[Array]], config: Config, written: bytes, kernels: Kernels
) -> dict[str, Array]:
    """How many codes each operator of the file lies off what the simulation makes us expect of it.

    That is the simulation itself, but for operators whose reference kernels are known to round
    otherwise (``reference_difference``). The simulation gives the inputs: fed operator by operator,
    differences cannot add up, and each is the operator's own.
    """
    floats, _, twins = simulate_model(model, data, config)
    codes = {floats.tensors[index].name: values for index, values in twins.codes.items()}
    graph = Graph.from_bytes(written)
    names = {tensor.index: tensor.name for tensor in graph.tensors}
    is_reference = kernels is Kernels.REFERENCE
    for operator in graph.operators:
        # The network's inputs and outputs have their names where they are float.
        if operator.kind == "QUANTIZE":
            names[operator.outputs[0]] = names[operator.inputs[0]]
        elif operator.kind == "DEQUANTIZE":
            names[operator.inputs[0]] = names[operator.outputs[0]]
    found: dict[str, list[Array]] = {}
    for operator in graph.operators:
        single, feeds = edit.single_operator_model(graph, operator)
        if any(graph.tensors[i].type_name != "INT8" for i in (*feeds, *operator.outputs)):
            continue  # the ends of the network, and shapes
        for sample in range(len(data)):
            inputs = [codes[names[index]][sample] for index in feeds]
            known = reference_difference(graph, operator, inputs) if is_reference else 0
            for index, computed in zip(operator.outputs, running.run(single, inputs, kernels)):
                if names[index] not in codes:
                    continue  # nobody reads it
                simulated = codes[names[index]][sample].reshape(computed.shape)
                difference = computed.astype(np.int32) - simulated - known
                found.setdefault(f"{operator.kind} {operator.index}", []).append(difference.ravel())
    assert found
    return {operator: np.concatenate(parts) for operator, parts in found.items()}


def reference_difference(graph: Graph, operator: Operator, inputs: Sequence[Array]) -> Array | int:
    """How far the operator's reference kernel lies off its default one, which is simulated.

    Elementwise functions are looked up in the default kernel. Of those in these networks,
    LEAKY_RELU alone has a reference kernel that rounds otherwise: twice where a slope is below a
    half. For which codes is known, how many values have these is not: where the slope is just below
    a half, as in the symmetric mode between 8 bits and 7 (63/127), every odd one up to 63. So no
    mean is bounded, but every code must be what the arithmetic of the two kernels says.
    """
    if operator.kind != "LEAKY_RELU":
        return 0
    source, result = (
        AffineParams(float(scale), int(zero_point))
        for [scale], [zero_point] in (
            running.parameters(graph, index) for index in (operator.inputs[0], operator.outputs[0])
        )
    )
    given = (inputs[0], float(operator.options.alpha), source, result)
    difference = leaky_relu.reference_codes(*given) - leaky_relu.xnnpack_codes(*given)
    assert np.abs(difference).max() <= 1
    return difference


# Largest part of an operator's codes that may be one off, XNNPACK's and reference kernels'; nothing
# for those not named. XNNPACK's convolutions round once, a float32 product, as the simulation does;
# reference kernels round twice. Both average in fixed point of few bits.
LINEAR = (0.001, 0.03)
ONE_OFF = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"), LINEAR),
    "AVERAGE_POOL_2D": (0.15, 0.15),
    "MEAN": (0.0, 0.3),
}


def assert_operators_agree(name: str, config: Config, more: float = 0.0) -> None:
    for which, kernels in enumerate((Kernels.DEFAULT, Kernels.REFERENCE)):
        for operator, difference in operator_differences(name, config, kernels).items():
            allowed = ONE_OFF.get(operator.split()[0], (0.0, 0.0))[which]
            assert np.abs(difference).max() <= 1, operator
            assert np.abs(difference).mean() <= allowed + more, operator


@pytest.mark.parametrize("name", sorted(models.SHAPES))
@pytest.mark.parametrize("config", ["int8", "int7"])
def test_operators_compute_what_integer_kernels_do(name: str, config: str) -> None:
    assert_operators_agree(name, CONFIGS[config])


@pytest.mark.parametrize("name", ["conv_net", "leaky_net"])
@pytest.mark.parametrize("config", sorted(set(CONFIGS) - {"int8", "int7"}))
def test_operators_compute_what_integer_kernels_do_in_every_mode(name: str, config: str) -> None:
    assert_operators_agree(name, CONFIGS[config])


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("concat_pool_net", "^Relu(_1|_2)?;"),
        ("concat_pool_net", "^Relu_1;"),
        ("depthwise_net", "^Relu6;"),
        ("leaky_net", "^BiasAdd(_1)?;"),
    ],
)
def test_split_channels_are_what_integer_kernels_compute(name: str, pattern: str) -> None:
    # A bias that shifts is rounded to its int32 code, which moves the outputs by M / 4 codes on
    # average, M being what one of them is in codes of the output: 0.02 here, or 0.04 with 7 bits.
    assert_operators_agree(name, _config(split_channels=pattern), 0.005)
    narrow = _config(split_channels=pattern, bits="7", reconstruction="refit")
    assert_operators_agree(name, narrow, 0.01)


@pytest.mark.parametrize(
    ("name", "start"),
    [("concat_pool_net", "Relu_1;"), ("depthwise_net", "Relu6;"), ("leaky_net", "BiasAdd;")],
)
def test_copies_by_channel_are_what_integer_kernels_compute(name: str, start: str) -> None:
    graph = edit.with_biases(Graph.from_bytes(models.build(name)))
    layer = next(x for x in linear_layers(graph).values() if x.name.startswith(start))
    counts = {layer.name: [1 + channel % 4 for channel in range(layer.channels)]}
    assert_operators_agree(name, _config(channel_copies=counts), 0.005)
    narrow = _config(channel_copies=counts, bits="7", reconstruction="refit")
    assert_operators_agree(name, narrow, 0.01)


@pytest.mark.parametrize("name", ["conv_net", "depthwise_net", "dense_net"])
def test_networks_compute_what_integer_kernels_do(name: str) -> None:
    """Only linear operators and pooling: the whole file equals the simulation in every code."""
    config = CONFIGS["minmax"]
    floats, _, twins = simulate(name, config)
    codes = twins.codes
    model = running.quantized(name, config).model
    for sample, inputs in enumerate(models.data(name)):
        outputs = running.run(model, inputs, Kernels.DEFAULT)
        for index, output in zip(floats.outputs, outputs):
            expected = dequantize(codes[index][sample], twins.params[index])
            np.testing.assert_allclose(output, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["conv_net", "residual_net", "two_input_net"])
def test_spilling_to_disk_changes_nothing(name: str) -> None:
    _, in_memory, expected = simulate(name, Config())
    _, on_disk, spilled = simulate(name, Config(), memory_budget=0)
    assert in_memory == on_disk
    one, other = expected.codes, spilled.codes
    assert one.keys() == other.keys()
    for index in one:
        np.testing.assert_array_equal(one[index], other[index])


def test_only_tensors_with_readers_left_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    drop = TwinActivations.drop

    def dropping(self: TwinActivations, tensor: int) -> None:
        drop(self, tensor)
        held.append(len(self._present))

    monkeypatch.setattr(TwinActivations, "drop", dropping)
    simulate("conv_net", Config())
    assert max(held) == 1


def errors_of(model: bytes, result: QuantizationResult, data: list[list[Array]]) -> float:
    """SQNR of the real quantized model's first output over some samples, dB."""
    exact, quantized = (
        np.stack(running.run_many(m, data, kernels))
        for m, kernels in ((model, Kernels.DEFAULT), (result.model, Kernels.BUILTIN))
    )
    return running.sqnr_db(exact, quantized)


@pytest.mark.parametrize("name", sorted(set(models.SHAPES) - {"softmax_net", "two_input_net"}))
def test_networks_are_reproduced(name: str) -> None:
    for bits, least in (("8", 27), ("7", 21)):
        result = running.quantized(name, Config(bits=bits))
        assert errors_of(models.build(name), result, models.data(name)) > least


def test_search_is_no_worse_than_extremes() -> None:
    """On samples that were not calibrated with: extremes fit those they were taken from, where
    random networks of 40 dB move by 2 dB either way from one handful of samples to the next."""
    gains = []
    for name in ("conv_net", "depthwise_net", "residual_net", "concat_pool_net"):
        model, shapes = models.build(name), models.SHAPES[name]
        unseen = models.samples(*shapes, count=60, seed=99)
        for bits in ("8", "7"):
            for seed in range(3):
                data = models.samples(*shapes, seed=seed)
                extremes, searched = (
                    errors_of(model, quantize(model, data, Config(method=m, bits=bits)), unseen)
                    for m in ("minmax", "easyquant")
                )
                gains.append(searched - extremes)
    assert np.mean(gains) > 0
    assert min(np.mean(np.reshape(gains, (8, 3)), axis=1)) > -0.5, "for one network"


def test_members_of_a_group_that_are_not_computed_yet_are_not_clipped() -> None:
    """The first reader of the group sees small values only; the large branch comes later."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        large = tf.nn.relu(models.conv(x, 8, seed=2) * 2.0)
        return models.conv(tf.concat([x, large], -1), 6, seed=3)

    model, data = models.convert(network, models.IMAGE), models.samples(models.IMAGE)
    found = []
    for method in ("easyquant", "minmax"):
        found.append(errors_of(model, quantize(model, data, Config(method=method)), data))
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


def rerun(name: str, config: Config, samples: list[int]) -> tuple[list[LayerRecord], ...]:
    """The records of a pass over all samples, and as corrected again on some of them."""
    graph = edit.with_biases(Graph.from_bytes(models.build(name)))
    layers = linear_layers(graph)
    skipped = skipped_operators(graph, config)
    network = Network.of(graph, skipped)
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        observers = observe_ranges(graph, SampleReader(graph, models.data(name)), twins, 0)
        kept = set(graph.inputs)
        _, records = run_lockstep(LockstepPass(network, observers, twins, config), kept=kept)
        return records, corrected_on(graph, layers, records, twins, samples, config)


@pytest.mark.parametrize("name", sorted(models.SHAPES))
def test_correcting_again_on_all_samples_changes_nothing(name: str) -> None:
    records, again = rerun(name, Config(bits="7"), list(range(len(models.data(name)))))
    assert again == records


@pytest.mark.parametrize(
    "config", [Config(reconstruction="refit"), Config(per_tensor=True), Config(skip="^Relu;")]
)
def test_correcting_again_in_every_mode(config: Config) -> None:
    records, again = rerun("conv_net", config, list(range(len(models.data("conv_net")))))
    assert again == records


def test_correcting_on_some_samples_takes_out_their_shifts() -> None:
    """Means of the written file's errors, over these samples and over all."""
    chosen, data = [1, 4], models.data("dense_net")
    records, part = rerun("dense_net", CONFIGS["int7"], chosen)
    record = calibrate(models.build("dense_net"), data, CONFIGS["int7"])
    assert record.layers == records
    shifts = []
    for layers in (part, records):
        model = quantize(
            models.build("dense_net"), dataclasses.replace(record, layers=layers)
        ).model
        exact, found = (
            np.stack(running.run_many(m, data, Kernels.DEFAULT))
            for m in (models.build("dense_net"), model)
        )
        shifts.append(
            [np.abs((found - exact)[at].mean(axis=0)).max() for at in (chosen, slice(None))]
        )
    (chosen_part, all_part), (chosen_all, all_all) = shifts
    assert chosen_part < 0.5 * chosen_all
    assert all_all < 0.5 * all_part
