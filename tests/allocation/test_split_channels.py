"""Which channels are split: what that costs, what it takes away, and whether it is kept."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from benchmarks import accuracy_page
from tests import models, running
from tflite_eq import Config, calibrate, quantize
from tflite_eq.allocation.activation_noise import RoundedAlone, shared_out
from tflite_eq.allocation.split_channels import choose, unit_of
from tflite_eq.allocation.trial import Gain, Trials
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph.channel_splitting import copies_behind, split
from tflite_eq.graph.linear import linear_layers, multiplications
from tflite_eq.named_numbers import MOST_COPIES
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels

Array = npt.NDArray[Any]


def narrow_network(with_zeros: bool = False) -> bytes:
    """Few multiplications in front, and most of the noise; another output is 0 if asked for.

    One of the first layer's channels is larger than the others by a factor that the second layer's
    weights take back, which leaves the others few codes.
    """
    stretch = np.array([30, 1, 1, 1], np.float32)
    first = models.weights(3, 3, 3, 4, seed=1) * stretch
    second = models.weights(1, 1, 4, 8, seed=2) / stretch[:, np.newaxis]

    def network(x: Any) -> Any:
        x = tf.nn.conv2d(x, first, 2, "SAME")
        x = tf.nn.relu(x + models.biases(4, seed=1) * stretch)
        x = tf.nn.relu(tf.nn.conv2d(x, second, 1, "SAME") + models.biases(8, seed=2))
        for seed in range(3, 5):
            x = tf.nn.relu(models.conv(x, 24, seed=seed))
        found = models.conv(x, 6, size=1, seed=6)
        return [found, tf.nn.relu(models.conv(x, 6, seed=7) - 1e4)] if with_zeros else found

    return models.convert(network, models.IMAGE)


def work_of(graph: Any, counts: dict[int, list[int]]) -> int:
    """Multiplications of the network that is really built."""
    built = split(graph, copies_behind(graph, counts)) if counts else graph
    return sum(multiplications(built, layer) for layer in linear_layers(built).values())


def splittable(graph: Any) -> dict[int, int]:
    """Channels of all layers but the last, which is given out, by operator index."""
    layers = linear_layers(graph)
    return {i: layers[i].channels for i in sorted(layers)[:-1]}


@pytest.mark.parametrize("seed", range(4))
def test_copies_stay_within_the_share_and_no_other_would_be_better(seed: int) -> None:
    graph = prepared(narrow_network(), "m").front
    layers = linear_layers(graph)
    rng = np.random.default_rng(seed)
    noise = {i: rng.exponential(1, n) ** 3 for i, n in splittable(graph).items()}
    total = work_of(graph, {})
    left = []
    for share in (0.0, 0.02, 0.05, 0.2, 1.0):
        counts = choose(graph, layers, noise, share)
        assert work_of(graph, counts) <= (1 + share) * total
        full = {i: np.array(counts.get(i, [1] * len(e))) for i, e in noise.items()}
        for i, energies in noise.items():
            assert full[i].min() >= 1
            assert full[i].max() <= MOST_COPIES
            # A louder channel of a layer never has fewer copies.
            order = np.argsort(-energies)
            assert (np.diff(full[i][order]) <= 0).all()
        left.append(sum(float((noise[i] / full[i] ** 2).sum()) for i in noise))
    assert left[0] == pytest.approx(sum(float(e.sum()) for e in noise.values()))
    assert (np.diff(left) <= 0).all()
    assert left[-1] < 0.7 * left[0]


def test_noise_per_added_multiplication_decides() -> None:
    graph = prepared(narrow_network(), "m").front
    layers = linear_layers(graph)
    sizes = splittable(graph)
    first, second, *_ = sizes
    noise = {i: np.full(sizes[i], 1.0 / sizes[i]) for i in (first, second)}
    added = {i: work_of(graph, {i: [2] * sizes[i]}) - work_of(graph, {}) for i in noise}
    cheaper = min(added, key=lambda i: added[i])
    share = added[cheaper] / work_of(graph, {})
    assert set(choose(graph, layers, noise, 1.001 * share)) == {cheaper}


def test_channels_with_next_to_no_noise_are_left_alone() -> None:
    graph = prepared(narrow_network(), "m").front
    layers = linear_layers(graph)
    sizes = splittable(graph)
    first, second, *_ = sizes
    quiet = {first: np.full(sizes[first], 0.99), second: np.full(sizes[second], 0.001)}
    assert set(choose(graph, layers, quiet, 100.0)) == {first}
    assert choose(graph, layers, {first: np.zeros(sizes[first])}, 100.0) == {}
    loud = np.zeros(sizes[second])
    loud[[1, 5]] = 1.0
    counts = np.array(choose(graph, layers, {second: loud}, 100.0)[second])
    assert counts[[1, 5]].min() > 1
    assert counts.sum() - counts[[1, 5]].sum() == sizes[second] - 2


def test_what_is_not_worth_its_price_is_left_out() -> None:
    graph = prepared(narrow_network(), "m").front
    layers = linear_layers(graph)
    sizes = splittable(graph)
    noise = {i: np.full(n, 1.0 / n) for i, n in sizes.items()}
    counts = choose(graph, layers, noise, 100.0)
    assert work_of(graph, counts) < 10 * work_of(graph, {})


def test_named_layers_come_on_top_of_the_share() -> None:
    graph = prepared(narrow_network(), "m").front
    layers = linear_layers(graph)
    sizes = splittable(graph)
    first, second, *_ = sizes
    own = {first: [2] * sizes[first]}
    loud = np.zeros(sizes[second])
    loud[:4] = 1.0
    total = work_of(graph, {})
    counts = [2] * 4 + [1] * (sizes[second] - 4)
    added = work_of(graph, {**own, second: counts}) - work_of(graph, own)
    noise = {first: np.ones(sizes[first]), second: loud}
    assert choose(graph, layers, noise, 1.001 * added / total, own) == {second: counts}
    assert choose(graph, layers, noise, 0.999 * added / total, own) == {}


def test_channels_are_followed_to_where_their_copies_end() -> None:
    def network(x: Any) -> Any:
        y = tf.nn.relu(models.depthwise(tf.nn.relu(models.conv(x, 5, seed=1)), seed=2))
        z = tf.concat([models.conv(x, 3, seed=3), y], axis=-1)
        z = tf.nn.relu(models.depthwise(z, seed=4))
        return models.conv(z, 4, seed=5)

    graph = prepared(models.convert(network, models.IMAGE), "m").front
    wide = next(i for i, x in linear_layers(graph).items() if x.channels == 5)
    units = unit_of(graph, wide, set())
    assert sorted(units.values()) == [[-1, -1, -1, 0, 1, 2, 3, 4], *[[0, 1, 2, 3, 4]] * 2]
    assert {graph.tensors[t].shape[-1] for t in units} == {5, 8}
    first_joined = next(t for t, channels in units.items() if len(channels) == 8)
    skipped = {graph.producer(first_joined).index}
    assert first_joined not in unit_of(graph, wide, skipped)


def test_energies_of_channels_are_found_from_those_of_groups() -> None:
    rng = np.random.default_rng(0)
    exact = rng.exponential(1, 40) ** 3
    orders = [rng.permutation(40) for _ in range(8)]
    groups = np.array([np.isin(np.arange(40), o[run::16]) for o in orders for run in range(16)])
    found = shared_out(groups, groups @ exact)
    np.testing.assert_allclose(found, exact, atol=0.05 * exact.max())
    assert found.min() >= 0
    np.testing.assert_allclose(shared_out(np.eye(5, dtype=bool), exact[:5]), exact[:5])
    np.testing.assert_array_equal(shared_out(np.eye(3, dtype=bool), np.zeros(3)), 0)


def test_the_noise_of_channels_is_that_of_each_rounded_alone() -> None:
    model = narrow_network()
    graph = prepared(model, "m").front
    with StoredSamples(graph, models.samples(models.IMAGE, count=12)) as samples:
        alone = RoundedAlone(graph, set(), samples, Config(equalization="none"))
        outputs = [layer.output for layer in alone.network.layers.values()][:2]
        units = [{o: range(alone.network.graph.tensors[o].shape[-1])} for o in outputs]
        whole = alone.noise([{o} for o in outputs], "")
        found = alone.channel_noise(units, 0, "")
    assert [len(n) for n in found] == [4, 8]
    for noise, together in zip(found, whole):
        assert noise.sum() == pytest.approx(together, rel=0.3)
    # The first channel is larger by 30 and read by weights that are smaller by as much.
    assert found[0][0] < 0.05 * found[0][1:].min()


def test_what_gains_is_split_named_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    model = narrow_network()
    data, others = (models.samples(models.IMAGE, count=24, seed=seed) for seed in (0, 1))
    plain = Config(equalization="none")  # which would give the channels their codes back
    config = dataclasses.replace(plain, split_channels_share=0.3)
    result = quantize(model, data, config)
    record = result.calibration
    assert record.config.channel_copies
    assert record.config.split_channels_share == 0
    said = capsys.readouterr().err
    graph = prepared(model, "m", record.config)
    layers = [linear_layers(g).values() for g in (graph.unsplit, graph.front)]
    work = [
        sum(multiplications(g, layer) for layer in found)
        for g, found in zip((graph.unsplit, graph.front), layers)
    ]
    assert 0 < work[1] / work[0] - 1 <= 0.3
    assert f"for {100 * (work[1] / work[0] - 1):.1f} % more multiplications and" in said
    assert "dB on 24 calibration samples" in said
    told = result.report.summary["allocations"]
    assert told[0] in said
    assert accuracy_page.spent(told) == f"split +{100 * (work[1] / work[0] - 1):.1f} %"
    named = dataclasses.replace(plain, channel_copies=record.config.channel_copies)
    assert quantize(model, data, named).model == result.model

    def noise(quantized: bytes) -> float:
        exact, found = (
            np.concatenate(running.run_many(m, others, Kernels.BUILTIN)) for m in (model, quantized)
        )
        return float(((found - exact) ** 2).mean())

    assert noise(result.model) < 0.6 * noise(quantize(model, data, plain).model)


def test_a_gain_is_one_beyond_chance() -> None:
    before = np.exp(np.random.default_rng(0).normal(0, 1, 30))
    ratio = np.exp(np.random.default_rng(1).normal(0, 0.2, 30))
    assert Gain(before, before * 0.7 * ratio).is_beyond_chance
    assert Gain(before, before * 0.7).decibels == pytest.approx(-10 * np.log10(0.7))
    assert not Gain(before, before / 0.7).is_beyond_chance
    chance = [
        Gain(before, before * np.exp(np.random.default_rng(seed).normal(0, 0.2, 30)))
        for seed in range(200)
    ]
    # One in forty is above two standard errors where there is nothing.
    assert np.mean([gain.is_beyond_chance for gain in chance]) < 0.06


@pytest.mark.parametrize(
    "options", [{"split_channels_share": 0.3}, {"bits": "7", "keep_int8_share": 0.3}]
)
def test_what_gains_nothing_is_not_kept(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    level = np.linspace(1, 2, 24)
    gains = itertools.repeat(Gain(level, level * np.tile([0.9, 1.1], 12)))
    monkeypatch.setattr(Trials, "gain", lambda *_: next(gains))
    config = Config(method="minmax", **options)
    record = calibrate(narrow_network(), models.samples(models.IMAGE, count=24), config)
    assert record.config.channel_copies == ()
    assert record.config.keep_int8 is None
    assert "note: not kept, for it gains nothing beyond chance: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [{"split_channels_share": 0.3}, {"bits": "7", "keep_int8_share": 0.3}]
)
def test_too_few_samples_tell_nothing(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(method="minmax", **options)
    record = calibrate(narrow_network(), models.samples(models.IMAGE, count=11), config)
    assert record.config.channel_copies == ()
    assert record.config.keep_int8 is None
    said = capsys.readouterr().err
    assert "note: no precision was added: its gain cannot be told (12 samples are needed" in said
    assert "there are 11); " in said


def test_a_resumed_run_chooses_the_same(tmp_path: Path) -> None:
    model, data = narrow_network(), models.samples(models.IMAGE, count=16)
    config = Config(split_channels_share=0.3, equalization="none")
    first = calibrate(model, data, config, resume_dir=tmp_path)
    assert first.config.channel_copies
    for saved in sorted(tmp_path.glob("layer_*"))[2:]:
        saved.unlink()
    assert calibrate(model, data, config, resume_dir=tmp_path).to_text() == first.to_text()


def test_trials_are_made_once_and_judge_on_other_samples() -> None:
    model = narrow_network()
    graph = prepared(model, "m").front
    first = next(iter(linear_layers(graph).values())).name
    with StoredSamples(graph, models.samples(models.IMAGE, count=20)) as samples:
        trials = Trials(graph, set(), samples, loud={3})
        assert trials.reason == ""
        plain, finer = Config(), Config(split_channels=first.split(";")[0])
        gain = trials.gain(plain, finer)
        assert len(gain.before) == 19
        again = trials.gain(finer, dataclasses.replace(plain, reconstruction="refit"))
        np.testing.assert_array_equal(again.before, gain.after)
        np.testing.assert_array_equal(again.after, gain.before)
        few = Trials(graph, set(), samples, loud=set(range(9))).reason
        assert few == "12 samples are needed, there are 11"


def test_an_output_that_is_always_zero_decides_nothing() -> None:
    plain = Config(equalization="none")
    gains = []
    for zeros in (False, True):
        model = narrow_network(zeros)
        graph = prepared(model, "m").front
        first = next(iter(linear_layers(graph).values())).name
        with StoredSamples(graph, models.samples(models.IMAGE, count=16)) as samples:
            finer = dataclasses.replace(plain, split_channels=re.escape(first))
            gains.append(Trials(graph, set(), samples).gain(plain, finer))
            alone = RoundedAlone(graph, set(), samples, plain)
            tensors = [{layer.output} for layer in alone.network.layers.values()]
            assert all(0 < noise < 10 for noise in alone.noise(tensors[:3], ""))
    assert gains[1].decibels == pytest.approx(gains[0].decibels, abs=1)
    assert gains[1].is_beyond_chance


def test_a_share_that_nothing_fits_into_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(method="minmax", split_channels_share=1e-6)
    record = calibrate(narrow_network(), models.samples(models.IMAGE, count=12), config)
    assert record.config.channel_copies == ()
    said = "note: no layer was found that split_channels_share 1e-06 could be spent on"
    assert said in capsys.readouterr().err
