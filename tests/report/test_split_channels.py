"""The report of a network in which channels are split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import models
from tflite_eq import Config, quantize
from tflite_eq.graph.linear import linear_layers
from tflite_eq.preparation import prepared


def test_layers_are_compared_by_the_mean_over_copies(tmp_path: Path) -> None:
    model, data = models.build("concat_pool_net"), models.data("concat_pool_net", count=20)
    first = next(iter(linear_layers(prepared(model, "m").front).values()))
    config = Config(split_channels=f"^{first.name.split(';')[0]};")
    result = quantize(model, data, config, report_dir=tmp_path)
    layers = json.loads((tmp_path / "report.json").read_text())["layers"]
    [compared] = [x["comparison"] for x in layers if x["name"] == first.name]
    # The default model has no copies, and is compared with the same float network.
    plain = quantize(model, data, report_dir=tmp_path / "plain").report
    [expected] = [x.comparison for x in plain.layers if x.name == first.name]
    assert expected is not None
    # Half the step of its own; the input is rounded as ever.
    assert compared["sqnr_db_final"] > expected.sqnr_db_final + 1
    assert compared["sqnr_db_default"] == pytest.approx(expected.sqnr_db_default, abs=0.01)
    assert [m.bytes for m in plain.models[:2]] == [m.bytes for m in result.report.models[:2]]
    assert result.report.models[2].bytes > plain.models[2].bytes
