"""Channel splitting: the same function in float, finer codes, and what cannot be split."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.instrumented import Instrumented
from tflite_eq.evaluation.layerwise import corresponding_tensors
from tflite_eq.graph import schema
from tflite_eq.graph.channel_copies import ChannelCopies
from tflite_eq.graph.channel_splitting import (
    CannotSplitError,
    copies_behind,
    split,
    with_split_channels,
    work_with,
)
from tflite_eq.graph.linear import linear_layers, multiplications
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.affine import quantize as quantize_values
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.numerics.lattice import is_on_lattice
from tflite_eq.numerics.weights import quantize_filters
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels

Array = npt.NDArray[Any]


def names(model: bytes, *positions: int) -> str:
    """An expression for the outputs of linear layers, by their order."""
    layers = list(linear_layers(prepared(model, "m").front).values())
    return "|".join(f"^{re.escape(layers[position].name)}$" for position in positions)


def random_network(seed: int) -> tuple[bytes, str]:
    """Convolutions of random shape with all that copies pass through between them."""
    rng = np.random.default_rng(seed)

    def network(x: Any) -> Any:
        x = tf.nn.relu6(models.conv(x, int(rng.choice([4, 8])), stride=2, seed=seed))
        if rng.random() < 0.5:
            x = tf.nn.relu(models.depthwise(x, seed=seed + 1))
        y = tf.nn.leaky_relu(models.conv(x, 6, size=1, seed=seed + 2), 0.1)
        z = tf.nn.max_pool2d(x, 3, 1, "SAME")
        if rng.random() < 0.5:
            z = tf.nn.avg_pool2d(tf.tanh(z), 2, 1, "SAME")
        x = tf.concat([y, z] if rng.random() < 0.5 else [z, y], axis=-1)
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        x = tf.nn.relu(models.conv(x, 8, seed=seed + 3, padding="VALID"))
        x = models.conv(x, 8, seed=seed + 4, groups=int(rng.choice([1, 2])))
        return models.conv(tf.nn.relu(x), 5, size=1, seed=seed + 5)

    model = models.convert(network, models.IMAGE)
    graph = prepared(model, "m").front
    able = [
        layer.name
        for layer in list(linear_layers(graph).values())[:-1]
        if layer.kind.value == "CONV_2D" and rng.random() < 0.7
    ]
    first = next(iter(linear_layers(graph).values())).name
    return model, "|".join(f"^{re.escape(name)}$" for name in able or [first])


@pytest.mark.parametrize("seed", range(8))
def test_the_float_network_stays_the_same_function(seed: int) -> None:
    model, pattern = random_network(seed)
    plain = prepared(model, "m").front
    found = with_split_channels(plain, pattern)
    assert found.copies
    for inputs in models.samples(models.IMAGE, count=2, seed=seed):
        exact, other = (
            running.run(schema.serialize(g.model), inputs, Kernels.BUILTIN)[0]
            for g in (plain, found)
        )
        np.testing.assert_allclose(other, exact, atol=1e-5 * np.abs(exact).max())
    assert [t.name for t in plain.tensors] == [t.name for t in found.tensors]
    # The multiplications that are told are those of the network that comes out.
    told = work_with(plain, linear_layers(plain), found.copies)
    layers = linear_layers(found)
    assert told == sum(multiplications(found, layer) for layer in layers.values())
    assert told > work_with(plain, linear_layers(plain), {})


@pytest.mark.parametrize("seed", range(4))
def test_channels_may_have_counts_of_their_own(seed: int) -> None:
    model, _ = random_network(seed)
    plain = prepared(model, "m").front
    rng = np.random.default_rng(seed)
    counts = []
    for index, layer in linear_layers(plain).items():
        own = tuple(rng.integers(1, 5, layer.channels).tolist())
        # Depthwise layers hand copies on, and groups and callers take channels as they are.
        if layer.kind.value == "CONV_2D":
            with contextlib.suppress(CannotSplitError):
                copies_behind(plain, {index: own})
                counts.append((layer.name, own))
    assert counts
    config = Config(channel_copies=counts)
    found = prepared(model, "m", config).front
    for name, own in counts:
        index = next(t.index for t in found.tensors if t.name == name)
        np.testing.assert_array_equal(np.bincount(found.copies[index].source), own)
    for inputs in models.samples(models.IMAGE, count=2, seed=seed):
        exact, other = (
            running.run(schema.serialize(g.model), inputs, Kernels.BUILTIN)[0]
            for g in (plain, found)
        )
        np.testing.assert_allclose(other, exact, atol=1e-5 * np.abs(exact).max())
    told = work_with(plain, linear_layers(plain), found.copies)
    layers = linear_layers(found)
    assert told == sum(multiplications(found, layer) for layer in layers.values())


def test_counts_that_fit_nothing_are_refused() -> None:
    model = models.build("conv_net")
    first = next(iter(linear_layers(prepared(model, "m").front).values()))
    with pytest.raises(ConfigError, match="channel_copies: 'nothing' is the output of no CONV_2D"):
        prepared(model, "m", Config(channel_copies={"nothing": [2]}))
    short = f"has {first.channels} channels, and 1 counts are given; give one for each channel"
    with pytest.raises(ConfigError, match=short):
        prepared(model, "m", Config(channel_copies={first.name: [2]}))


def test_dense_layers_are_split_too() -> None:
    model = models.build("dense_net")
    graph = prepared(model, "m", Config(split_channels=names(model, 0))).front
    assert graph.copies
    inputs = models.data("dense_net")[0]
    np.testing.assert_allclose(
        running.run(schema.serialize(graph.model), inputs, Kernels.BUILTIN)[0],
        running.run(model, inputs, Kernels.BUILTIN)[0],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("copies", [2, 3, 4])
def test_the_mean_of_shifted_codes_is_a_rounding_to_a_part_of_a_step(copies: int) -> None:
    values = np.random.default_rng(copies).uniform(-20, 20, 10_000).astype(np.float32)
    channels = ChannelCopies.of([copies])
    repeated = np.repeat(values[:, np.newaxis], copies, axis=1)
    codes = quantize_values(repeated, AffineParams(0.25, 3), channels.shifts).astype(np.float64) - 3
    expected = np.round(values.astype(np.float64) / 0.25 * copies) / copies
    np.testing.assert_allclose(codes.mean(axis=1), expected, atol=1e-12)
    np.testing.assert_array_equal(channels.averaged(codes)[:, 0], codes.mean(axis=1))


def test_zero_stays_zero_behind_a_relu() -> None:
    values = np.array([[-3.0, -3.0], [-0.01, -0.01], [0.0, 0.0]], np.float32)
    shifts = ChannelCopies.of([2]).shifts
    codes = quantize_values(np.maximum(values, 0), AffineParams(1.0, -128), shifts)
    np.testing.assert_array_equal(codes, -128)


def test_channels_that_are_there_once_are_not_shifted() -> None:
    copies = ChannelCopies.joined([ChannelCopies.of([2, 2]), ChannelCopies.of([1, 1, 1])])
    assert copies.source == (0, 0, 1, 1, 2, 3, 4)
    np.testing.assert_array_equal(copies.numbers, [0, 1, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(copies.shifts, [-0.25, 0.25, -0.25, 0.25, 0, 0, 0])
    values = np.arange(7.0)
    np.testing.assert_array_equal(copies.averaged(values), [0.5, 2.5, 4, 5, 6])


def test_weights_on_copies_make_up_for_each_other() -> None:
    rng = np.random.default_rng(0)
    filters = rng.uniform(-1, 1, (5, 3, 3, 6)).astype(np.float32)
    scales = np.full(5, 1 / 100, np.float32)
    halves = np.repeat(filters / 2, 2, axis=-1)
    copies = ChannelCopies.of([2] * 6).numbers
    codes = quantize_filters(halves, scales, WeightGrid.INT8, copies)
    sums = codes.astype(np.float64)[..., 0::2] + codes[..., 1::2]
    # The sum stands for the weight itself, on a grid of that scale: half of what one copy needs.
    np.testing.assert_array_equal(sums, np.round(filters.astype(np.float64) * 100))
    alone = quantize_filters(halves, scales, WeightGrid.INT8).astype(np.float64)
    assert np.abs(alone[..., 0::2] + alone[..., 1::2] - filters * 100).max() > 0.9
    triplets = quantize_filters(halves, scales, WeightGrid.EVEN_TRIPLETS, copies)
    assert is_on_lattice(triplets).all()
    pairs = triplets.astype(np.float64)[..., 0::2] + triplets[..., 1::2]
    assert np.abs(pairs - filters * 100).max() <= 1.5


def rounding_errors(model: bytes, data: list[list[Array]], config: Config) -> Array:
    """Errors of the first layer's output in steps, the mean over copies for each channel.

    Codes are those of the written file; the layer is computed once more, in NumPy's precision,
    from the codes, weights and bias in front of it.
    """
    result = quantize(model, data, config)
    plain = prepared(model, "m").front
    copies = prepared(model, "m", config).front.copies
    layer = next(iter(linear_layers(plain).values()))
    written = Graph.from_bytes(result.model)
    tensors = corresponding_tensors(plain, written, [layer.output])
    scale = next(t.scale for t in result.calibration.tensors if t.index == layer.output)
    runner = Instrumented(written, tensors)
    exact = Instrumented(plain, {layer.output: layer.output})
    errors = []
    for inputs in data:
        found = runner.run(inputs)[layer.output]
        if copies:
            found = copies[layer.output].averaged(found)
        reference = exact.run(inputs)[layer.output]
        inside = (reference > 2 * scale) & (reference < reference.max() * 0.9)
        errors.append(((found - reference) / scale)[inside])
    return np.concatenate(errors)


def test_codes_of_a_written_file_are_as_good_as_those_of_half_a_step() -> None:
    """Corrections of the means do not take the shifts out again."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, size=1, seed=1))
        return models.conv(x, 4, seed=2)

    model = models.convert(network, models.IMAGE)
    # Inputs and weights on their grids, so that nothing but the output is rounded.
    rng = np.random.default_rng(5)
    data = [[rng.integers(-127, 128, models.IMAGE).astype(np.float32)] for _ in range(12)]
    config = Config(equalization="none", method="minmax", bias_correction="iterative")
    plain = rounding_errors(model, data, config)
    finer = rounding_errors(
        model, data, Config.from_dict({**config.as_dict(), "split_channels": names(model, 0)})
    )
    # What the rounding of weights adds is in both; that of the output is what is left of it.
    removed = plain.var() - finer.var()
    assert removed == pytest.approx((1 - 1 / 4) / 12, rel=0.15)


