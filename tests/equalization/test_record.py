"""When channels are scaled, and what the calibration record keeps of it."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests import models
from tests.equalization.networks import uneven
from tflite_eq import Calibration, Config, Equalization, calibrate, quantize
from tflite_eq.equalization.domains import DomainLayer
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.errors import ConfigError

KINDS = {
    "cross layer": Config(per_tensor=True),
    "activations": Config(),
}


def test_auto_depends_on_the_weight_scales() -> None:
    assert Config(per_tensor=True).equalization_used is Equalization.CROSS_LAYER
    assert Config().equalization_used is Equalization.ACTIVATIONS
    assert Config(method="minmax").equalization_used is Equalization.NONE


def test_what_is_asked_for_is_used() -> None:
    for kind in (Equalization.NONE, Equalization.CROSS_LAYER, Equalization.ACTIVATIONS):
        assert Config(equalization=kind).equalization_used is kind
    for kind in (Equalization.NONE, Equalization.CROSS_LAYER):
        assert Config(equalization=kind, per_tensor=True).equalization_used is kind


def test_none_scales_nothing() -> None:
    data = models.samples(models.IMAGE)
    assert calibrate(uneven(tf.nn.relu), data, Config(equalization="none")).equalization == []


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_the_record_reproduces_the_model(config: Config) -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    result = quantize(model, data, config)
    read = Calibration.from_text(result.calibration.to_text())
    assert read.equalization == result.calibration.equalization != []
    assert quantize(model, read).model == result.model
    assert quantize(model, data, config).calibration.to_text() == result.calibration.to_text()


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_a_generator_that_runs_dry_is_read_once(config: Config) -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    record = calibrate(model, iter(data), config)
    assert record.samples == len(data)
    assert record.to_text() == calibrate(model, data, config).to_text()


def test_factors_that_do_not_fit_are_refused() -> None:
    record = calibrate(models.conv_net(), models.data("conv_net"), Config(per_tensor=True))
    first = record.equalization[0]
    shifted = tuple(DomainLayer(port.operator, 1) for port in first.consumers)
    for wrong in (
        ChannelFactors(first.producers, first.consumers, first.factors[:-1]),
        ChannelFactors(first.consumers, first.producers, first.factors),
        ChannelFactors(first.producers, shifted, first.factors),
        ChannelFactors(first.producers, (), first.factors),
        ChannelFactors((DomainLayer(999, 0),), first.consumers, first.factors),
    ):
        record.equalization[0] = wrong
        with pytest.raises(ConfigError, match="equalizes what operators"):
            quantize(models.conv_net(), record)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf"), 1e300, 1e-300])
def test_factors_must_be_positive_and_moderate(factor: float) -> None:
    record = calibrate(models.conv_net(), models.data("conv_net"), Config(per_tensor=True))
    first = record.equalization[0]
    record.equalization[0] = ChannelFactors(first.producers, first.consumers, (factor,) * 8)
    with pytest.raises(ConfigError, match="a factor that is not between"):
        Calibration.from_text(record.to_text())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"producers": [{', '"producers": [{"extra": 1, ', "extra"),
        ('"producers": [{"operator": 0,', '"producers": [{"operator": "x",', "operator"),
        ('"producers": [{"operator": 0, ', '"producers": [{', "operator"),
        ('"factors": [', '"factors": ["x", ', "factors"),
    ],
    ids=["unknown field", "no number", "missing field", "no factor"],
)
def test_a_damaged_record_is_refused(old: str, new: str, message: str) -> None:
    text = calibrate(models.conv_net(), models.data("conv_net"), Config(per_tensor=True)).to_text()
    assert old in text
    with pytest.raises(ConfigError, match=f"equalization number 0.*{message}"):
        Calibration.from_text(text.replace(old, new, 1))


def test_the_same_factors_twice_are_refused() -> None:
    """Scaled twice, the recorded scales would belong to another network."""
    record = calibrate(models.conv_net(), models.data("conv_net"), Config(per_tensor=True))
    record.equalization.append(record.equalization[0])
    with pytest.raises(ConfigError, match="twice"):
        quantize(models.conv_net(), record)
