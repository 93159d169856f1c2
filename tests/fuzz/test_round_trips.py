"""What is written and read again is the same, whatever is in it."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.networks import float_network
from tflite_eq import Calibration, Config, SearchSettings
from tflite_eq.config import (
    ActivationMode,
    BiasCorrection,
    Bits,
    Equalization,
    IoType,
    Method,
    Objective,
    Reconstruction,
)
from tflite_eq.errors import ConfigError
from tflite_eq.graph import edit, schema
from tflite_eq.graph.layout import check_layout
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.calibration import LayerRecord, TensorRecord
from tflite_eq.targets import Target

EXAMPLES = settings(max_examples=60, deadline=None)

_text = st.text(st.characters(codec="utf-8"), max_size=12)
_scales = st.floats(1e-6, 1e6)
_reals = st.floats(-1e6, 1e6)


def _member(kind: type[enum.Enum]) -> Any:
    return st.sampled_from(list(kind))


_configs = st.builds(
    Config,
    bits=st.sampled_from([Bits.INT7, Bits.AUTO]),
    target=_member(Target),
    # A setting as published fixes the others.
    method=st.sampled_from([method for method in Method if not method.is_published]),
    objective=_member(Objective),
    activation_mode=_member(ActivationMode),
    bias_correction=_member(BiasCorrection),
    reconstruction=_member(Reconstruction),
    equalization=st.sampled_from([Equalization.AUTO, Equalization.CROSS_LAYER]),
    per_tensor=st.booleans(),
    input_type=_member(IoType),
    output_type=_member(IoType),
    skip=st.none() | st.sampled_from(["a|b", "^x$", ""]),
    keep_int8=st.none() | st.sampled_from(["a|b", "^x$"]),
    keep_int8_share=st.floats(0, 1),
    split_channels=st.none() | st.sampled_from(["a|b", "^x$"]),
    channel_copies=st.dictionaries(_text, st.lists(st.integers(1, 8), min_size=1), max_size=2),
    split_channels_share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
    search=st.builds(SearchSettings, low=st.floats(0.1, 1), high=st.floats(1, 9)),
)
_tensors = st.builds(
    TensorRecord,
    index=st.integers(0, 1000),
    name=_text,
    scale=_scales,
    zero_point=st.integers(-128, 127),
    window=st.sampled_from([(-128, 127), (-64, 63)]),
    saturates=st.just(False),
    observed=st.tuples(_reals, _reals).map(lambda ends: (min(ends), max(ends))),
    start=_text,
    factor=_scales,
    outside=st.floats(0, 1),
)


def _ordered(*names: str) -> Any:
    """Values by name, in the order that records have them in."""
    return lambda values: dict(zip(names, values))


_figures = st.tuples(_reals, _reals, _reals).map(_ordered("mssr", "rqnsr", "sqnr_db"))
_metrics = st.tuples(_figures, _figures, st.booleans()).map(
    _ordered("before_correction", "after_correction", "rolled_back")
)
_layers = st.builds(
    LayerRecord,
    index=st.integers(0, 1000),
    name=_text,
    kind=st.sampled_from(["CONV_2D", "FULLY_CONNECTED"]),
    input=st.integers(0, 1000),
    grid=st.sampled_from([grid.value for grid in WeightGrid]),
    scales=st.lists(_scales, min_size=1, max_size=4),
    gain=st.floats(0.5, 2),
    bias_correction=st.lists(_reals, max_size=4),
    metrics=_metrics,
)
_records = st.builds(
    Calibration,
    tool_version=_text,
    model_sha256=_text,
    data_sha256=_text,
    samples=st.integers(0, 1000),
    config=_configs,
    tensors=st.lists(_tensors, max_size=4),
    layers=st.lists(_layers, max_size=3),
)


@EXAMPLES
@given(_records)
def test_record_is_read_as_it_was_written(record: Calibration) -> None:
    text = record.to_text()
    found = Calibration.from_text(text)
    assert found == record
    assert found.to_text() == text


@EXAMPLES
@given(_configs)
def test_options_survive_as_plain_values(config: Config) -> None:
    assert Config.from_dict(config.as_dict()) == config


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from([f.name for f in dataclasses.fields(Config)]),
        st.none() | st.booleans() | st.integers() | st.floats() | _text | st.binary(),
    )
)
def test_options_of_any_value_are_taken_or_refused(plain: dict[str, Any]) -> None:
    try:
        made = Config.from_dict(plain)
    except ConfigError:
        return
    for name, value in made.as_dict().items():
        if isinstance(value, float):
            assert math.isfinite(value), name


@EXAMPLES
@given(st.integers(0, 10_000))
def test_edited_network_is_whole(seed: int) -> None:
    """Networks that the package writes pass the checks that it reads with."""
    model = float_network(np.random.default_rng(seed))
    graph = edit.with_biases(Graph.from_bytes(model))
    edited = [
        schema.serialize(graph.model),
        edit.with_all_tensors_as_outputs(graph),
        *(edit.single_operator_model(graph, operator)[0] for operator in graph.operators),
    ]
    for data in edited:
        check_layout(data)
        again = Graph.from_bytes(data)
        assert schema.serialize(schema.parse(data)) == data
        assert len(again.outputs) >= 1