@pytest.mark.parametrize("options", [{}, {"bits": "7"}, {"bits": "auto", "target": "x86-vnni"}])
def test_a_record_gives_the_same_file_again(options: dict[str, Any]) -> None:
    model, data = models.build("concat_pool_net"), models.data("concat_pool_net")
    layer = list(linear_layers(prepared(model, "m").front).values())[1]
    counts = {layer.name: [1 + channel % 3 for channel in range(layer.channels)]}
    config = Config(
        split_channels=names(model, 0), channel_copies=counts, reconstruction="refit", **options
    )
    result = quantize(model, data, config)
    record = Calibration.from_text(result.calibration.to_text())
    assert record.config == result.calibration.config
    assert record.config.split_channels == config.split_channels
    assert record.config.channel_copies == config.channel_copies
    assert quantize(model, record).model == result.model
    assert len(result.model) > len(quantize(model, data, Config(reconstruction="refit")).model)


@pytest.mark.parametrize(
    ("network", "positions", "message"),
    [
        ("conv_net", (-1,), "is an output of"),
        ("conv_net", (3,), "is read by .*MEAN.*cannot take them apart; split channels of other"),
        ("residual_net", (0,), "is read by .*ADD"),
        ("shared_filter_net", (0, 1), "has other readers|is read by|is an output"),
    ],
)
def test_what_cannot_be_split_is_refused(
    network: str, positions: tuple[int, ...], message: str
) -> None:
    model = models.build(network)
    with pytest.raises(ConfigError, match=f"split_channels: .*({message})"):
        calibrate(model, models.data(network), Config(split_channels=names(model, *positions)))


@pytest.mark.parametrize(("network", "position"), [("conv_net", -1), ("residual_net", 0)])
def test_counts_that_cannot_be_given_are_refused_by_their_own_name(
    network: str, position: int
) -> None:
    model = models.build(network)
    layer = list(linear_layers(prepared(model, "m").front).values())[position]
    counts = {layer.name: [2] * layer.channels}
    with pytest.raises(ConfigError, match=r"^channel_copies: tensor .* split channels of other"):
        prepared(model, "m", Config(channel_copies=counts))


def test_an_expression_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"split_channels: 'nothing' matches no CONV_2D or FULLY"):
        prepared(models.build("conv_net"), "m", Config(split_channels="nothing"))


def test_settings_as_published_have_no_copies() -> None:
    with pytest.raises(ConfigError, match="split_channels: the method 'trt' is a setting as publi"):
        Config(method="trt", split_channels="a")


def test_depth_multipliers_do_not_pass_copies_on() -> None:
    model = models.build("depthwise_net")
    with pytest.raises(ConfigError, match=r"is read by .*DEPTHWISE_CONV_2D"):
        prepared(model, "m", Config(split_channels=names(model, 2)))


def test_one_filter_of_two_layers_is_left_alone() -> None:
    graph = prepared(models.build("shared_filter_net"), "m").front
    first = next(iter(linear_layers(graph)))
    with pytest.raises(ConfigError, match="split_channels"):
        split(graph, copies_behind(graph, {first}))


def test_counts_of_one_copy_nothing() -> None:
    """Not even where copies would be given out."""
    model, _ = random_network(0)
    graph = prepared(model, "m").front
    last = list(linear_layers(graph).values())[-1]
    channels = graph.tensors[last.output].shape[-1]
    same = with_split_channels(graph, None, [(last.name, [1] * channels)])
    assert schema.serialize(same.model) == schema.serialize(graph.model)
